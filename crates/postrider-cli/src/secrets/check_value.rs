//! Check values: encrypted texts that tell whether a secret is the one that an installation uses,
//! without revealing it.

use std::io;

use postrider_core::{
    catalog::SealedSecret,
    vault::{NONCE, Vault},
};

use crate::{config::SecretKeys, random};

/// Whether the secrets at hand decrypt a check value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CheckResult {
    /// The first secret encrypted it, and everything else in the store.
    Current,
    /// An older secret encrypted it, or a version that stored some secrets in plaintext.
    Outdated,
    /// None of the secrets decrypts it.
    Foreign,
}

impl CheckResult {
    pub(crate) fn of(vault: &Vault, check_value: &[u8]) -> Self {
        let sealed = SealedSecret(check_value.to_vec());
        match vault.renew(&sealed, [0; NONCE]) {
            Err(_) => Self::Foreign,
            // Versions that stored some secrets in plaintext encrypted another kind of value.
            Ok(None) if vault.open_text(&sealed).is_ok() => Self::Current,
            Ok(_) => Self::Outdated,
        }
    }
}

/// Encrypts a random text.
pub(crate) fn new_check_value(vault: &Vault) -> io::Result<Vec<u8>> {
    Ok(vault.seal_text(&random::secret()?, random::bytes()?).0)
}

/// Encrypts with the first of the secrets, and decrypts with all of them.
pub(crate) fn vault(keys: &SecretKeys) -> Vault {
    Vault::rotating(&keys.first.0, keys.older.iter().map(|it| it.0.as_str()))
}
