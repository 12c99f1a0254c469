//! The input of the `sign` functions, with helpers that they share.

use std::str::FromStr;

use serde_json::value::RawValue;

use super::super::{PrivateKey, Settings, SignError, SignedRequest, UnsignedRequest, json};
use super::encode;

/// A request to sign.
pub(super) struct SigningContext<'a> {
    pub(super) settings: &'a Settings,
    pub(super) draft: UnsignedRequest,
    pub(super) now_seconds: u64,
}

impl SigningContext<'_> {
    /// The first secret.
    pub(super) fn secret(&self) -> Result<&str, SignError> {
        self.settings.secrets.first().map(|it| it.as_str()).ok_or(SignError::NoSecret)
    }

    /// The first secret as a private key.
    pub(super) fn key(&self) -> Result<PrivateKey, SignError> {
        read_key(self.secret()?)
    }

    /// Parses a parameter as a private key, where the secrets are something else.
    pub(super) fn parameter_key(&self, name: &'static str) -> Result<PrivateKey, SignError> {
        read_key(self.parameter(name)?)
    }

    pub(super) fn parameter(&self, name: &'static str) -> Result<&str, SignError> {
        self.settings.parameter(name).ok_or(SignError::Parameter(name))
    }

    /// The signing time in RFC 3339.
    pub(super) fn now_rfc3339(&self) -> String {
        encode::rfc3339(self.now_seconds)
    }

    /// Parses the body as JSON.
    pub(super) fn json(&self) -> Result<Box<RawValue>, SignError> {
        let document = json::document(&self.draft.body);
        document.map(ToOwned::to_owned).map_err(|it| SignError::Body(it.to_string()))
    }

    /// The body as text.
    pub(super) fn text(&self) -> Result<&str, SignError> {
        std::str::from_utf8(&self.draft.body).map_err(|it| SignError::Body(it.to_string()))
    }

    /// Builds the request with a content type and these headers.
    pub(super) fn signed(self, content_type: &str, headers: &[(&str, &str)]) -> SignedRequest {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let content_type = ("content-type", content_type);
        SignedRequest {
            method: "POST".to_owned(),
            url: self.draft.url,
            headers: [content_type].iter().chain(headers).map(owned).collect(),
            body: self.draft.body,
        }
    }
}

fn read_key(text: &str) -> Result<PrivateKey, SignError> {
    PrivateKey::from_str(text).map_err(|it| SignError::Secret(it.to_string()))
}

pub(super) const JSON: &str = "application/json";
pub(super) const FORM: &str = "application/x-www-form-urlencoded";
