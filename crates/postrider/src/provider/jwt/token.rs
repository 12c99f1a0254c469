//! Compact JSON Web Tokens and their signatures.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

use super::super::{
    PrivateKey, PublicKey, SignedHash, VerifyError, crypto,
    json::{self, Kind},
    model::Hash,
};

/// A signature algorithm. `none` is not supported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum JwtAlgorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
    /// RSA with SHA-256.
    Rs256,
    /// RSA with SHA-512.
    Rs512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

/// A parsed token whose signature has not been verified.
#[derive(Debug)]
pub(super) struct Token<'a> {
    pub(super) algorithm: JwtAlgorithm,
    /// The id of the key.
    pub(super) key_id: Option<String>,
    pub(super) claims: Box<RawValue>,
    /// The signed content: header and claims.
    pub(super) content: &'a str,
    signature: Vec<u8>,
}

#[derive(Deserialize)]
struct Header {
    alg: JwtAlgorithm,
    kid: Option<String>,
    /// Extensions that must be understood; none is supported.
    crit: Option<Value>,
}

impl<'a> Token<'a> {
    pub(super) fn read(text: &'a str) -> Result<Self, VerifyError> {
        let malformed = |reason: &str| VerifyError::Malformed(format!("the token {reason}"));
        let parts = text.rsplit_once('.').and_then(|(content, signature)| {
            let (header, claims) = content.split_once('.')?;
            Some((content, decode(header)?, decode(claims)?, decode(signature)?))
        });
        let (content, header, claims, signature) =
            parts.ok_or_else(|| malformed("does not consist of three parts in base64url"))?;
        let header: Header = serde_json::from_slice(&header)
            .map_err(|_| malformed("has no header with a known algorithm"))?;
        if header.crit.is_some() {
            return Err(malformed("has unknown extensions"));
        }
        let claims =
            json::document(&claims).map_err(|_| malformed("does not contain JSON"))?.to_owned();
        if json::kind(&claims) != Kind::Object {
            return Err(malformed("has no claims"));
        }
        Ok(Self { algorithm: header.alg, key_id: header.kid, claims, content, signature })
    }

    /// Whether the shared secret made the signature.
    pub(super) fn is_signed_with(&self, hash: Hash, secret: &[u8]) -> bool {
        crypto::equal(&crypto::hmac(hash, secret, self.content.as_bytes()), &self.signature)
    }

    /// Whether the key made the signature. A key that does not fit the algorithm never matches.
    pub(super) fn is_signed_by(&self, key: &PublicKey) -> bool {
        let hash = match (self.algorithm, key) {
            (JwtAlgorithm::Rs512, PublicKey::Rsa(_)) => SignedHash::Sha512,
            (JwtAlgorithm::Rs256, PublicKey::Rsa(_))
            | (JwtAlgorithm::EdDsa, PublicKey::Ed25519(_)) => SignedHash::Sha256,
            (JwtAlgorithm::Es256, PublicKey::P256(_)) if self.signature.len() == 64 => {
                SignedHash::Sha256
            },
            _ => return false,
        };
        key.verifies(hash, self.content.as_bytes(), &self.signature)
    }
}

impl JwtAlgorithm {
    /// The hash of an HMAC algorithm.
    pub(super) const fn shared(self) -> Option<Hash> {
        match self {
            Self::Hs256 => Some(Hash::Sha256),
            Self::Hs384 => Some(Hash::Sha384),
            Self::Hs512 => Some(Hash::Sha512),
            Self::Rs256 | Self::Rs512 | Self::Es256 | Self::EdDsa => None,
        }
    }

    /// Whether the algorithm uses keys of this kind.
    pub(super) const fn fits(self, key: &PublicKey) -> bool {
        matches!(
            (self, key),
            (Self::Rs256 | Self::Rs512, PublicKey::Rsa(_))
                | (Self::Es256, PublicKey::P256(_))
                | (Self::EdDsa, PublicKey::Ed25519(_))
        )
    }
}

/// The key that signs a token.
pub(super) enum SigningKey<'a> {
    Shared(Hash, &'a [u8]),
    Private(Box<PrivateKey>),
}

/// Creates a token.
pub(super) fn write(
    algorithm: JwtAlgorithm,
    key_id: &str,
    claims: &RawValue,
    key: &SigningKey<'_>,
) -> String {
    let header = serde_json::json!({ "alg": algorithm, "typ": "JWT", "kid": key_id });
    let content = format!("{}.{}", encode(header.to_string()), encode(claims.get()));
    let signature = match key {
        SigningKey::Shared(hash, secret) => crypto::hmac(*hash, secret, content.as_bytes()),
        SigningKey::Private(key) => {
            let is_long = algorithm == JwtAlgorithm::Rs512;
            let hash = if is_long { SignedHash::Sha512 } else { SignedHash::Sha256 };
            key.sign_flat(hash, content.as_bytes())
        },
    };
    format!("{content}.{}", encode(signature))
}

fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(text).ok()
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}
