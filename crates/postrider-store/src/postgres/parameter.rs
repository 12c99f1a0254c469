//! Parameters of statements. The type of a parameter follows from its Rust type, and this file is
//! the only one that says how.
//!
//! Statements are prepared with explicit types, never with types that the server infers: behind a
//! connection pooler nothing can be prepared, and a statement is then sent together with the types
//! of its parameters in a single round trip.

use tokio_postgres::types::{ToSql, Type};

use super::value::Uuid;

/// A value that knows its type in the database.
pub(super) trait Parameter: ToSql + Sync {
    fn sql_type(&self) -> Type;

    fn as_sql(&self) -> &(dyn ToSql + Sync);
}

/// A parameter as it is passed to a [`Session`](super::session::Session).
pub(super) type Param<'a> = &'a dyn Parameter;

/// A Rust type with one type in the database, alone or as the element of an array.
pub(super) trait Scalar: ToSql + Sync {
    const TYPE: Type;
    const ARRAY: Type;
}

macro_rules! scalars {
    ($($rust:ty => $single:ident, $array:ident;)+) => {$(
        impl Scalar for $rust {
            const TYPE: Type = Type::$single;
            const ARRAY: Type = Type::$array;
        }
    )+};
}

scalars! {
    bool => BOOL, BOOL_ARRAY;
    i16 => INT2, INT2_ARRAY;
    i32 => INT4, INT4_ARRAY;
    i64 => INT8, INT8_ARRAY;
    &str => TEXT, TEXT_ARRAY;
    String => TEXT, TEXT_ARRAY;
    &[u8] => BYTEA, BYTEA_ARRAY;
    Vec<u8> => BYTEA, BYTEA_ARRAY;
    Uuid => UUID, UUID_ARRAY;
}

impl<T: Scalar> Scalar for Option<T> {
    const TYPE: Type = T::TYPE;
    const ARRAY: Type = T::ARRAY;
}

impl<T: Scalar> Parameter for T {
    fn sql_type(&self) -> Type {
        T::TYPE
    }

    fn as_sql(&self) -> &(dyn ToSql + Sync) {
        self
    }
}

impl<T: Scalar> Parameter for Vec<T> {
    fn sql_type(&self) -> Type {
        T::ARRAY
    }

    fn as_sql(&self) -> &(dyn ToSql + Sync) {
        self
    }
}
