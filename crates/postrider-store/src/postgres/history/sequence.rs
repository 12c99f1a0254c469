//! The newest sequence number.

use postrider::MessageId;

use crate::postgres::{
    error::DatabaseError,
    session::Session,
    value::{self, Uuid},
};

/// The newest message of each application and the newest attempt of each endpoint, since no index
/// orders the messages of all applications. Limited to the ten thousand applications and endpoints
/// that were created last; the others are unlikely to have much newer ids.
const LAST: &str = "SELECT newest.id
    FROM (
        (SELECT found.id
        FROM (SELECT id FROM application ORDER BY id DESC LIMIT 10000) AS owner
        CROSS JOIN LATERAL (
            SELECT id FROM message WHERE application = owner.id AND id >= $1
            ORDER BY id DESC LIMIT 1
        ) AS found)
        UNION ALL
        (SELECT found.id
        FROM (SELECT application, id FROM endpoint ORDER BY application DESC, id DESC LIMIT 10000)
            AS owner
        CROSS JOIN LATERAL (
            SELECT id FROM attempt
            WHERE application = owner.application AND endpoint = owner.id AND id >= $1
            ORDER BY id DESC LIMIT 1
        ) AS found)
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
