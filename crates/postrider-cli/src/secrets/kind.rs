//! The two secrets of an installation.

/// File in the data folder with the check value of the main secret.
pub(crate) const CHECK_FILE: &str = "main-secret.check";

/// Minimum length of a secret in bytes; a longer key does not make HMAC-SHA-256 stronger.
pub(super) const MIN_BYTES: usize = 32;

/// A secret of the installation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    /// Its configuration key, under which the database stores its check value.
    pub key: &'static str,
    /// Its file in the data folder.
    pub file: &'static str,
}

/// Signs and verifies API tokens.
pub(crate) const JWT_SECRET: Kind = Kind { key: "jwt_secret", file: "jwt-secret" };
/// Encrypts secrets in the store.
pub(crate) const MAIN_SECRET: Kind = Kind { key: "main_secret", file: "main-secret" };

impl Kind {
    pub(crate) fn is_main(self) -> bool {
        self.key == MAIN_SECRET.key
    }
}
