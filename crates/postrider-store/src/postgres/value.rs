//! How ids and times travel to the database and back.

use bytes::{BufMut, BytesMut};
use postrider::{ApplicationId, AttemptId, EndpointId, MessageId, RejectionId, SourceId, TaskId};
use postrider_core::time::Timestamp;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

use crate::BoxError;

/// An id as the database knows it.
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
ids!(ApplicationId, EndpointId, MessageId, AttemptId, TaskId, SourceId, RejectionId);

/// No id that is made at that moment or later is lower.
pub(super) const fn first_id_at(at: Timestamp) -> Uuid {
    // An id has 48 bits for its milliseconds.
    let millis = at.as_millis() as u128;
    if millis >> 48 == 0 { Uuid(millis << 80) } else { Uuid(u128::MAX) }
}

/// A time as the database knows it.
pub(super) fn millis(at: Timestamp) -> i64 {
    i64::try_from(at.as_millis()).unwrap_or(i64::MAX)
}

/// A time as we know it; one that was too far for the database comes back as the last there is.
pub(super) fn timestamp(millis: i64) -> Timestamp {
    match u64::try_from(millis) {
        Ok(millis) if millis < i64::MAX as u64 => Timestamp::from_millis(millis),
        Ok(_) => Timestamp::MAX,
        Err(_) => Timestamp::default(),
    }
}
