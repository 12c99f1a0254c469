//! Keys that verify signatures, and the content that they sign.

use ed25519_dalek::{Signature, VerifyingKey};
use hmac::Mac as _;
use subtle::{Choice, ConstantTimeEq as _};

use super::{ED25519, Headers, Mac, SYMMETRIC, decode};

/// Maximum number of signatures that are checked per header; senders need far fewer.
const MAX_SIGNATURES: usize = 64;

#[derive(Clone)]
pub(super) enum Key {
    Symmetric(Mac),
    Ed25519(VerifyingKey),
}

impl Key {
    pub(super) fn matches(&self, headers: &Headers<'_>, body: &[u8]) -> Choice {
        match self {
            Self::Symmetric(mac) => {
                let Headers { id, timestamp, signature } = *headers;
                let expected = content_mac(mac, id, timestamp, body).into_bytes();
                signatures(signature, SYMMETRIC)
                    .map(|given| expected.as_slice().ct_eq(&given))
                    .fold(Choice::from(0), |matched, it| matched | it)
            },
            Self::Ed25519(key) => {
                let content = content(headers.id, headers.timestamp, body);
                // Public keys are not secret, so the timing may reveal the result.
                let matched = signatures(headers.signature, ED25519)
                    .filter_map(|given| Signature::from_slice(&given).ok())
                    .any(|given| key.verify_strict(&content, &given).is_ok());
                Choice::from(u8::from(matched))
            },
        }
    }
}

/// The decoded signatures of one version. Other versions and malformed signatures are skipped: a
/// sender may add signatures that this library does not know.
fn signatures<'a>(header: &'a str, version: &'a str) -> impl Iterator<Item = Vec<u8>> + 'a {
    header
        .split(' ')
        .take(MAX_SIGNATURES)
        .filter_map(|entry| entry.split_once(','))
        .filter(move |(given, _)| *given == version)
        .filter_map(|(_, signature)| decode(signature))
}

/// The HMAC of the signed content, without concatenating it first.
pub(super) fn content_mac(
    mac: &Mac,
    id: &str,
    timestamp: &str,
    body: &[u8],
) -> hmac::digest::CtOutput<Mac> {
    let mut mac = mac.clone();
    mac.update(id.as_bytes());
    mac.update(b".");
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    mac.finalize()
}

/// The signed content in one piece, which Ed25519 needs.
pub(super) fn content(id: &str, timestamp: &str, body: &[u8]) -> Vec<u8> {
    [id.as_bytes(), timestamp.as_bytes(), body].join(&b'.')
}
