//! Many rows at once, in the binary format of `COPY`.

use bytes::{BufMut, BytesMut};
use tokio_postgres::types::IsNull;

use crate::postgres::{error::DatabaseError, parameter::Param, session::Session};

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";

/// No flags, and a header that ends here.
const HEADER_END: u64 = 0;

/// Rows of one table, encoded.
pub(super) struct Rows {
    sql: &'static str,
    buffer: BytesMut,
    is_empty: bool,
}

impl Rows {
    pub(super) fn new(sql: &'static str) -> Self {
        let mut buffer = BytesMut::new();
        buffer.put_slice(SIGNATURE);
        buffer.put_u64(HEADER_END);
        Self { sql, buffer, is_empty: true }
    }

    pub(super) fn push(&mut self, values: &[Param<'_>]) -> Result<(), DatabaseError> {
        let count = i16::try_from(values.len()).expect("a row has few columns");
        self.buffer.put_i16(count);
        for value in values {
            self.push_value(*value)?;
        }
        self.is_empty = false;
        Ok(())
    }

    /// The length precedes the value; -1 is the length of null.
    fn push_value(&mut self, value: Param<'_>) -> Result<(), DatabaseError> {
        let place = self.buffer.len();
        self.buffer.put_i32(-1);
        let written = value.as_sql().to_sql_checked(&value.sql_type(), &mut self.buffer);
        if let IsNull::No = written.map_err(DatabaseError::Unavailable)? {
            let length = self.buffer.len() - place - 4;
            let length =
                i32::try_from(length).map_err(|error| DatabaseError::corrupt("row", error))?;
            self.buffer[place..place + 4].copy_from_slice(&length.to_be_bytes());
        }
        Ok(())
    }

    /// Sends the rows to the database.
    pub(super) async fn send(mut self, session: &mut Session) -> Result<(), DatabaseError> {
        if self.is_empty {
            return Ok(());
        }
        self.buffer.put_i16(-1);
        session.copy_in(self.sql, self.buffer.freeze()).await
    }
}
