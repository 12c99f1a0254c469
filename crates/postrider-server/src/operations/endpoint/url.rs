//! Which URLs endpoints may have.

use postrider::api::endpoint::MAX_URL;
use postrider_core::address;

use crate::{api::problems::Problems, settings::Settings};

const OWN: &str = "leads to this server itself, so that its webhooks could go round in a circle; \
                   `allow_own_urls` can allow it";

/// Notes what is wrong with an endpoint's URL.
pub(crate) fn check(settings: &Settings, text: &str, problems: &mut Problems<'_>) {
    let place = ["url"];
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
