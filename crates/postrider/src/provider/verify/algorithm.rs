//! The algorithms of signatures over content.

/// The algorithm that connects content and signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Algorithm {
    Hmac,
    Digest,
    Ed25519,
    Ecdsa,
    Rsa,
}
