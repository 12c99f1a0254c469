//! The tokens by which listening programs are told apart.
//!
//! Whoever knows a program's URL knows its token, and could listen in its place while it is
//! away. A token that was made from a key is safe from that: listening takes the key, which
//! the URL does not tell, and no server has to remember anything.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

/// Tokens that were made from keys begin with this.
const KEYED: &str = "p_";

/// Bytes of the key's digest that stand in the token.
const DIGEST: usize = 24;

/// Tokens of the Svix CLI begin with this. It adds 10 random letters and digits, which are 60
/// bits; how fast they can be tried is limited.
const SHORT: &str = "c_";
const MIN_SHORT: usize = 12;

/// Tokens of this length cannot be guessed at any rate.
const MIN_TOKEN: usize = 24;
const MAX_TOKEN: usize = 128;

/// Whether this token may name a program at all.
pub(super) fn is_valid(token: &str) -> bool {
    let is_fit = |it: u8| it.is_ascii_alphanumeric() || it == b'_' || it == b'-';
    let min = if token.starts_with(SHORT) { MIN_SHORT } else { MIN_TOKEN };
    (min..=MAX_TOKEN).contains(&token.len()) && token.bytes().all(is_fit)
}

/// Whether the token is so short that it must not be tried too often.
pub(super) const fn is_short(token: &str) -> bool {
    token.len() < MIN_TOKEN
}

/// Whose the token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The first that comes.
    Anyone,
    /// Whoever has the key, and has shown it.
    Proven,
    /// Somebody else.
    Other,
}

pub(super) fn owner(token: &str, key: Option<&str>) -> Owner {
    if !token.starts_with(KEYED) {
        return Owner::Anyone;
    }
    match key {
        Some(key) if of_key(key) == token => Owner::Proven,
        Some(_) | None => Owner::Other,
    }
}

fn of_key(key: &str) -> String {
    let digest = Sha256::digest(key);
    let digest = digest.get(..DIGEST).expect("a digest has 32 bytes");
    format!("{KEYED}{}", BASE64_URL_SAFE_NO_PAD.encode(digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_of_a_key_is_only_for_who_has_the_key() {
        let token = of_key("a key");
        assert!(is_valid(&token));
        assert_eq!(owner(&token, Some("a key")), Owner::Proven);
        assert_eq!(owner(&token, Some("another key")), Owner::Other);
        assert_eq!(owner(&token, None), Owner::Other);
        assert_eq!(owner("c_4tVb0KXk9zQm1LrYwS7fGhJn2pD", None), Owner::Anyone);
    }

    #[test]
    fn tokens_that_could_be_guessed_or_do_not_fit_a_path_are_refused() {
        for (token, short) in [("c_4tVb0KXk9zQm1LrYwS7fGhJn2pD", false), ("c_4tVb0KXk9z", true)] {
            assert!(is_valid(token), "{token}");
            assert_eq!(is_short(token), short, "{token}");
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
            assert!(!is_valid(token), "{token}");
        }
    }
}
