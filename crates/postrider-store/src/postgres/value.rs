//! Ids and times in the form in which the database stores them.

use bytes::{BufMut, BytesMut};
use postrider::{
    ApiKeyId, ApplicationId, AttemptId, AuditId, ConsumerId, EndpointId, MessageId, RejectionId,
    SourceId, TaskId,
};
use postrider_core::time::Timestamp;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

use crate::error::BoxError;

/// An id of any kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Uuid(pub u128);

impl ToSql for Uuid {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, BoxError> {
        out.put_u128(self.0);
        Ok(IsNull::No)
    }

    accepts!(UUID);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for Uuid {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, BoxError> {
        Ok(Self(u128::from_be_bytes(raw.try_into()?)))
    }

    accepts!(UUID);
}

macro_rules! ids {
    ($($id:ty),+) => {$(
        impl From<$id> for Uuid {
            fn from(id: $id) -> Self {
                Self(id.as_u128())
            }
        }

        impl From<Uuid> for $id {
            fn from(uuid: Uuid) -> Self {
                Self::from_u128(uuid.0)
            }
        }
    )+};
}
ids!(
    ApiKeyId,
    ApplicationId,
    AttemptId,
    AuditId,
    ConsumerId,
    EndpointId,
    MessageId,
    RejectionId,
    SourceId,
    TaskId
);

/// The lowest id that can be created at this moment or later.
pub(super) const fn first_id_at(at: Timestamp) -> Uuid {
    // The upper 48 bits of an id are its milliseconds.
    let millis = at.as_millis() as u128;
    if millis >> 48 == 0 { Uuid(millis << 80) } else { Uuid(u128::MAX) }
}

/// A time in milliseconds since the epoch.
pub(super) fn millis(at: Timestamp) -> i64 {
    i64::try_from(at.as_millis()).unwrap_or(i64::MAX)
}

/// Reverses [`millis`]; a time beyond the range of the database is the last one.
pub(super) fn timestamp(millis: i64) -> Timestamp {
    match u64::try_from(millis) {
        Ok(millis) if millis < i64::MAX as u64 => Timestamp::from_millis(millis),
        Ok(_) => Timestamp::MAX,
        Err(_) => Timestamp::default(),
    }
}

/// The id from which a list without a first key starts: before all others in its direction.
pub(super) const fn edge(ascending: bool) -> Uuid {
    Uuid(if ascending { 0 } else { u128::MAX })
}

/// A number of rows, for a `LIMIT`.
pub(super) fn to_bigint(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
