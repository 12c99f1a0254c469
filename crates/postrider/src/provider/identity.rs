//! The identity of an event, which recognizes its repetitions and nothing else.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What an event shares with its repetitions and with no other event: a SHA-256 digest of the
/// provider's id if that is unique for each event, otherwise of the event's type, its id and the
/// signed content.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity([u8; 32]);

/// How a repetition is recognized without a unique id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DuplicateRule {
    /// By type, id and all signed content, including the signing time. Without an id, a time or a
    /// nonce, nothing is a repetition, because two events may look alike.
    #[default]
    SameContent,
    /// By type, id and body, whenever they were signed: for providers that sign each attempt
    /// separately and never send two events with the same body.
    SameBody,
    /// Only by a unique id, even if it is not signed: for providers that send different events with
    /// the same content.
    SameId,
    /// By nothing, not even a unique id: for providers that repeat a request only on demand. The
    /// same content with another id is still a repetition.
    Never,
}

/// The signed values besides the body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SignedMetadata {
    /// Times, nonces, headers and the URL's query, each followed by a zero byte.
    pub parts: Vec<u8>,
    /// Whether they include a time or a nonce, so that two events differ.
    pub distinguishes_events: bool,
}

impl Identity {
    /// The digest's bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The identity by a unique id: the values of each of its terms.
    pub(super) fn of_id<T: AsRef<str>>(terms: &[Vec<T>]) -> Self {
        let mut hasher = Hasher::new(b"id");
        for values in terms {
            hasher.count(values.len());
            for value in values {
                hasher.add(value.as_ref().as_bytes());
            }
        }
        hasher.finish()
    }

    /// The identity of an event without a unique id.
    pub(super) fn of_content(
        event_type: Option<&str>,
        event_id: Option<&str>,
        body: &[u8],
        metadata: Option<&SignedMetadata>,
    ) -> Self {
        let mut hasher = Hasher::new(b"content");
        for text in [event_type, event_id] {
            hasher.count(text.into_iter().count());
            hasher.add(text.unwrap_or_default().as_bytes());
        }
        hasher.add(body);
        hasher.add(metadata.map_or(&[], |it| it.parts.as_slice()));
        hasher.finish()
    }

    /// The identity by the signed content, and by the type where needed.
    pub(super) fn of_signed(
        event_type: Option<&str>,
        body: &[u8],
        metadata: Option<&SignedMetadata>,
    ) -> Self {
        let mut hasher = Hasher::new(b"signed");
        hasher.count(event_type.into_iter().count());
        hasher.add(event_type.unwrap_or_default().as_bytes());
        hasher.add(body);
        hasher.add(metadata.map_or(&[], |it| it.parts.as_slice()));
        hasher.finish()
    }
}

/// Hashes each part with its length, so that moving a boundary between parts changes the digest.
struct Hasher(Sha256);

impl Hasher {
    fn new(kind: &[u8]) -> Self {
        let mut hasher = Self(Sha256::new_with_prefix(b"postrider identity 1"));
        hasher.add(kind);
        hasher
    }

    fn count(&mut self, count: usize) {
        self.0.update((count as u64).to_be_bytes());
    }

    fn add(&mut self, part: &[u8]) {
        self.count(part.len());
        self.0.update(part);
    }

    fn finish(self) -> Identity {
        Identity(self.0.finalize().into())
    }
}

/// In hex.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|it| write!(f, "{it:02x}"))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(")?;
        fmt::Display::fmt(self, f)?;
        f.write_char(')')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_batches_differ_by_their_parts() {
        let ids = [
            vec![vec!["a,b"]],
            vec![vec!["a", "b"]],
            vec![vec!["a"], vec!["b"]],
            vec![vec!["a:b"]],
            vec![vec!["ab"]],
            vec![vec!["a", ""], vec!["b"]],
        ];
        for (index, one) in ids.iter().enumerate() {
            for (other_index, other) in ids.iter().enumerate() {
                let same = Identity::of_id(one) == Identity::of_id(other);
                assert_eq!(same, index == other_index, "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn content_differs_by_type_id_body_and_signed_metadata() {
        let metadata =
            |text: &str| SignedMetadata { parts: text.into(), distinguishes_events: true };
        let (one, two) = (metadata("1"), metadata("2"));
        let of = Identity::of_content;
        let all = [
            of(None, None, b"", None),
            of(Some(""), None, b"", None),
            of(None, Some(""), b"", None),
            of(Some("a"), Some("b"), b"c", None),
            of(Some("b"), Some("a"), b"c", None),
            of(Some("a"), Some("bc"), b"", None),
            of(Some("a"), Some("b"), b"c", Some(&one)),
            of(Some("a"), Some("b"), b"c", Some(&two)),
        ];
        let different: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len());
        assert_eq!(of(Some("a"), None, b"c", Some(&one)), of(Some("a"), None, b"c", Some(&one)));
    }

    #[test]
    fn an_identity_is_written_in_hex() {
        assert_eq!(Identity([1; 32]).to_string(), "01".repeat(32));
    }
}
