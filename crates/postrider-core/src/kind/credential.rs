//! A credential in a configuration.

use std::fmt;

use serde::Deserialize;

/// A password or a token. Its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Credential(String);

impl Credential {
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The credential itself, to be sent to the service that it is for.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A text of a service without the credential, in case that the service repeats it.
    pub fn hide_in(&self, text: &str) -> String {
        if self.is_empty() { text.to_owned() } else { text.replace(&self.0, super::MASK) }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(super::MASK)
    }
}
