//! Parents, ids and unique keys as parameters of statements.

use crate::{
    contract::catalog::{Parent, RecordId, RecordKind, RecordRange, UniqueKey},
    postgres::{
        parameter::Param,
        value::{self, Uuid},
    },
};

/// A value of one of the types that keys have.
pub(super) enum Key<'a> {
    Uuid(Uuid),
    Text(&'a str),
    Bytes(&'a [u8]),
}

/// Sorts after every name, whose characters are smaller.
const AFTER_NAMES: &str = "~";

impl<'a> Key<'a> {
    /// The value after which a list starts.
    pub(super) fn edge(kind: RecordKind, range: &'a RecordRange) -> Self {
        match (&range.after, kind, range.ascending) {
            (Some(after), ..) => after.into(),
            (None, kind, true) if kind.has_names() => Self::Text(""),
            (None, kind, false) if kind.has_names() => Self::Text(AFTER_NAMES),
            (None, _, ascending) => Self::Uuid(value::edge(ascending)),
        }
    }

    pub(super) fn param(&self) -> Param<'_> {
        match self {
            Self::Uuid(id) => id,
            Self::Text(text) => text,
            Self::Bytes(bytes) => bytes,
        }
    }
}

impl<'a> From<&'a Parent> for Key<'a> {
    fn from(parent: &'a Parent) -> Self {
        match parent {
            Parent::Organization(id) => Self::Text(id.as_str()),
            Parent::Application(id) => Self::Uuid((*id).into()),
            Parent::Consumer(id) => Self::Uuid((*id).into()),
        }
    }
}

impl<'a> From<&'a RecordId> for Key<'a> {
    fn from(id: &'a RecordId) -> Self {
        match id {
            RecordId::Uuid(id) => Self::Uuid(Uuid(*id)),
            RecordId::Name(name) => Self::Text(name),
        }
    }
}

impl<'a> From<&'a UniqueKey> for Key<'a> {
    fn from(key: &'a UniqueKey) -> Self {
        match key {
            UniqueKey::Id(id) => Self::Uuid(Uuid(*id)),
            UniqueKey::Digest(digest) => Self::Bytes(digest),
        }
    }
}
