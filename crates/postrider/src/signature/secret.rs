//! Secrets: parsing, generating, and signing.

use std::{fmt, str::FromStr};

use base64::Engine as _;
use ed25519_dalek::{Signer as _, SigningKey};
use hmac::Mac as _;
use zeroize::Zeroizing;

use super::{
    BASE64, ED25519, Mac, PRIVATE_KEY_PREFIX, PUBLIC_KEY_PREFIX, SECRET_PREFIX, SYMMETRIC, decode,
    key::{Key, content, content_mac},
};

/// Length of a shared secret in bytes. The specification ends at 64; the Svix API has always
/// accepted up to 75, and such secrets are in use.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=75;

/// The kind of a secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// A shared secret: the receiver could also sign with it.
    #[default]
    Symmetric,
    /// A private key: the receiver has only the public key.
    Ed25519,
}

/// A signing secret. Only [`Secret::reveal`] shows it.
#[derive(Clone)]
pub struct Secret(Inner);

#[derive(Clone)]
enum Inner {
    Symmetric { key: Zeroizing<Vec<u8>>, mac: Mac },
    Ed25519(SigningKey),
}

/// The text is not a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSecret {
    /// The text after the prefix is not base64.
    #[error("secret is not base64 after its prefix")]
    Base64,
    /// A shared secret is too short to be safe, or too long.
    #[error("secret must have 24 to 75 bytes, not {0}")]
    Length(usize),
    /// A private key does not have 32 or 64 bytes.
    #[error("private key must have 32 bytes, or 64 with its public key, not {0}")]
    PrivateKeyLength(usize),
    /// The second half of a private key is not the public key of the first.
    #[error("the two halves of the private key do not belong together")]
    Mismatch,
    /// The text is a public key.
    #[error("a public key cannot sign; use a secret that begins with whsec_ or whsk_")]
    PublicKey,
    /// The bytes are not a public key.
    #[error("public key is not a point of the curve")]
    NoPublicKey,
}

impl Secret {
    /// Generates a secret from random bytes.
    pub fn generate(kind: Kind, random: [u8; 32]) -> Self {
        let random = Zeroizing::new(random);
        match kind {
            Kind::Symmetric => Self::symmetric(Zeroizing::new(random.to_vec())),
            Kind::Ed25519 => Self(Inner::Ed25519(SigningKey::from_bytes(&random))),
        }
    }

    /// The kind of the secret.
    pub const fn kind(&self) -> Kind {
        match self.0 {
            Inner::Symmetric { .. } => Kind::Symmetric,
            Inner::Ed25519(_) => Kind::Ed25519,
        }
    }

    /// The secret as text: `whsec_…`, or `whsk_…` with the public key in its second half.
    pub fn reveal(&self) -> String {
        match &self.0 {
            Inner::Symmetric { key, .. } => write(SECRET_PREFIX, key),
            Inner::Ed25519(key) => {
                write(PRIVATE_KEY_PREFIX, Zeroizing::new(key.to_keypair_bytes()).as_slice())
            },
        }
    }

    /// The public key as text, `whpk_…`; a shared secret has none.
    pub fn public_key(&self) -> Option<String> {
        match &self.0 {
            Inner::Symmetric { .. } => None,
            Inner::Ed25519(key) => Some(write(PUBLIC_KEY_PREFIX, key.verifying_key().as_bytes())),
        }
    }

    /// Signs one message: `v1,…` or `v1a,…`.
    pub fn sign(&self, id: &str, at_seconds: u64, body: &[u8]) -> String {
        let mut header = String::with_capacity(96);
        self.sign_into(&mut header, id, &at_seconds.to_string(), body);
        header
    }

    fn sign_into(&self, header: &mut String, id: &str, timestamp: &str, body: &[u8]) {
        match &self.0 {
            Inner::Symmetric { mac, .. } => {
                header.push_str(SYMMETRIC);
                header.push(',');
                let tag = content_mac(mac, id, timestamp, body).into_bytes();
                BASE64.encode_string(tag, header);
            },
            Inner::Ed25519(key) => {
                header.push_str(ED25519);
                header.push(',');
                let signature = key.sign(&content(id, timestamp, body));
                BASE64.encode_string(signature.to_bytes(), header);
            },
        }
    }

    fn symmetric(key: Zeroizing<Vec<u8>>) -> Self {
        let mac = Mac::new_from_slice(&key).expect("HMAC takes keys of any length");
        Self(Inner::Symmetric { key, mac })
    }

    fn private(bytes: &[u8]) -> Result<Self, InvalidSecret> {
        let key = match *bytes {
            ref seed if seed.len() == 32 => {
                SigningKey::from_bytes(seed.try_into().expect("the length was checked"))
            },
            ref pair if pair.len() == 64 => {
                SigningKey::from_keypair_bytes(pair.try_into().expect("the length was checked"))
                    .map_err(|_| InvalidSecret::Mismatch)?
            },
            _ => return Err(InvalidSecret::PrivateKeyLength(bytes.len())),
        };
        Ok(Self(Inner::Ed25519(key)))
    }

    /// The key that verifies this secret's signatures.
    pub(super) fn as_key(&self) -> Key {
        match &self.0 {
            Inner::Symmetric { mac, .. } => Key::Symmetric(mac.clone()),
            Inner::Ed25519(key) => Key::Ed25519(key.verifying_key()),
        }
    }
}

impl FromStr for Secret {
    type Err = InvalidSecret;

    /// Parses `whsec_…`, the same without its prefix, or `whsk_…`. Whitespace around it is ignored.
    fn from_str(text: &str) -> Result<Self, InvalidSecret> {
        let text = text.trim();
        if let Some(private) = text.strip_prefix(PRIVATE_KEY_PREFIX) {
            let bytes = Zeroizing::new(decode(private).ok_or(InvalidSecret::Base64)?);
            return Self::private(&bytes);
        }
        if text.starts_with(PUBLIC_KEY_PREFIX) {
            return Err(InvalidSecret::PublicKey);
        }
        let shared = text.strip_prefix(SECRET_PREFIX).unwrap_or(text);
        let key = Zeroizing::new(decode(shared).ok_or(InvalidSecret::Base64)?);
        if !SECRET_BYTES.contains(&key.len()) {
            return Err(InvalidSecret::Length(key.len()));
        }
        Ok(Self::symmetric(key))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Secret").field(&self.kind()).finish()
    }
}

/// The signature header of one message: a signature for each secret.
pub fn signature_header(secrets: &[&Secret], id: &str, at_seconds: u64, body: &[u8]) -> String {
    let timestamp = at_seconds.to_string();
    let mut header = String::with_capacity(96 * secrets.len());
    for secret in secrets {
        if !header.is_empty() {
            header.push(' ');
        }
        secret.sign_into(&mut header, id, &timestamp, body);
    }
    header
}

fn write(prefix: &str, bytes: &[u8]) -> String {
    let mut text = prefix.to_owned();
    BASE64.encode_string(bytes, &mut text);
    text
}
