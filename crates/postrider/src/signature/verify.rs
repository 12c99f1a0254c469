//! Verification with secrets or public keys.

use std::time::Duration;

use ed25519_dalek::VerifyingKey;
use subtle::Choice;

use super::{Headers, InvalidSecret, PUBLIC_KEY_PREFIX, Secret, VerifyError, decode, key::Key};

/// The customary tolerance between the clocks of sender and receiver.
pub const TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// Verifies signatures with one or more secrets or public keys; one match is enough.
#[derive(Clone)]
pub struct Verifier {
    keys: Vec<Key>,
}

impl Verifier {
    /// Parses secrets (`whsec_…`) and public keys (`whpk_…`).
    pub fn new<'a>(keys: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidSecret> {
        let keys = keys.into_iter().map(parse_key).collect::<Result<_, _>>()?;
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

fn parse_key(text: &str) -> Result<Key, InvalidSecret> {
    let text = text.trim();
    let Some(public) = text.strip_prefix(PUBLIC_KEY_PREFIX) else {
        return Ok(text.parse::<Secret>()?.as_key());
    };
    let bytes = decode(public).ok_or(InvalidSecret::Base64)?;
    let key = VerifyingKey::try_from(bytes.as_slice());
    Ok(Key::Ed25519(key.map_err(|_| InvalidSecret::NoPublicKey)?))
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
