//! The tokens that identify listeners.

use postrider::listen::{KEYED_PREFIX, is_valid_token, token_from_key};

/// Whether the token belongs to a listener, connected or not. Tokens of sources have no
/// underscore, so that a listener can never take the place of a source.
pub(crate) fn is_listener_token(token: &str) -> bool {
    token.contains('_') && is_valid_token(token)
}

/// Whether a client may listen with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ownership {
    /// The token was not made from a key: the first client that uses it may listen.
    FirstCome,
    /// The client has the key that the token was made from.
    Proven,
    /// The client does not have the key.
    Denied,
}

pub(super) fn ownership(token: &str, key: Option<&str>) -> Ownership {
    if !token.starts_with(KEYED_PREFIX) {
        return Ownership::FirstCome;
    }
    match key {
        Some(key) if token_from_key(key) == token => Ownership::Proven,
        Some(_) | None => Ownership::Denied,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_was_made_from_a_key_requires_the_key() {
        let token = token_from_key("a key");
        assert_eq!(ownership(&token, Some("a key")), Ownership::Proven);
        assert_eq!(ownership(&token, Some("another key")), Ownership::Denied);
        assert_eq!(ownership(&token, None), Ownership::Denied);
        assert_eq!(ownership("c_4tVb0KXk9zQm1LrYwS7fGhJn2pD", None), Ownership::FirstCome);
    }
}
