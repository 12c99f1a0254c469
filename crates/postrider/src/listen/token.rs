//! The tokens that identify clients.
//!
//! A token is part of a URL, so that every sender knows it and could listen in the client's place
//! while the client is away. A token that was made from a key prevents this: listening requires
//! the key, which the URL does not reveal. The server compares the two and stores nothing.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

/// Prefix of tokens that were made from a key.
pub const KEYED_PREFIX: &str = "p_";

/// Prefix of the Svix CLI's tokens. Ten random letters and digits follow, about 60 bits; the
/// server limits how fast they can be tried.
pub const SHORT_PREFIX: &str = "c_";

/// Shortest token with [`SHORT_PREFIX`].
pub const MIN_SHORT_TOKEN_LENGTH: usize = 12;

/// Shortest token with another prefix. Tokens of this length cannot be guessed at any rate.
pub const MIN_TOKEN_LENGTH: usize = 24;

/// Longest token.
pub const MAX_TOKEN_LENGTH: usize = 128;

/// Bytes of the key's digest in a token.
const DIGEST_BYTES: usize = 24;

/// The token that only the owner of the key can listen with.
#[must_use]
pub fn token_from_key(key: &str) -> String {
    let digest = Sha256::digest(key);
    let digest = digest.get(..DIGEST_BYTES).expect("a SHA-256 digest has 32 bytes");
    format!("{KEYED_PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(digest))
}

/// Whether the token has a permitted length and contains only letters, digits, `_` and `-`.
#[must_use]
pub fn is_valid_token(token: &str) -> bool {
    let is_permitted = |it: u8| it.is_ascii_alphanumeric() || it == b'_' || it == b'-';
    let min =
        if token.starts_with(SHORT_PREFIX) { MIN_SHORT_TOKEN_LENGTH } else { MIN_TOKEN_LENGTH };
    (min..=MAX_TOKEN_LENGTH).contains(&token.len()) && token.bytes().all(is_permitted)
}

/// Whether the token is so short that the server must limit attempts to guess it.
#[must_use]
pub const fn is_short_token(token: &str) -> bool {
    token.len() < MIN_TOKEN_LENGTH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_that_could_be_guessed_or_do_not_fit_a_path_are_invalid() {
        for (token, is_short) in [("c_4tVb0KXk9zQm1LrYwS7fGhJn2pD", false), ("c_4tVb0KXk9z", true)]
        {
            assert!(is_valid_token(token), "{token}");
            assert_eq!(is_short_token(token), is_short, "{token}");
        }
        let bad = [
            "",
            "c_short",
            "c_4tVb0KXk9",
            "c_4tVb0KXk/z",
            "d_4tVb0KXk9zQ",
            "4tVb0KXk9zQm1LrYwS7fGhJ",
            "c_4tVb0KXk9zQm1LrYwS7fGhJn2/D",
            &"a".repeat(129),
        ];
        for token in bad {
            assert!(!is_valid_token(token), "{token}");
        }
    }
}
