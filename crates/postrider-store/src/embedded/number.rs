//! The integers that stand for ids in rows and keys. Each kind is its own type, so that the
//! compiler rejects an application's number where an endpoint's is expected.

use postrider::{AttemptId, MessageId};
use postrider_core::time::Timestamp;
use rusqlite::{
    ToSql,
    types::{FromSql, FromSqlResult, ToSqlOutput, ValueRef},
};
use serde::{Deserialize, Serialize};

/// Declares an integer with its column type. Serialized, it is the plain integer: stored rows
/// and journal entries do not depend on the type's name.
macro_rules! number {
    ($(#[$attribute:meta])* $name:ident($integer:ty)) => {
        $(#[$attribute])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        pub(super) struct $name(pub(super) $integer);

        impl From<$integer> for $name {
            fn from(integer: $integer) -> Self {
                Self(integer)
            }
        }

        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                self.0.to_sql()
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                <$integer>::column_result(value).map(Self)
            }
        }
    };
}

number! {
    /// An application, in rows and keys.
    ApplicationNumber(u32)
}

number! {
    /// An endpoint, in rows and keys. Also names the endpoint's lane.
    EndpointNumber(u32)
}

number! {
    /// An event type, in rows.
    EventTypeNumber(u32)
}

number! {
    /// The first half of a message's id: its time in milliseconds and a counter. It is the
    /// row id of the message, so the order of rows is the order of acceptance.
    MessageSequence(u64)
}

number! {
    /// The first half of an attempt's id, and the row id of the attempt.
    AttemptSequence(u64)
}

number! {
    /// The number of a commit that changed something.
    #[derive(Default)]
    JournalPosition(u64)
}

number! {
    /// How often a delivery was attempted, counted from 1.
    AttemptNumber(u16)
}

number! {
    /// A stored recovery. The oldest has the lowest number.
    RecoveryNumber(u64)
}

number! {
    /// A minute since the epoch, in which bodies expire.
    ExpiryMinute(u64)
}

number! {
    /// A [`Fact`](postrider_core::statistics::Fact) that is counted.
    PackedFact(i64)
}

/// Bits of a sequence below its milliseconds.
const COUNTER_BITS: u32 = 12;

impl MessageSequence {
    pub(super) const ZERO: Self = Self(0);
    pub(super) const MAX: Self = Self(u64::MAX);

    pub(super) const fn of(id: MessageId) -> Self {
        Self(id.sequence())
    }

    /// The first sequence of that millisecond.
    pub(super) const fn first_at(at: Timestamp) -> Self {
        Self(sequence_at(at))
    }

    /// When the message was accepted.
    pub(super) const fn time(self) -> Timestamp {
        Timestamp::from_millis(self.0 >> COUNTER_BITS)
    }

    pub(super) const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    pub(super) const fn id(self, tail: IdTail) -> MessageId {
        MessageId::from_parts(self.0, tail.0)
    }
}

impl AttemptSequence {
    pub(super) const fn of(id: AttemptId) -> Self {
        Self(id.sequence())
    }

    pub(super) const fn id(self, tail: IdTail) -> AttemptId {
        AttemptId::from_parts(self.0, tail.0)
    }
}

impl JournalPosition {
    pub(super) const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// The first sequence, of a message or an attempt, of that millisecond.
pub(super) const fn sequence_at(at: Timestamp) -> u64 {
    let millis = at.as_millis();
    if millis > u64::MAX >> COUNTER_BITS { u64::MAX } else { millis << COUNTER_BITS }
}

/// The second half of a message's or an attempt's id. It uses all 64 bits, so it is stored as
/// the signed integer with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IdTail(pub(super) u64);

impl ToSql for IdTail {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.cast_signed().into())
    }
}

impl FromSql for IdTail {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        i64::column_result(value).map(i64::cast_unsigned).map(Self)
    }
}

/// Names one delivery. Ordered by message first, so that the oldest comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct DeliveryKey {
    pub(super) message: MessageSequence,
    pub(super) endpoint: EndpointNumber,
}
