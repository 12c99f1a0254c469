//! A sign-in that has begun. The browser keeps it, encrypted, so that it can end on another node.

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use postrider_core::{
    time::Timestamp,
    vault::{NONCE, Vault},
};
use postrider_engine::Clock;
use serde::{Deserialize, Serialize};

/// How long a person may take to sign in at the provider.
pub(super) const LIFETIME: Duration = Duration::from_secs(10 * 60);

/// What the encryption is bound to.
const PURPOSE: &[u8] = b"sign-in";

/// A sign-in that has begun.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct PendingSignIn {
    pub(super) state: String,
    pub(super) nonce: String,
    pub(super) verifier: String,
    /// Where to go afterwards.
    pub(super) return_to: String,
    expires_at: Timestamp,
}

impl PendingSignIn {
    pub(super) fn new(clock: &Clock, return_to: String) -> Self {
        Self {
            state: random_text(clock),
            nonce: random_text(clock),
            verifier: random_text(clock),
            return_to,
            expires_at: clock.now() + LIFETIME,
        }
    }

    /// The value of its cookie.
    pub(super) fn seal(&self, vault: &Vault, clock: &Clock) -> String {
        let json = serde_json::to_vec(self).expect("texts are plain JSON");
        let mut nonce = [0; NONCE];
        clock.random(&mut nonce);
        BASE64_URL_SAFE_NO_PAD.encode(vault.seal_under(PURPOSE, &json, nonce))
    }

    /// The sign-in in a cookie, unless it has expired.
    pub(super) fn open(cookie: &str, vault: &Vault, now: Timestamp) -> Option<Self> {
        let sealed = BASE64_URL_SAFE_NO_PAD.decode(cookie).ok()?;
        let json = vault.open_under(PURPOSE, sealed).ok()?;
        let pending: Self = serde_json::from_slice(&json).ok()?;
        (now < pending.expires_at).then_some(pending)
    }
}

/// 32 random bytes in base64.
fn random_text(clock: &Clock) -> String {
    let mut random = [0; 32];
    clock.random(&mut random);
    BASE64_URL_SAFE_NO_PAD.encode(random)
}
