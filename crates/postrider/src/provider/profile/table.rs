//! The known signing profiles.

use std::sync::LazyLock;

use super::SigningProfile;

static PROFILES: LazyLock<Vec<SigningProfile>> = LazyLock::new(|| {
    let json = include_str!("../../../data/profiles.json");
    serde_json::from_str(json).expect("the table is tested to be well formed")
});

/// All known signing profiles, sorted by id.
pub fn all() -> &'static [SigningProfile] {
    &PROFILES
}

/// The signing profile with this id.
pub fn find(id: &str) -> Option<&'static SigningProfile> {
    PROFILES.iter().find(|profile| profile.id == id)
}
