//! Validation of endpoints' URLs.

use postrider::api::endpoint::MAX_URL;
use postrider_core::address;

use crate::{api::problems::Problems, settings::Settings};

const OWN: &str =
    "is a URL of this server, so webhooks could loop; set `allow_own_urls` to allow it";

/// Adds the problems of an endpoint's URL.
pub(crate) fn check(settings: &Settings, text: &str, problems: &mut Problems<'_>) {
    check_at(settings, "url", text, problems);
}

/// Adds the problems of a URL that the server calls, which is in this field.
pub(crate) fn check_at(settings: &Settings, field: &str, text: &str, problems: &mut Problems<'_>) {
    let place = [field];
    if text.len() > MAX_URL {
        problems.add(&place, format!("is longer than {MAX_URL} bytes"));
        return;
    }
    match address::check_url(text, &settings.urls) {
        Ok(url) if settings.own_urls.lead_to(&url) => problems.add(&place, OWN),
        Ok(_) => {},
        Err(error) => problems.add(&place, error.to_string()),
    }
}
