//! Verification with secrets or public keys.

use std::time::Duration;

use ed25519_dalek::{Signature, VerifyingKey};
use subtle::{Choice, ConstantTimeEq as _};

use super::{
    ED25519, InvalidSecret, Mac, PUBLIC_KEY_PREFIX, SYMMETRIC, Secret, decode,
    secret::{content, content_mac},
};

/// The customary tolerance between the clocks of sender and receiver.
pub const TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// Maximum number of signatures that are checked per header; senders need far fewer.
const MAX_SIGNATURES: usize = 64;

/// The three signature headers of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headers<'a> {
    /// `webhook-id`: the id of the message, the same for every attempt.
    pub id: &'a str,
    /// `webhook-timestamp`: the time of the attempt, in seconds since the Unix epoch.
    pub timestamp: &'a str,
    /// `webhook-signature`: one or more signatures, separated by spaces.
    pub signature: &'a str,
}

impl<'a> Headers<'a> {
    /// Finds the headers by name: `webhook-*`, or `svix-*` if there are none. `header` gets names
    /// in lower case.
    pub fn find(header: impl Fn(&str) -> Option<&'a str>) -> Result<Self, VerifyError> {
        let either = |standard, svix| header(standard).or_else(|| header(svix));
        Ok(Self {
            id: either("webhook-id", "svix-id").ok_or(VerifyError::Missing("webhook-id"))?,
            timestamp: either("webhook-timestamp", "svix-timestamp")
                .ok_or(VerifyError::Missing("webhook-timestamp"))?,
            signature: either("webhook-signature", "svix-signature")
                .ok_or(VerifyError::Missing("webhook-signature"))?,
        })
    }
}

/// Why a webhook was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// A header is missing.
    #[error("header {0} is missing")]
    Missing(&'static str),
    /// The timestamp is not a number of seconds.
    #[error("timestamp is not a number of seconds")]
    Timestamp,
    /// The webhook was signed too long ago; it may be a replay.
    #[error("timestamp is too old")]
    TooOld,
    /// The webhook was signed in the future.
    #[error("timestamp is too new")]
    TooNew,
    /// No signature matches: another secret, or another body.
    #[error("no signature matches")]
    Signature,
}

/// Verifies signatures with one or more secrets or public keys; one match is enough.
#[derive(Clone)]
pub struct Verifier {
    keys: Vec<Key>,
}

#[derive(Clone)]
pub(super) enum Key {
    Symmetric(Mac),
    Ed25519(VerifyingKey),
}

impl Verifier {
    /// Parses secrets (`whsec_…`) and public keys (`whpk_…`).
    pub fn new<'a>(keys: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidSecret> {
        let keys = keys.into_iter().map(Key::parse).collect::<Result<_, _>>()?;
        Ok(Self { keys })
    }

    /// Checks that the webhook was signed with one of the secrets, shortly before `now_seconds`.
    pub fn verify(
        &self,
        headers: &Headers<'_>,
        body: &[u8],
        now_seconds: u64,
        tolerance: Duration,
    ) -> Result<(), VerifyError> {
        check_time(headers.timestamp, now_seconds, tolerance)?;
        // All keys are tried, even after a match, so that the timing does not reveal which one
        // matched.
        let matched = self
            .keys
            .iter()
            .fold(Choice::from(0), |matched, key| matched | key.matches(headers, body));
        if bool::from(matched) { Ok(()) } else { Err(VerifyError::Signature) }
    }
}

impl From<&Secret> for Verifier {
    fn from(secret: &Secret) -> Self {
        Self { keys: vec![secret.as_key()] }
    }
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier").field("keys", &self.keys.len()).finish()
    }
}

impl Key {
    fn parse(text: &str) -> Result<Self, InvalidSecret> {
        let text = text.trim();
        let Some(public) = text.strip_prefix(PUBLIC_KEY_PREFIX) else {
            return Ok(text.parse::<Secret>()?.as_key());
        };
        let bytes = decode(public).ok_or(InvalidSecret::Base64)?;
        let key = VerifyingKey::try_from(bytes.as_slice());
        Ok(Self::Ed25519(key.map_err(|_| InvalidSecret::NoPublicKey)?))
    }

    fn matches(&self, headers: &Headers<'_>, body: &[u8]) -> Choice {
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

fn check_time(timestamp: &str, now: u64, tolerance: Duration) -> Result<(), VerifyError> {
    if !timestamp.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(VerifyError::Timestamp);
    }
    let at: u64 = timestamp.parse().map_err(|_| VerifyError::Timestamp)?;
    if at < now.saturating_sub(tolerance.as_secs()) {
        return Err(VerifyError::TooOld);
    }
    if at > now.saturating_add(tolerance.as_secs()) {
        return Err(VerifyError::TooNew);
    }
    Ok(())
}
