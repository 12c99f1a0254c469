//! The newest sequence number.

use postrider::MessageId;

use crate::postgres::{
    error::DatabaseError,
    session::Session,
    value::{self, Uuid},
};

/// The newest message and the newest attempt. The conditions that hold for every row are those of the
/// indexes by id.
pub(in crate::postgres) const LAST: &str = "SELECT newest.id
    FROM (
        (SELECT id FROM message
        WHERE octet_length(event_type) > 0 AND id >= $1
        ORDER BY id DESC LIMIT 1)
        UNION ALL
        (SELECT id FROM attempt
        WHERE number >= 0 AND id >= $1
        ORDER BY id DESC LIMIT 1)
    ) AS newest
    ORDER BY newest.id DESC
    LIMIT 1";

const YESTERDAY: &str =
    "SELECT floor(extract(epoch FROM clock_timestamp() - interval '1 day') * 1000)::bigint";

/// The sequence of the newest id. Searches the last day first, to skip the partitions before it.
pub(in crate::postgres) async fn last_sequence(
    session: &mut Session,
) -> Result<u64, DatabaseError> {
    let yesterday = value::timestamp(session.query_one(YESTERDAY, &[]).await?.get(0));
    for first in [value::first_id_at(yesterday), Uuid(0)] {
        if let Some(row) = session.query_opt(LAST, &[&first]).await? {
            return Ok(MessageId::from(row.get::<_, Uuid>(0)).sequence());
        }
    }
    Ok(0)
}
