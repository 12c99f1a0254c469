//! Private keys, for tests, for `postrider trigger`, and for the few providers that require a
//! signed acknowledgement.

use std::{fmt, str::FromStr};

use ed25519_dalek::Signer as _;
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use rsa::{RsaPrivateKey, pkcs1::DecodeRsaPrivateKey as _, pkcs8::DecodePrivateKey as _};
use zeroize::Zeroizing;

use super::{InvalidKey, PublicKey, SignedHash, checked, text};

/// A private key, which `Debug` does not show.
#[derive(Clone)]
pub struct PrivateKey(Inner);

#[derive(Clone)]
enum Inner {
    Rsa(Box<RsaPrivateKey>),
    P256(p256::ecdsa::SigningKey),
    Ed25519(ed25519_dalek::SigningKey),
}

impl PrivateKey {
    /// The public key.
    pub fn public_key(&self) -> PublicKey {
        match &self.0 {
            Inner::Rsa(key) => PublicKey::Rsa(key.to_public_key()),
            Inner::P256(key) => PublicKey::P256(*key.verifying_key()),
            Inner::Ed25519(key) => PublicKey::Ed25519(key.verifying_key()),
        }
    }

    /// Signs the content. ECDSA signatures are in DER.
    pub fn sign(&self, hash: SignedHash, content: &[u8]) -> Vec<u8> {
        match &self.0 {
            Inner::Rsa(key) => sign_rsa(key, hash, content),
            Inner::P256(key) => sign_p256(key, hash, content).to_der().as_bytes().to_vec(),
            Inner::Ed25519(key) => key.sign(content).to_vec(),
        }
    }

    /// Signs the content. ECDSA signatures consist of their two numbers.
    pub fn sign_flat(&self, hash: SignedHash, content: &[u8]) -> Vec<u8> {
        match &self.0 {
            Inner::Rsa(key) => sign_rsa(key, hash, content),
            Inner::P256(key) => sign_p256(key, hash, content).to_vec(),
            Inner::Ed25519(key) => key.sign(content).to_vec(),
        }
    }
}

fn sign_rsa(key: &RsaPrivateKey, hash: SignedHash, content: &[u8]) -> Vec<u8> {
    key.sign(hash.padding(), &hash.of(&[content])).expect("a key of 1024 bits takes any hash")
}

fn sign_p256(
    key: &p256::ecdsa::SigningKey,
    hash: SignedHash,
    content: &[u8],
) -> p256::ecdsa::Signature {
    key.sign_prehash(&hash.of(&[content])).expect("every hash is long enough for P-256")
}

/// Parses PKCS #8 in PEM or base64, the older formats of RSA and elliptic curves, or an Ed25519 key
/// in hex, base64 or as `whsk_…`.
impl FromStr for PrivateKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let text = text.trim();
        if let Some((_, der)) = text::read_pem(text) {
            return from_der(&Zeroizing::new(der));
        }
        let bytes = text::decode(text.strip_prefix("whsk_").unwrap_or(text));
        let bytes = Zeroizing::new(bytes.ok_or(NO_KEY)?);
        match bytes.first_chunk::<32>() {
            Some(seed) if bytes.len() == 32 || bytes.len() == 64 => {
                Ok(Self(Inner::Ed25519(ed25519_dalek::SigningKey::from_bytes(seed))))
            },
            Some(_) | None => from_der(&bytes),
        }
    }
}

const NO_KEY: InvalidKey = InvalidKey("is not a private key of RSA, P-256 or Ed25519");

fn from_der(der: &[u8]) -> Result<PrivateKey, InvalidKey> {
    let rsa = RsaPrivateKey::from_pkcs8_der(der).ok();
    if let Some(key) = rsa.or_else(|| RsaPrivateKey::from_pkcs1_der(der).ok()) {
        checked(key.to_public_key())?;
        return Ok(PrivateKey(Inner::Rsa(Box::new(key))));
    }
    let p256 = p256::SecretKey::from_pkcs8_der(der).ok();
    if let Some(key) = p256.or_else(|| p256::SecretKey::from_sec1_der(der).ok()) {
        return Ok(PrivateKey(Inner::P256(key.into())));
    }
    let key = ed25519_dalek::SigningKey::from_pkcs8_der(der).map_err(|_| NO_KEY)?;
    Ok(PrivateKey(Inner::Ed25519(key)))
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PrivateKey").field(&self.public_key()).finish()
    }
}
