//! Bodies that outlive their time before their messages do.

use postrider::{ApplicationId, EndpointId};
use postrider_core::time::Timestamp;
use tokio_postgres::{Row, types::Type};

use super::partitions;
use crate::{
    StoreError,
    postgres::{
        lane,
        session::{Param, Session},
        value::{Uuid, millis},
    },
};

/// Messages that one step takes.
const STEP: usize = 500;

/// Those of partitions that stay: in one that is about to be dropped, bodies go with it.
pub(in crate::postgres) const BODIES: &str = "SELECT application, id, targets
    FROM message
    WHERE body IS NOT NULL AND body_until <= $1 AND id >= $2
    ORDER BY body_until
    LIMIT 500
    FOR UPDATE SKIP LOCKED";

/// Those that are in no day's partition, however old.
pub(in crate::postgres) const BODIES_OF_REST: &str = "SELECT application, id, targets
    FROM message_rest
    WHERE body IS NOT NULL AND body_until <= $1
    ORDER BY body_until
    LIMIT 500
    FOR UPDATE SKIP LOCKED";

pub(in crate::postgres) const REMOVE: &str = "UPDATE message m
    SET body = NULL
    FROM unnest($1::uuid[], $2::uuid[]) AS it (application, id)
    WHERE m.application = ANY (ARRAY[it.application]) AND m.id = it.id";

/// Nothing is left to be sent.
pub(in crate::postgres) const CANCEL: &str = "WITH gone AS (
        DELETE FROM queue q
        USING unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS it (application, endpoint, message)
        WHERE q.application = ANY (ARRAY[it.application]) AND q.endpoint = it.endpoint
            AND q.message = it.message
        RETURNING q.application, q.endpoint, q.message, q.attempts
    ), ended AS (
        INSERT INTO delivery (application, endpoint, message, state, attempts)
        SELECT application, endpoint, message, 3, attempts FROM gone
    )
    SELECT DISTINCT application, endpoint FROM gone ORDER BY application, endpoint";

/// Ids below `bound` are of messages that are themselves old; `true` if there is more to do.
pub(super) async fn expire(
    session: &mut Session,
    now: Timestamp,
    bound: Uuid,
) -> Result<bool, StoreError> {
    let staying = partitions::whole_day(bound);
    let now = millis(now);
    let until: Param<'_> = (&now, Type::INT8);
    let young = [until.clone(), (&staying, Type::UUID)];
    let more = remove(session, BODIES, &young).await?;
    Ok(remove(session, BODIES_OF_REST, &[until]).await? || more)
}

async fn remove(
    session: &mut Session,
    sql: &'static str,
    values: &[Param<'_>],
) -> Result<bool, StoreError> {
    session.begin().await?;
    let old = session.query(sql, values).await?;
    if !old.is_empty() {
        let applications: Vec<Uuid> = old.iter().map(|row| row.get(0)).collect();
        let ids: Vec<Uuid> = old.iter().map(|row| row.get(1)).collect();
        let keys: [Param<'_>; 2] = [(&applications, Type::UUID_ARRAY), (&ids, Type::UUID_ARRAY)];
        session.execute(REMOVE, &keys).await?;
        cancel(session, &old).await?;
    }
    session.commit().await?;
    Ok(old.len() == STEP)
}

/// Ends what is pending of the messages: columns `application, id, targets`.
async fn cancel(session: &mut Session, messages: &[Row]) -> Result<(), StoreError> {
    let mut keys: Vec<(Uuid, Uuid, Uuid)> = Vec::new();
    for row in messages {
        let targets: Vec<Uuid> = row.get(2);
        keys.extend(targets.into_iter().map(|endpoint| (row.get(0), endpoint, row.get(1))));
    }
    keys.sort_unstable();
    let applications: Vec<_> = keys.iter().map(|it| it.0).collect();
    let endpoints: Vec<_> = keys.iter().map(|it| it.1).collect();
    let messages: Vec<_> = keys.iter().map(|it| it.2).collect();
    let values: [Param<'_>; 3] = [
        (&applications, Type::UUID_ARRAY),
        (&endpoints, Type::UUID_ARRAY),
        (&messages, Type::UUID_ARRAY),
    ];
    let touched = session.query(CANCEL, &values).await?;
    let lane = |row: &Row| {
        (ApplicationId::from(row.get::<_, Uuid>(0)), EndpointId::from(row.get::<_, Uuid>(1)))
    };
    lane::refresh(session, &touched.iter().map(lane).collect::<Vec<_>>()).await
}
