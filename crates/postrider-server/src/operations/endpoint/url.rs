//! Validation of endpoints' URLs.

use crate::{api::problems::Problems, settings::Settings};

/// Adds the problems of an endpoint's URL.
pub(crate) fn check(settings: &Settings, text: &str, problems: &mut Problems<'_>) {
    check_at(settings, "url", text, problems);
}

/// Adds the problems of a URL that the server calls, which is in this field.
pub(crate) fn check_at(settings: &Settings, field: &str, text: &str, problems: &mut Problems<'_>) {
    if let Err(refusal) = settings.urls.check(text) {
        problems.add(&[field], refusal.to_string());
    }
}
