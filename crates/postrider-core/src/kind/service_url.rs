//! A URL in a configuration, which may contain a user name and a password.

use std::{fmt, ops::Deref};

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Deserializer, de::Error as _};
use url::Url;

use super::{Credential, secret::without_credentials};

/// A URL that neither `Debug` nor the error for an invalid one shows with its credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct ServiceUrl(Url);

impl Deref for ServiceUrl {
    type Target = Url;

    fn deref(&self) -> &Url {
        &self.0
    }
}

impl fmt::Debug for ServiceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&without_credentials(&self.0))
    }
}

impl<'de> Deserialize<'de> for ServiceUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Like a credential, because the error of `Url` would repeat the text.
        let text = Credential::deserialize(deserializer)?;
        let url = Url::parse(text.reveal())
            .map_err(|error| D::Error::custom(format!("must be a URL: {error}")))?;
        // Without slashes, everything after the scheme is a path, also a password.
        if url.cannot_be_a_base() {
            return Err(D::Error::custom("must be a URL with a host, as in `scheme://host`"));
        }
        Ok(Self(url))
    }
}

/// A part of a URL without its percent-encoding.
pub(super) fn decode(text: &str) -> Result<String, String> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(Into::into).map_err(|_| "must be UTF-8 after percent-decoding".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn credentials_are_in_neither_debug_nor_errors() {
        let url: ServiceUrl = serde_json::from_value(json!("nats://u:geheim@host/x")).unwrap();
        assert_eq!(format!("{url:?}"), "nats://host/x");
        for wrong in [json!("nats://u:geheim@host:x"), json!("u:geheim@host"), json!(["geheim"])] {
            let error = serde_json::from_value::<ServiceUrl>(wrong).unwrap_err().to_string();
            assert!(error.starts_with("must be a ") && !error.contains("geheim"), "{error}");
        }
    }
}
