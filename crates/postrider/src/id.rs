//! Typed identifiers.
//!
//! Every id is a `UUIDv7` (RFC 9562): a wall-clock time in milliseconds, then a counter, then
//! random bits, so ids sort by creation time. As text, an id is its prefix and 26 characters of
//! Crockford's base32, which sort in the same order.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Length of 128 bits at five bits per character.
const LENGTH: usize = 26;

/// The text is not an id of the expected kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id of the form {prefix}… with {LENGTH} characters")]
pub struct ParseIdError {
    /// The expected prefix.
    pub prefix: &'static str,
}

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl $name {
            /// The prefix of the id as text.
            pub const PREFIX: &str = $prefix;

            /// Creates an id from its 128 bits.
            pub const fn from_u128(raw: u128) -> Self {
                Self(raw)
            }

            /// The id's 128 bits.
            pub const fn as_u128(self) -> u128 {
                self.0
            }

            /// The creation time in milliseconds since the Unix epoch.
            pub const fn millis(self) -> u64 {
                (self.0 >> 80) as u64
            }

            /// The time and the counter of the id in 60 bits. Within one process, sequences are
            /// unique and increase.
            pub const fn sequence(self) -> u64 {
                ((self.0 >> 80) as u64) << 12 | ((self.0 >> 64) as u64 & 0xfff)
            }

            /// The 64 bits that are not in [`Self::sequence`]: the variant and the random bits.
            #[expect(clippy::cast_possible_truncation, reason = "the low half is what is meant")]
            pub const fn tail(self) -> u64 {
                self.0 as u64
            }

            /// Reassembles an id from [`Self::sequence`] and [`Self::tail`].
            pub const fn from_parts(sequence: u64, tail: u64) -> Self {
                Self(super::id::uuid7(sequence, tail))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($prefix)?;
                f.write_str(encode(self.0, &mut [0; LENGTH]))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                text.strip_prefix($prefix)
                    .and_then(decode)
                    .map(Self)
                    .ok_or(ParseIdError { prefix: $prefix })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    serializer.serialize_u128(self.0)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                    text.parse().map_err(de::Error::custom)
                } else {
                    u128::deserialize(deserializer).map(Self)
                }
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
                schemars::json_schema!({ "type": "string", "examples": [Self::EXAMPLE.to_string()] })
            }
        }

        #[cfg(feature = "schema")]
        impl $name {
            const EXAMPLE: Self = Self::from_parts(0x1_9a2_3b4_c5d_000, 0x8123_4567_89ab_cdef);
        }
    )+};
}

id! {
    /// Identifies an application: a customer of our user.
    ApplicationId = "app_";
    /// Identifies an endpoint: a receiving URL of an application.
    EndpointId = "ep_";
    /// Identifies an accepted message.
    MessageId = "msg_";
    /// Identifies an attempt: one HTTP call for a delivery.
    AttemptId = "atmpt_";
    /// Identifies a background task, such as a recovery.
    TaskId = "qtask_";
    /// Identifies a source: a URL that a provider posts to.
    SourceId = "src_";
    /// Identifies a rejected request to a source.
    RejectionId = "log";
    /// Identifies a consumer: a queue that messages are read from.
    ConsumerId = "csm_";
    /// Identifies a message of a queue that could not be accepted.
    DeadLetterId = "dead_";
    /// Identifies an integration of an application.
    IntegrationId = "integ_";
    /// Identifies a subscription that configures itself.
    AutoConfigId = "auto_";
    /// Identifies an entry of the audit log.
    AuditId = "audit_";
    /// Identifies an API key.
    ApiKeyId = "key_";
    /// Identifies a connector: a transformation that a platform offers to its customers.
    ConnectorId = "trtmpl_";
}

/// Builds a `UUIDv7`: 48 bits of time and 12 bits of counter from `sequence`, 62 random bits from
/// `tail`.
const fn uuid7(sequence: u64, tail: u64) -> u128 {
    let high = (sequence >> 12) << 16 | 0x7000 | (sequence & 0xfff);
    let low = (tail & 0x3fff_ffff_ffff_ffff) | 0x8000_0000_0000_0000;
    (high as u128) << 64 | low as u128
}

fn encode(raw: u128, buffer: &mut [u8; LENGTH]) -> &str {
    for (place, byte) in buffer.iter_mut().rev().enumerate() {
        *byte = ALPHABET[(raw >> (5 * place)) as usize & 31];
    }
    std::str::from_utf8(buffer).expect("the alphabet is ASCII")
}

fn decode(text: &str) -> Option<u128> {
    // The first character has only three bits; a higher value would overflow.
    if text.len() != LENGTH || !matches!(text.as_bytes()[0], b'0'..=b'7') {
        return None;
    }
    text.bytes().try_fold(0, |raw: u128, byte| {
        let digit = ALPHABET.iter().position(|&it| it == byte)?;
        Some(raw << 5 | digit as u128)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn text_round_trips(raw: u128) {
            let id = MessageId::from_u128(raw);
            prop_assert_eq!(id.to_string().parse(), Ok(id));
        }

        #[test]
        fn parts_round_trip(sequence in 0_u64..1 << 60, tail: u64) {
            let id = MessageId::from_parts(sequence, tail);
            prop_assert_eq!(id.sequence(), sequence);
            prop_assert_eq!(MessageId::from_parts(id.sequence(), id.tail()), id);
        }

        #[test]
        fn text_sorts_like_ids(a: u128, b: u128) {
            let (a, b) = (EndpointId::from_u128(a), EndpointId::from_u128(b));
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
        }
    }

    #[test]
    fn foreign_texts_are_rejected() {
        let expected = Err(ParseIdError { prefix: "msg_" });
        for text in ["", "msg_", "msg_1", "ep_00000000000000000000000000"] {
            assert_eq!(text.parse::<MessageId>(), expected, "{text}");
        }
        assert_eq!(format!("msg_8{}", "0".repeat(25)).parse::<MessageId>(), expected);
        assert_eq!(format!("msg_{}", "u".repeat(26)).parse::<MessageId>(), expected);
    }
}
