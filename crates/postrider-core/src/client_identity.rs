//! The client certificate of an endpoint, with its key.

use std::{fmt, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::time::Timestamp;

/// How long before its expiry a client certificate is warned about.
const NOTICE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Characters of a line in PEM.
const PEM_LINE: usize = 64;

/// A client certificate with its key.
pub struct ClientIdentity {
    /// The chain in PEM, that of the client first.
    pub certificates: String,
    /// The private key in PEM.
    pub key: Zeroizing<String>,
    /// Tells identities apart: connections are not shared between different ones.
    pub id: [u8; 32],
}

impl ClientIdentity {
    /// An identity of certificates and their key, which are not checked here.
    pub fn new(certificates: String, key: Zeroizing<String>) -> Self {
        let digest = Sha256::new()
            .chain_update(certificates.len().to_be_bytes())
            .chain_update(&certificates)
            .chain_update(key.as_bytes());
        Self { id: digest.finalize().into(), certificates, key }
    }
}

impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientIdentity").finish_non_exhaustive()
    }
}

/// Why a client certificate has to be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    Expired,
    /// It expires within this number of whole days.
    Soon(u64),
}

impl Expiry {
    /// Whether a certificate has to be replaced that is valid until `not_after`.
    pub fn of(not_after: Timestamp, now: Timestamp) -> Option<Self> {
        let left = not_after.since(now);
        if left.is_zero() {
            return Some(Self::Expired);
        }
        (left < NOTICE).then_some(Self::Soon(left.as_secs() / (24 * 60 * 60)))
    }
}

/// One section of a text in PEM.
pub fn pem(label: &str, der: &[u8]) -> Zeroizing<String> {
    let base64 = Zeroizing::new(STANDARD.encode(der));
    let mut text = Zeroizing::new(format!("-----BEGIN {label}-----\n"));
    for (index, character) in base64.chars().enumerate() {
        if index > 0 && index % PEM_LINE == 0 {
            text.push('\n');
        }
        text.push(character);
    }
    for part in ["\n-----END ", label, "-----\n"] {
        text.push_str(part);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_warned_about_before_they_expire() {
        const DAY: u64 = 24 * 60 * 60 * 1_000;
        for (days_left, expected) in [
            (-1, Some(Expiry::Expired)),
            (0, Some(Expiry::Expired)),
            (1, Some(Expiry::Soon(1))),
            (29, Some(Expiry::Soon(29))),
            (30, None),
            (400, None),
        ] {
            let not_after = Timestamp::from_millis(
                (1_000 * DAY).saturating_add_signed(days_left * 24 * 60 * 60 * 1_000),
            );
            let expiry = Expiry::of(not_after, Timestamp::from_millis(1_000 * DAY));
            assert_eq!(expiry, expected, "{days_left}");
        }
    }

    #[test]
    fn identities_differ_if_a_certificate_or_a_key_differs() {
        let id = |certificates: &str, key: &str| {
            ClientIdentity::new(certificates.to_owned(), Zeroizing::new(key.to_owned())).id
        };
        let ids = [id("ab", "c"), id("a", "bc"), id("ab", "d")];
        assert!(ids[0] != ids[1] && ids[0] != ids[2] && ids[0] == id("ab", "c"));
    }

    #[test]
    fn pem_has_short_lines() {
        let text = pem("CERTIFICATE", &[0; 50]);
        let lengths: Vec<_> = text.lines().map(str::len).collect();
        assert_eq!(lengths, [27, 64, 4, 25]);
        assert_eq!(pem("X", &[]).as_str(), "-----BEGIN X-----\n\n-----END X-----\n");
    }
}
