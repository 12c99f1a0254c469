//! The known providers.

use std::sync::LazyLock;

use super::{Provider, protocol};

static PROVIDERS: LazyLock<Vec<Provider>> = LazyLock::new(|| {
    let json = include_str!("../../data/providers.json");
    let mut providers: Vec<Provider> =
        serde_json::from_str(json).expect("the table is tested to be well formed");
    providers.iter_mut().for_each(protocol::complete);
    providers.sort_by(|one, other| one.id.cmp(&other.id));
    providers
});

/// All known providers, sorted by id.
pub fn all() -> &'static [Provider] {
    &PROVIDERS
}

/// The provider with this id.
pub fn find(id: &str) -> Option<&'static Provider> {
    let found = PROVIDERS.binary_search_by(|it| it.id.as_str().cmp(id)).ok()?;
    PROVIDERS.get(found)
}
