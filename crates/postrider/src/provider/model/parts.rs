//! The small parts of models, and their short forms in JSON.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{
        Error, MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, SeqAccessDeserializer, StrDeserializer},
    },
};

use super::super::selector::Selector;

/// The encoding of a secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyFormat {
    /// The text itself.
    #[default]
    Utf8,
    /// Base64 of the key.
    Base64,
    /// Hex of the key.
    Hex,
    /// `whsec_` and base64 of the key.
    Whsec,
    /// `whpk_` and base64 of an Ed25519 key.
    Whpk,
    /// PEM of a public key or a certificate.
    Pem,
    /// Base64 of a public key in DER.
    SpkiBase64,
}

/// The time at which a request was signed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Timestamp {
    /// The location of the time.
    pub source: Selector,
    /// The format of the time.
    #[serde(default)]
    pub unit: Unit,
    /// Maximum age in seconds. Without it, the age is not checked.
    #[serde(default)]
    pub tolerance_s: Option<u64>,
    /// How many seconds the time may be in the future; by default the same as the maximum age.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub future_s: Option<u64>,
}

/// The format of a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Seconds since 1970.
    #[default]
    S,
    /// Milliseconds since 1970.
    Ms,
    /// Seconds or milliseconds, depending on the size of the number.
    SOrMs,
    /// `2026-01-31T12:00:00.123456789+02:00`.
    Rfc3339,
}

/// Deserializes a single value or a list.
pub(super) fn one_or_many<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_any(OneOrMany(PhantomData))
}

struct OneOrMany<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrMany<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one, or a list")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        T::deserialize(StrDeserializer::new(text)).map(|it| vec![it])
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(|it| vec![it])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list))
    }
}
