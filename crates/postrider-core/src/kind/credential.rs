//! A credential in a configuration.

use std::fmt;

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;

/// A password or a token. Its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
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

impl<'de> Deserialize<'de> for Credential {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The error of `String` would repeat a number.
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(text)),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Array(_)
            | Value::Object(_) => Err(D::Error::custom("must be a text")),
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(super::MASK)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_credential_is_in_neither_debug_nor_errors() {
        let credential: Credential = serde_json::from_value(json!("geheim")).unwrap();
        assert_eq!((credential.reveal(), format!("{credential:?}").as_str()), ("geheim", "***"));
        for wrong in [json!(1234), json!(["1234"]), json!({ "1234": 1 }), json!(null)] {
            let error = serde_json::from_value::<Credential>(wrong).unwrap_err().to_string();
            assert_eq!(error, "must be a text");
        }
    }
}
