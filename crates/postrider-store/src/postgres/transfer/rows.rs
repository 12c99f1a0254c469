//! Many rows at once, in the binary format of `COPY`.

use bytes::{BufMut, BytesMut};
use tokio_postgres::types::{IsNull, ToSql, Type};

use crate::{
    StoreError,
    postgres::{session::Session, trouble},
};

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";

/// No flags, and a header that ends here.
const HEADER_END: u64 = 0;

/// Rows of one table, as they will travel.
pub(super) struct Rows<'a> {
    sql: &'static str,
    types: &'a [Type],
    buffer: BytesMut,
    is_empty: bool,
}

impl<'a> Rows<'a> {
    pub(super) fn new(sql: &'static str, types: &'a [Type]) -> Self {
        let mut buffer = BytesMut::new();
        buffer.put_slice(SIGNATURE);
        buffer.put_u64(HEADER_END);
        Self { sql, types, buffer, is_empty: true }
    }

    pub(super) fn push(&mut self, values: &[&(dyn ToSql + Sync)]) -> Result<(), StoreError> {
        let count = i16::try_from(values.len()).expect("a row has few columns");
        self.buffer.put_i16(count);
        for (value, kind) in values.iter().zip(self.types) {
            self.value(*value, kind)?;
        }
        self.is_empty = false;
        Ok(())
    }

    /// Its length comes first.
    fn value(&mut self, value: &(dyn ToSql + Sync), kind: &Type) -> Result<(), StoreError> {
        let place = self.buffer.len();
        self.buffer.put_i32(-1);
        let written = value.to_sql_checked(kind, &mut self.buffer);
        if let IsNull::No = written.map_err(StoreError::Unavailable)? {
            let length = self.buffer.len() - place - 4;
            let length = i32::try_from(length).map_err(|it| trouble::corrupt("row", it))?;
            self.buffer[place..place + 4].copy_from_slice(&length.to_be_bytes());
        }
        Ok(())
    }

    /// Has the database take them.
    pub(super) async fn send(mut self, session: &mut Session) -> Result<(), StoreError> {
        if self.is_empty {
            return Ok(());
        }
        self.buffer.put_i16(-1);
        session.copy_in(self.sql, self.buffer.freeze()).await
    }
}
