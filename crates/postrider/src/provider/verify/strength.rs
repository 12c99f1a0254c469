//! Which of several ways of signing counts if a request carries more than one.
//!
//! A provider that sends two signatures sends the weaker one for old receivers. Were it enough,
//! the stronger one would protect nothing.

use super::super::{Scheme, model::Hash, selector::Selector, values::Values};

/// Whether the request carries a stronger signature in another place, so that this scheme does
/// not count.
pub(super) fn is_outranked(scheme: &Scheme, all: &[Scheme], values: &Values<'_>) -> bool {
    let Some(own) = place(scheme) else { return false };
    let outranks = |other: &Scheme| {
        let theirs = place(other);
        strength(other) > strength(scheme)
            && theirs.is_some_and(|it| *it != *own && !values.all(it, &[]).is_empty())
    };
    all.iter().any(outranks)
}

/// Where what vouches for the request stands.
const fn place(scheme: &Scheme) -> Option<&Selector> {
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

/// A secret in the clear, a signature with a hash that is broken or without HMAC, any other.
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
