//! Public keys, in the forms in which providers show them, and the signatures that they verify: RSA
//! (PKCS #1 v1.5), ECDSA on P-256 and Ed25519.

mod certificate;
mod error;
mod private;
mod text;

#[cfg(test)]
mod tests;

use std::{borrow::Cow, str::FromStr};

use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use rsa::{
    BigUint, Pkcs1v15Sign, RsaPublicKey,
    pkcs1::DecodeRsaPublicKey as _,
    pkcs8::{DecodePublicKey as _, EncodePublicKey as _},
    traits::PublicKeyParts as _,
};
use sha1::Sha1;
use sha2::{Sha256, Sha512};

use super::{crypto, hash::Hash};

pub(super) use self::{
    certificate::Certificate,
    text::{decode_base64, decode_hex},
};
pub use self::{error::InvalidKey, private::PrivateKey};

/// Shorter keys have been factored.
const FEWEST_RSA_BITS: usize = 1024;
/// Longer keys only cost CPU time.
const MOST_RSA_BITS: usize = 8192;

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// RSA, with the padding of PKCS #1 v1.5.
    Rsa(RsaPublicKey),
    /// ECDSA on the curve P-256.
    P256(p256::ecdsa::VerifyingKey),
    /// Ed25519.
    Ed25519(ed25519_dalek::VerifyingKey),
}

/// The hash that is signed instead of the content. Ed25519 has its own and ignores this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignedHash {
    /// SHA-1: broken, but some providers use it.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
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

impl PublicKey {
    /// Parses DER: `SubjectPublicKeyInfo`, a certificate, or PKCS #1.
    pub fn from_der(der: &[u8]) -> Result<Self, InvalidKey> {
        Self::from_spki(der)
            .or_else(|_| Certificate::from_der(der).and_then(|it| Self::from_certificate(&it)))
            .or_else(|_| RsaPublicKey::from_pkcs1_der(der).map_err(|_| NO_KEY).and_then(checked))
    }

    /// The certified key.
    pub(super) fn from_certificate(certificate: &Certificate) -> Result<Self, InvalidKey> {
        Self::from_spki(&certificate.spki)
    }

    fn from_spki(der: &[u8]) -> Result<Self, InvalidKey> {
        if let Ok(key) = RsaPublicKey::from_public_key_der(der) {
            return checked(key);
        }
        if let Ok(key) = p256::ecdsa::VerifyingKey::from_public_key_der(der) {
            return Ok(Self::P256(key));
        }
        let key = ed25519_dalek::VerifyingKey::from_public_key_der(der).map_err(|_| NO_KEY)?;
        Ok(Self::Ed25519(key))
    }

    /// Parses a JSON Web Key.
    pub fn from_jwk(jwk: &serde_json::Value) -> Result<Self, InvalidKey> {
        let text = |name: &str| jwk.get(name).and_then(serde_json::Value::as_str);
        let bytes =
            |name: &str| text(name).and_then(decode_base64).ok_or(InvalidKey("JWK lacks a part"));
        match (text("kty"), text("crv")) {
            (Some("RSA"), _) => {
                let (n, e) =
                    (BigUint::from_bytes_be(&bytes("n")?), BigUint::from_bytes_be(&bytes("e")?));
                let key = RsaPublicKey::new_with_max_size(n, e, MOST_RSA_BITS);
                key.map_err(|_| InvalidKey("JWK is not an RSA key")).and_then(checked)
            },
            (Some("EC"), Some("P-256")) => {
                let point = [vec![4], bytes("x")?, bytes("y")?].concat();
                let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(&point);
                key.map(Self::P256).map_err(|_| InvalidKey("JWK is not a point of P-256"))
            },
            (Some("OKP"), Some("Ed25519")) => Self::from_ed25519(&bytes("x")?),
            _ => Err(InvalidKey("JWK is not of a kind that is known: RSA, P-256 or Ed25519")),
        }
    }

    fn from_ed25519(raw: &[u8]) -> Result<Self, InvalidKey> {
        let raw = raw.try_into().map_err(|_| InvalidKey("Ed25519 key must have 32 bytes"))?;
        let key = ed25519_dalek::VerifyingKey::from_bytes(raw);
        key.map(Self::Ed25519).map_err(|_| InvalidKey("key is not a point of Ed25519"))
    }

