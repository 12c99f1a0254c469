//! Secrets for the verification of a source's requests.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, de};

/// A secret as the provider shows it. In requests, a string represents a secret that does not
/// expire.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SourceSecret {
    /// The secret: a signing secret, a public key, a password or an expected token.
    pub key: String,
    /// When the secret expires; never if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl fmt::Debug for SourceSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceSecret").field("until", &self.until).finish_non_exhaustive()
    }
}

impl<'de> Deserialize<'de> for SourceSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

struct Visitor;

impl<'de> de::Visitor<'de> for Visitor {
    type Value = SourceSecret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret, or an object with its `key` and `until`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<SourceSecret, E> {
        Ok(SourceSecret { key: text.to_owned(), until: None })
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<SourceSecret, A::Error> {
        #[derive(Deserialize)]
        struct Wire {
            key: String,
            #[serde(default, deserialize_with = "crate::api::time::deserialize_optional")]
            until: Option<Timestamp>,
        }
        let Wire { key, until } = Wire::deserialize(de::value::MapAccessDeserializer::new(map))?;
        Ok(SourceSecret { key, until })
    }
}

/// The secrets that a source verifies requests with, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SourceSecretsOut {
    /// A request is accepted if any of them verifies it.
    pub secrets: Vec<SourceSecret>,
}

/// Adds a secret; the old ones expire after the grace period.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SourceSecretRotateIn {
    /// The new secret, as the provider shows it.
    pub secret: String,
    /// How long the old secrets stay valid, in seconds; one day if absent, at most seven days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(max = crate::api::endpoint_secret::MAX_GRACE_SECONDS)))]
    pub grace_period_seconds: Option<u32>,
}

impl fmt::Debug for SourceSecretRotateIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceSecretRotateIn")
            .field("grace_period_seconds", &self.grace_period_seconds)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_a_text_or_an_object() {
        let read = serde_json::from_str::<SourceSecret>;
        let plain = SourceSecret { key: "whsec_1".to_owned(), until: None };
        assert_eq!(read(r#""whsec_1""#).unwrap(), plain);
        assert_eq!(read(r#"{"key":"whsec_1"}"#).unwrap(), plain);
        let until = Some(Timestamp::UNIX_EPOCH);
        let ending = read(r#"{"key":"whsec_1","until":"1970-01-01T00:00:00Z"}"#).unwrap();
        assert_eq!(ending, SourceSecret { until, ..plain });
        for wrong in ["7", "[]", "{}", "null"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn debug_does_not_show_the_secret() {
        let secret = SourceSecret { key: "whsec_1".to_owned(), until: None };
        assert!(!format!("{secret:?}").contains("whsec_1"));
    }
}
