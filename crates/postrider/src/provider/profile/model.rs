//! The form of signing models and of the records of known profiles.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{
    super::{Confidence, Encoding, KeyFormat, Model, Scheme, Signature},
    HeaderTemplate,
};

/// A known signing profile.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SigningProfile {
    /// The id in the API and in commands: `convoy`.
    pub id: String,
    /// The display name.
    pub name: String,
    /// The URL of the documentation that receivers followed.
    pub docs: String,
    /// How well the model is confirmed.
    pub confidence: Confidence,
    /// What to know before using it.
    pub notes: String,
    /// The form of its secret.
    pub secret: String,
    /// How requests are signed.
    pub model: SigningModel,
}

/// How requests are signed, and which other headers they have.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SigningModel {
    /// The scheme, as a model that verifies the requests would describe it.
    pub sign: Scheme,
    /// Further parts of the signature's header, by name, with fixed values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
    /// Further headers of every request, by name in lower case.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, HeaderTemplate>,
    /// What requests have while a secret is rotated.
    #[serde(default)]
    pub rotation: Rotation,
    /// The form of generated secrets.
    #[serde(default)]
    pub generate: SecretForm,
}

/// What requests have while a secret is rotated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rotation {
    /// The signature with the newest secret alone.
    #[default]
    Newest,
    /// Another item of the header for each secret: `v1=…,v1=…`.
    Repeat,
    /// The signatures in one item of the header, separated by commas: `v0=…,…`.
    Join,
    /// The signature with the newest of the old secrets in a header of its own.
    Header(String),
}

/// The form of generated secrets that are text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SecretForm {
    /// 64 hexadecimal digits.
    #[default]
    Hex,
    /// A UUID (version 4).
    Uuid,
    /// `whsec_` and 64 hexadecimal digits.
    WhsecHex,
}

impl SigningModel {
    /// The model that verifies the requests, with their event types and ids.
    pub fn verifier(&self) -> Model {
        Model { verify: vec![self.sign.clone()], ..Model::default() }
    }

    /// The signature of the scheme. A valid signing model has one.
    pub(super) const fn signature(&self) -> Option<&Signature> {
        self.sign.signature()
    }

    /// Whether secrets are private keys, so that receivers verify with a public key.
    pub const fn is_asymmetric(&self) -> bool {
        matches!(self.sign, Scheme::Ed25519(_) | Scheme::Ecdsa(_) | Scheme::Rsa(_))
    }

    /// A new secret from random bytes, if secrets of the model can be generated: those that
    /// receivers share.
    pub fn generate(&self, random: [u8; 32]) -> Option<Zeroizing<String>> {
        let random = Zeroizing::new(random);
        let signature = self.signature().filter(|_| !self.is_asymmetric())?;
        let text = match signature.key {
            KeyFormat::Utf8 => self.generate.of(&random),
            KeyFormat::Hex => Encoding::Hex.encode(random.as_slice()),
            KeyFormat::Base64 => Encoding::Base64.encode(random.as_slice()),
            KeyFormat::Whsec => format!("whsec_{}", Encoding::Base64.encode(random.as_slice())),
            KeyFormat::Whpk | KeyFormat::Pem | KeyFormat::SpkiBase64 => return None,
        };
        Some(Zeroizing::new(text))
    }
}

impl SecretForm {
    fn of(self, random: &[u8; 32]) -> String {
        match self {
            Self::Hex => Encoding::Hex.encode(random),
            Self::WhsecHex => format!("whsec_{}", Encoding::Hex.encode(random)),
            Self::Uuid => uuid(random),
        }
    }
}

/// A random UUID: version 4 of RFC 9562.
fn uuid(random: &[u8; 32]) -> String {
    let mut bytes = *random.first_chunk::<16>().expect("there are 32 bytes");
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = Encoding::Hex.encode(&bytes);
    let group = |range| hex.get(range).unwrap_or_default();
    [group(0..8), group(8..12), group(12..16), group(16..20), group(20..32)].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_secrets_have_the_form_of_the_system() {
        let random = [0xff; 32];
        assert_eq!(uuid(&random), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(SecretForm::Hex.of(&random), "f".repeat(64));
        assert_eq!(SecretForm::WhsecHex.of(&random), format!("whsec_{}", "f".repeat(64)));
    }
}
