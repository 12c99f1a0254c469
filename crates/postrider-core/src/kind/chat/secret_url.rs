//! A URL that is a credential as a whole: it is all that a client needs to post messages.

use std::{borrow::Cow, fmt};

use serde::Deserialize;
use url::Url;

use crate::kind::{MASK, Problem, ServiceUrl};

/// A URL whose path and query are secret.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct SecretUrl(ServiceUrl);

impl SecretUrl {
    pub fn reveal(&self) -> &Url {
        &self.0
    }

    /// Scheme and host.
    pub fn address(&self) -> String {
        format!("{}/{MASK}", self.0.origin().ascii_serialization())
    }

    /// A text of the service without the path and the query, in case that the service repeats them.
    pub fn hide_in<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let path = Some(self.0.path()).filter(|path| path.len() > 1);
        let query = self.0.query().filter(|query| !query.is_empty());
        path.into_iter().chain(query).fold(Cow::Borrowed(text), |text, secret| {
            if text.contains(secret) { text.replace(secret, MASK).into() } else { text }
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_and_query_are_hidden() {
        let parse = |url: &str| serde_json::from_value::<SecretUrl>(url.into()).unwrap();
        let url = parse("https://hooks.example.com/a/geheim?sig=versteckt");
        assert_eq!(format!("{url:?}"), "https://hooks.example.com/***");
        for (text, expected) in [
            ("no hook at /a/geheim", "no hook at ***"),
            (
                "https://hooks.example.com/a/geheim?sig=versteckt",
                "https://hooks.example.com***?***",
            ),
            ("sig=versteckt is wrong", "*** is wrong"),
            ("unknown", "unknown"),
        ] {
            assert_eq!(url.hide_in(text), expected, "{text}");
        }
        assert_eq!(parse("https://hooks.example.com/?").hide_in("a / b"), "a / b");
    }
}
