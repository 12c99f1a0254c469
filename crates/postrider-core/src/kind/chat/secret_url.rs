//! A URL that is a credential as a whole: it is all that a client needs to post messages.

use std::{borrow::Cow, fmt};

use serde::Deserialize;
use url::Url;

use crate::kind::{MASK, Problem};

/// A URL whose path and query are secret.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct SecretUrl(Url);

impl SecretUrl {
    pub const fn reveal(&self) -> &Url {
        &self.0
    }

    /// Scheme and host.
    pub fn address(&self) -> String {
        format!("{}/{MASK}", self.0.origin().ascii_serialization())
    }

    pub fn hide_in<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let path = self.0.path();
        if path.len() > 1 { text.replace(path, MASK).into() } else { text.into() }
    }

    pub(super) fn check(&self, field: &str, problems: &mut Vec<Problem>) {
        check_url(&self.0, field, problems);
    }
}

pub(super) fn check_url(url: &Url, field: &str, problems: &mut Vec<Problem>) {
    if !matches!(url.scheme(), "http" | "https") {
        problems.push(Problem::of(field, "must be an http or https URL"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        problems.push(Problem::of(field, "must not contain a user name or password"));
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address())
    }
}
