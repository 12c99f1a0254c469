//! Values that may contain credentials, as they are stored.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A signing secret as it is stored: encrypted with the installation's main secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedSecret(pub Vec<u8>);

/// A value that may contain credentials, as it is stored. The vault encrypts and decrypts it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum AtRest<T> {
    Sealed(SealedSecret),
    /// Written by an older version, or empty.
    Clear(T),
}

impl<T: Default> Default for AtRest<T> {
    fn default() -> Self {
        Self::Clear(T::default())
    }
}

impl<T: Default + PartialEq> AtRest<T> {
    /// Whether there is nothing, not even encrypted.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Clear(it) if *it == T::default())
    }
}

/// Does not show values in clear text either.
impl<T> fmt::Debug for AtRest<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sealed(_) => "AtRest(sealed)",
            Self::Clear(_) => "AtRest(…)",
        })
    }
}
