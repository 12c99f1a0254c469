//! Signs and verifies webhooks according to the Standard Webhooks specification.
//!
//! The signed content is `{id}.{timestamp}.{body}`. Signatures with a shared secret are `v1`
//! (HMAC-SHA256), those with a private key `v1a` (Ed25519). The signature header contains all
//! signatures of a request, separated by spaces, so that secrets can be rotated without a gap. This
//! module reads no clock and no randomness: the caller passes both.
//!
//! ```
//! use postrider::signature::{Headers, Secret, TOLERANCE, Verifier};
//!
//! let secret: Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse()?;
//! let signature = secret.sign("msg_1", 1_700_000_000, b"{}");
//!
//! let headers = Headers { id: "msg_1", timestamp: "1700000000", signature: &signature };
//! let verifier = Verifier::from(&secret);
//! verifier.verify(&headers, b"{}", 1_700_000_060, TOLERANCE)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod headers;
mod key;
mod secret;
mod verify;

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use hmac::Hmac;
use sha2::Sha256;

pub use self::{
    headers::{Headers, VerifyError},
    secret::{InvalidSecret, Kind, Secret, signature_header},
    verify::{TOLERANCE, Verifier},
};

/// The prefix of a shared secret.
pub const SECRET_PREFIX: &str = "whsec_";

/// The prefix of a private key.
pub const PRIVATE_KEY_PREFIX: &str = "whsk_";

/// The prefix of a public key.
pub const PUBLIC_KEY_PREFIX: &str = "whpk_";

const SYMMETRIC: &str = "v1";
const ED25519: &str = "v1a";

/// HMAC-SHA256 with its key already processed, which is half the cost of a short signature.
type Mac = Hmac<Sha256>;

/// Standard base64, written with padding and read with or without it, because both kinds of secrets
/// are in use.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text).ok()
}

#[cfg(test)]
mod tests;
