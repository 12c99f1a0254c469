//! Which URLs endpoints may have.

use postrider::api::endpoint::MAX_URL;
use postrider_core::address;

use crate::{problems::Problems, settings::Settings};

/// Notes what is wrong with an endpoint's URL.
pub(crate) fn check(settings: &Settings, text: &str, problems: &mut Problems<'_>) {
    let place = ["url"];
    if text.len() > MAX_URL {
        problems.add(&place, format!("is longer than {MAX_URL} bytes"));
    } else if let Err(error) = address::check_url(text, &settings.urls) {
        problems.add(&place, error.to_string());
    }
}
