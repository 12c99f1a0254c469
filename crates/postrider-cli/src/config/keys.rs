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

/// The variable that names a file with the value of a key. Keys whose values are secrets have one:
/// what runs the server can give it files that only it can read, while its environment is visible
/// in more places.
pub(super) fn file_variable(key: &str) -> Option<String> {
    is_secret(key).then(|| format!("{}_FILE", variable(key)))
}

/// Keys whose values are URLs that may contain a password, or are secret as a whole.
const SECRET_KEYS: [&str; 5] =
    ["proxy", "database_url", "alerts.smtp_url", "alerts.slack_url", "alerts.webhook_url"];

/// Whether a value of the key may be or contain a secret.
pub(super) fn is_secret(key: &str) -> bool {
    key.ends_with("_secret") || SECRET_KEYS.contains(&key)
}
