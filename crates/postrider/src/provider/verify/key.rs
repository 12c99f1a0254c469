//! Keys parsed from secrets.

use zeroize::Zeroizing;

use super::{
    super::{
        crypto,
        model::{Encoding, Hash, KeyFormat},
        public_key::{PublicKey, SignedHash},
        work,
    },
    Algorithm,
};
use crate::signature::SECRET_PREFIX;

/// A parsed secret.
pub(super) enum Key {
    Hmac(Zeroizing<Vec<u8>>),
    Digest(Zeroizing<Vec<u8>>),
    Public(PublicKey),
}

impl Key {
    /// Parses the secret. The error says what is wrong with it.
    pub(super) fn read(
        text: &str,
        algorithm: Algorithm,
        format: KeyFormat,
    ) -> Result<Self, String> {
        match algorithm {
            Algorithm::Hmac => hmac_key(text, format).map(Self::Hmac).map_err(str::to_owned),
            Algorithm::Digest => hmac_key(text, format).map(Self::Digest).map_err(str::to_owned),
            Algorithm::Ed25519 | Algorithm::Ecdsa | Algorithm::Rsa => {
                let key: PublicKey = text.parse().map_err(|it| format!("it {it}"))?;
                fits(&key, algorithm)
                    .then_some(Self::Public(key))
                    .ok_or_else(|| format!("it is not a key for {}", name(algorithm)))
            },
        }
    }

    /// The secret's bytes, for content that includes them.
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Hmac(key) | Self::Digest(key) => key,
            Self::Public(_) => &[],
        }
    }

    /// The cost of checking this many candidates for content of this length, in bytes read.
    pub(super) fn cost(&self, length: usize, candidates: usize) -> usize {
        match self {
            Self::Hmac(_) | Self::Digest(_) => length,
            // Ed25519 hashes the content together with each signature.
            Self::Public(PublicKey::Ed25519(_)) => (length + work::PUBLIC_KEY) * candidates,
            Self::Public(_) => length + work::PUBLIC_KEY * candidates,
        }
    }

    /// Whether any candidate is this key's signature. All of them are checked.
    pub(super) fn matches<T: AsRef<[u8]>>(
        &self,
        hash: Hash,
        content: &[T],
        candidates: &[Vec<u8>],
    ) -> bool {
        let among = |expected: &[u8]| {
            candidates.iter().fold(false, |found, it| crypto::equal(expected, it) | found)
        };
        match self {
            Self::Hmac(key) => among(&crypto::hmac_of(hash, key, content)),
            Self::Digest(_) => among(&crypto::digest_of(hash, content)),
            Self::Public(key) => {
                let Some(hash): Option<SignedHash> = hash.into() else { return false };
                key.verifies_any(hash, content, candidates)
            },
        }
    }
}

const fn fits(key: &PublicKey, algorithm: Algorithm) -> bool {
    matches!(
        (key, algorithm),
        (PublicKey::Rsa(_), Algorithm::Rsa)
            | (PublicKey::P256(_), Algorithm::Ecdsa)
            | (PublicKey::Ed25519(_), Algorithm::Ed25519)
    )
}

const fn name(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Hmac => "HMAC",
        Algorithm::Digest => "a digest",
        Algorithm::Ed25519 => "Ed25519",
        Algorithm::Ecdsa => "ECDSA on P-256",
        Algorithm::Rsa => "RSA",
    }
}

/// The bytes of a shared secret.
pub(in super::super) fn hmac_key(
    text: &str,
    format: KeyFormat,
) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    // Pasted secrets often have whitespace around them; providers' secrets never do.
    let text = text.trim();
    let key = match format {
        KeyFormat::Base64 => Encoding::Base64.decode(text).ok_or("it is not base64"),
        KeyFormat::Hex => Encoding::Hex.decode(text).ok_or("it is not hex"),
        KeyFormat::Whsec => {
            // Supabase shows its secrets after the version of the signature.
            let text = text.strip_prefix("v1,").unwrap_or(text);
            let text = text.strip_prefix(SECRET_PREFIX).unwrap_or(text);
            Encoding::Base64.decode(text).ok_or("it is not base64 after whsec_")
        },
        KeyFormat::Utf8 | KeyFormat::Whpk | KeyFormat::Pem | KeyFormat::SpkiBase64 => {
            Ok(text.as_bytes().to_vec())
        },
    };
    match key {
        Ok(key) if key.is_empty() => Err("it is empty"),
        other => other.map(Zeroizing::new),
    }
}
