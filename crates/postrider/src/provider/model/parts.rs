//! The small parts of models, and their short forms in JSON.

use std::{fmt, marker::PhantomData};

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{
        Error, MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, SeqAccessDeserializer, StrDeserializer},
    },
};

use super::super::{public_key::SignedHash, selector::Selector};

/// A hash function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Hash {
    /// SHA-256.
    #[default]
    Sha256,
    /// SHA-1.
    Sha1,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
    /// MD5.
    Md5,
}

/// An encoding of bytes as text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// In upper or lower case.
    #[default]
    Hex,
    /// With or without padding.
    Base64,
    /// With `-` and `_`; with or without padding.
    Base64url,
}

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

impl From<Hash> for Option<SignedHash> {
    /// The hash for signatures with public keys.
    fn from(hash: Hash) -> Self {
        match hash {
            Hash::Sha1 => Some(SignedHash::Sha1),
            Hash::Sha256 => Some(SignedHash::Sha256),
            Hash::Sha512 => Some(SignedHash::Sha512),
            Hash::Sha384 | Hash::Md5 => None,
        }
    }
}

const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const BASE64URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);

impl Encoding {
    /// Decodes the text, if it is valid.
    pub fn decode(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Hex => decode_hex(text),
            Self::Base64 => BASE64.decode(text).ok(),
            Self::Base64url => BASE64URL.decode(text).ok(),
        }
    }

    /// Encodes the bytes as most providers do.
    pub fn encode(self, bytes: &[u8]) -> String {
        match self {
            Self::Hex => encode_hex(bytes),
            Self::Base64 => BASE64.encode(bytes),
            Self::Base64url => BASE64URL.encode(bytes),
        }
    }
}

fn decode_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |it: &u8| char::from(*it).to_digit(16).and_then(|it| u8::try_from(it).ok());
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes().chunks_exact(2).map(|it| Some(digit(&it[0])? << 4 | digit(&it[1])?)).collect()
}

fn encode_hex(bytes: &[u8]) -> String {
    let digit = |it: u8| char::from_digit(it.into(), 16).expect("four bits are a digit");
    bytes.iter().flat_map(|it| [digit(it >> 4), digit(it & 15)]).collect()
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
