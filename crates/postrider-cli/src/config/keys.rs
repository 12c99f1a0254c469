//! The names of all configuration keys, and of the variables that set them.

use super::{
    schema::Config,
    section::{Key, Section},
};

/// Prefix of the variables that set configuration keys.
pub(super) const PREFIX: &str = "POSTRIDER_";

/// All keys, in the order of their declaration.
pub(super) fn keys() -> Vec<Key> {
    let mut keys = Vec::new();
    Config::keys("", &mut keys);
    keys
}

/// The variable that sets a key.
pub(super) fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_uppercase())
}
