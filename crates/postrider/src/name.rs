//! Names that users choose: organizations, uids and event types.
//!
//! A name must be usable as a path segment. Names that consist only of dots are rejected, because
//! HTTP clients resolve the segments `.` and `..` before they send a request (RFC 3986, section
//! 5.2.4): `DELETE …/endpoint/..` would delete the application. Deserialization is more tolerant
//! than parsing, so that a name stored by an earlier version does not make its record unreadable.

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, de};

/// Maximum length of uids and event type names, in characters.
pub const MAX_NAME: usize = 256;

/// The text is not a valid name of this kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseNameError(&'static str);

macro_rules! name {
    ($($(#[$doc:meta])* $name:ident, $check:ident, $stored:ident, $pattern:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Reads a name that was accepted before. Unlike parsing, it accepts names of dots,
            /// which earlier versions allowed.
            pub fn stored(text: &str) -> Result<Self, ParseNameError> {
                $stored(text).map(|()| Self(text.into()))
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = ParseNameError;

            fn from_str(text: &str) -> Result<Self, ParseNameError> {
                $check(text).map(|()| Self(text.into()))
            }
        }

        /// Like [`Self::stored`], because deserialized values are records or responses.
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::stored(&text).map_err(de::Error::custom)
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string",
                    "minLength": 1,
                    "maxLength": MAX_NAME,
                    "pattern": $pattern,
                })
            }
        }
    )+};
}

name! {
    /// An organization, named by the `sub` or `org` claim of a token. It needs no setup, and is
    /// isolated from all others.
    OrganizationId, organization, organization, r"^org_[a-zA-Z0-9\-_.]+$";
    /// A user-defined identifier of an application, an endpoint or a message.
    Uid, segment, plain, r"^\.*[a-zA-Z0-9\-_][a-zA-Z0-9\-_.]*$";
    /// The name of a kind of event, such as `user.created`.
    EventTypeName, segment, plain, r"^\.*[a-zA-Z0-9\-_][a-zA-Z0-9\-_.]*$";
}

fn organization(text: &str) -> Result<(), ParseNameError> {
    match text.strip_prefix("org_") {
        Some(rest) => plain(rest),
        None => Err(ParseNameError("an organization's id begins with org_")),
    }
}

/// Checks that a name can be a path segment.
fn segment(text: &str) -> Result<(), ParseNameError> {
    plain(text)?;
    if text.bytes().all(|byte| byte == b'.') {
        return Err(ParseNameError("must not consist of dots alone"));
    }
    Ok(())
}

fn plain(text: &str) -> Result<(), ParseNameError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    match text.len() {
        0 => Err(ParseNameError("must not be empty")),
        1..=MAX_NAME if text.bytes().all(allowed) => Ok(()),
        1..=MAX_NAME => Err(ParseNameError("may hold only letters, digits, `-`, `_` and `.`")),
        _ => Err(ParseNameError("is longer than 256 characters")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_consist_of_letters_digits_and_three_marks() {
        for good in ["a", "user.created", "A-b_c.9", &"x".repeat(256)] {
            assert!(good.parse::<Uid>().is_ok(), "{good}");
        }
        for bad in ["", "a b", "a/b", "ü", &"x".repeat(257)] {
            assert!(bad.parse::<EventTypeName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn names_of_only_dots_are_rejected_but_stored_ones_are_read() {
        for dots in [".", "..", "...", &".".repeat(256)] {
            assert!(dots.parse::<Uid>().is_err(), "{dots}");
            assert!(dots.parse::<EventTypeName>().is_err(), "{dots}");
            assert_eq!(Uid::stored(dots).unwrap().as_str(), dots);
            let json = serde_json::to_string(dots).unwrap();
            assert_eq!(serde_json::from_str::<EventTypeName>(&json).unwrap().as_str(), dots);
        }
        for encoded in ["%2e", "%2E%2e", ".%2e", "%252e"] {
            assert!(encoded.parse::<Uid>().is_err(), "{encoded}");
            assert!(Uid::stored(encoded).is_err(), "{encoded}");
        }
        for good in [".a", "a.", "..a..", "-", "_"] {
            assert!(good.parse::<Uid>().is_ok(), "{good}");
        }
    }

    #[test]
    fn organizations_begin_with_their_prefix() {
        assert!("org_23rb8YdGqMT0qIzpgGwdXfHirMu".parse::<OrganizationId>().is_ok());
        assert!("app_23".parse::<OrganizationId>().is_err());
        assert!("org_".parse::<OrganizationId>().is_err());
    }
}
