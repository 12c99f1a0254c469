//! Signing and verifying of webhooks after the Standard Webhooks specification.
//!
//! What is signed is `{id}.{timestamp}.{body}`. A signature of a shared secret is `v1` and
//! HMAC-SHA256; one of a private key is `v1a` and Ed25519. The signature header holds all
//! signatures of a call, with spaces between them, so that a secret can be replaced without a
//! gap. This module has no clock and no randomness: the caller brings both.
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

mod secret;
mod verify;

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use hmac::Hmac;
use sha2::Sha256;

pub use self::{
    secret::{InvalidSecret, Kind, Secret, signature_header},
    verify::{Headers, TOLERANCE, Verifier, VerifyError},
};

/// What a shared secret begins with in text.
pub const SECRET_PREFIX: &str = "whsec_";

/// What a private key begins with in text.
pub const PRIVATE_KEY_PREFIX: &str = "whsk_";

/// What a public key begins with in text.
pub const PUBLIC_KEY_PREFIX: &str = "whpk_";

const SYMMETRIC: &str = "v1";
const ED25519: &str = "v1a";

/// HMAC-SHA256 with its key taken in already, which is the costly half of a short signature.
type Mac = Hmac<Sha256>;

/// Standard base 64 that is written with padding and read with or without it, because both
/// kinds of secrets are about.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text).ok()
}

#[cfg(test)]
mod tests;