    /// Verifies a signature over the content. An ECDSA signature may be in DER or consist of its
    /// two numbers.
    pub fn verifies(&self, hash: SignedHash, content: &[u8], signature: &[u8]) -> bool {
        self.verifies_any(hash, &[content], &[signature])
    }

    /// Whether any of the signatures is valid for all pieces together.
    pub(super) fn verifies_any<T: AsRef<[u8]>, S: AsRef<[u8]>>(
        &self,
        hash: SignedHash,
        pieces: &[T],
        signatures: &[S],
    ) -> bool {
        let any = |verifies: &dyn Fn(&[u8]) -> bool| {
            signatures.iter().fold(false, |found, it| verifies(it.as_ref()) | found)
        };
        match self {
            Self::Rsa(key) => {
                let digest = hash.of(pieces);
                any(&|it| key.verify(hash.padding(), &digest, it).is_ok())
            },
            Self::P256(key) => {
                let digest = hash.of(pieces);
                any(&|signature| {
                    p256::ecdsa::Signature::from_der(signature)
                        .or_else(|_| p256::ecdsa::Signature::from_slice(signature))
                        .is_ok_and(|it| key.verify_prehash(&digest, &it).is_ok())
                })
            },
            Self::Ed25519(key) => {
                let content = whole(pieces);
                any(&|signature| {
                    ed25519_dalek::Signature::from_slice(signature)
                        .is_ok_and(|it| key.verify_strict(&content, &it).is_ok())
                })
            },
        }
    }

    /// The key as `SubjectPublicKeyInfo` in PEM.
    pub fn to_pem(&self) -> String {
        let der = match self {
            Self::Rsa(key) => key.to_public_key_der(),
            Self::P256(key) => key.to_public_key_der(),
            Self::Ed25519(key) => key.to_public_key_der(),
        };
        text::write_pem("PUBLIC KEY", der.expect("a key that was read can be written").as_bytes())
    }
}

const NO_KEY: InvalidKey = InvalidKey("is not a public key of RSA, P-256 or Ed25519");

/// Parses PEM (a key or a certificate), DER in base64, an Ed25519 key in hex, base64 or as
/// `whpk_…`, or a JSON Web Key.
impl FromStr for PublicKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let text = text.trim();
        if text.starts_with('{') {
            let jwk = serde_json::from_str(text).map_err(|_| InvalidKey("is not a JWK"))?;
            return Self::from_jwk(&jwk);
        }
        if text.contains("PRIVATE KEY") {
            return Err(InvalidKey("is a private key; the public key is wanted"));
        }
        if let Some((_, der)) = text::read_pem(text) {
            return Self::from_der(&der);
        }
        let bytes = text::decode(text.strip_prefix("whpk_").unwrap_or(text));
        match bytes.ok_or(NO_KEY)?.as_slice() {
            raw if raw.len() == 32 => Self::from_ed25519(raw),
            der => Self::from_der(der),
        }
    }
}

/// Joins the pieces, which copies only if there are several.
fn whole<T: AsRef<[u8]>>(pieces: &[T]) -> Cow<'_, [u8]> {
    match pieces {
        [one] => Cow::Borrowed(one.as_ref()),
        more => more.iter().map(AsRef::as_ref).collect::<Vec<_>>().concat().into(),
    }
}

fn checked(key: RsaPublicKey) -> Result<PublicKey, InvalidKey> {
    if key.n().bits() < FEWEST_RSA_BITS {
        return Err(InvalidKey("RSA key has fewer than 1024 bits"));
    }
    Ok(PublicKey::Rsa(key))
}

impl SignedHash {
    fn of<T: AsRef<[u8]>>(self, pieces: &[T]) -> Vec<u8> {
        let hash = match self {
            Self::Sha1 => Hash::Sha1,
            Self::Sha256 => Hash::Sha256,
            Self::Sha512 => Hash::Sha512,
        };
        crypto::digest_of(hash, pieces)
    }

    fn padding(self) -> Pkcs1v15Sign {
        match self {
            Self::Sha1 => Pkcs1v15Sign::new::<Sha1>(),
            Self::Sha256 => Pkcs1v15Sign::new::<Sha256>(),
            Self::Sha512 => Pkcs1v15Sign::new::<Sha512>(),
        }
    }
}
