//! Which client may listen with a token.

use postrider::listen::{KEYED_PREFIX, token_from_key};

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
    if !token.starts_with(KEYED_PREFIX) {
        return Owner::Anyone;
    }
    match key {
        Some(key) if token_from_key(key) == token => Owner::Proven,
        Some(_) | None => Owner::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_of_a_key_is_only_for_who_has_the_key() {
        let token = token_from_key("a key");
        assert_eq!(owner(&token, Some("a key")), Owner::Proven);
        assert_eq!(owner(&token, Some("another key")), Owner::Other);
        assert_eq!(owner(&token, None), Owner::Other);
        assert_eq!(owner("c_4tVb0KXk9zQm1LrYwS7fGhJn2pD", None), Owner::Anyone);
    }
}
