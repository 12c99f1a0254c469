//! Which scheme counts if a request carries several signatures.
//!
//! A provider that sends two signatures sends the weaker one for old receivers. If it were
//! sufficient, the stronger one would protect nothing.

use super::super::{Scheme, model::Hash, selector::Selector, values::Values};

/// Whether the request carries a stronger signature in another location, so that this scheme does
/// not count.
pub(super) fn is_outranked(scheme: &Scheme, all: &[Scheme], values: &Values<'_>) -> bool {
    let Some(own) = location(scheme) else { return false };
    let outranks = |other: &Scheme| {
        let theirs = location(other);
        strength(other) > strength(scheme)
            && theirs.is_some_and(|it| *it != *own && !values.all(it, &[]).is_empty())
    };
    all.iter().any(outranks)
}

/// The location of the scheme's credential.
const fn location(scheme: &Scheme) -> Option<&Selector> {
    match scheme {
        Scheme::SharedSecret(it) => Some(&it.source),
        Scheme::Jwt(_) | Scheme::Basic | Scheme::None | Scheme::Code(_) => None,
        Scheme::Hmac(it)
        | Scheme::Digest(it)
        | Scheme::Ed25519(it)
        | Scheme::Ecdsa(it)
        | Scheme::Rsa(it) => Some(&it.signature),
    }
}

/// 0: a secret in clear text; 1: a signature with a broken hash or without HMAC; 2: all others.
const fn strength(scheme: &Scheme) -> u8 {
    match scheme {
        Scheme::SharedSecret(_) | Scheme::Basic | Scheme::None => 0,
        Scheme::Digest(_) => 1,
        Scheme::Hmac(it) | Scheme::Ed25519(it) | Scheme::Ecdsa(it) | Scheme::Rsa(it) => {
            match it.hash {
                Hash::Sha1 | Hash::Md5 => 1,
                Hash::Sha256 | Hash::Sha384 | Hash::Sha512 => 2,
            }
        },
        Scheme::Jwt(_) | Scheme::Code(_) => 2,
    }
}
