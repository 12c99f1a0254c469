//! Takes over the deliveries of dead nodes.
//!
//! The row of a dead node is deleted first, so that its lease cannot be renewed any more. From then
//! on no node has its number, and every row that carries it is free. So a crash in between leaves
//! nothing behind, and rows that the node wrote while it was being declared dead are freed too.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{
    contract::cluster::StoreEvent,
    postgres::{error::DatabaseError, lane, node::Node, notify, session::Session},
};

/// Deliveries that one transaction frees, at most.
const STEP: i64 = 10_000;

/// How long a lane rests after its owner has left or died. A strict rate counts the calls of the last second,
/// and the next owner does not know those of the one before.
const REST_MILLIS: i64 = 1_000;

/// Looks for dead nodes as long as the store is open.
pub(in crate::postgres) async fn watch(node: Arc<Node>) {
    let lease = node.options.node_lease;
    let pause = (lease / 30).clamp(Duration::from_millis(50), Duration::from_secs(1));
    let mut sweep_at = Instant::now() + lease;
    loop {
        tokio::time::sleep(pause).await;
        let sweeps = sweep_at <= Instant::now();
        match check(&node, sweeps).await {
            Ok(()) if sweeps => sweep_at = Instant::now() + lease,
            Ok(()) => {},
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(error, "dead nodes were not looked for");
            },
        }
    }
}

/// Whether there are dead nodes, and whether this is the living node with the lowest number.
const STATE_OF_NODES: &str = "
SELECT coalesce(bool_or(alive_until <= clock_timestamp()), false),
    coalesce(min(id) FILTER (WHERE alive_until > clock_timestamp()) = $1, false)
FROM node";

/// A restart of the database counts as an outage for all nodes. A node whose own lease has ended
/// declares no other one dead.
const DELETE_DEAD: &str = "
DELETE FROM node
WHERE alive_until <= clock_timestamp()
    AND pg_postmaster_start_time() < clock_timestamp() - $2 * interval '1 millisecond'
    AND EXISTS (SELECT FROM node AS own WHERE own.id = $1 AND own.alive_until > clock_timestamp())";

const DELETE_OLD_CHANGES: &str =
    "DELETE FROM change WHERE at < clock_timestamp() - interval '10 minutes'";

/// Takes over from dead nodes. From time to time, the living node with the lowest number also frees
/// the rows that a crash during a takeover left.
async fn check(node: &Node, sweeps: bool) -> Result<(), DatabaseError> {
    let mut session = node.background_session().await?;
    let number = node.number();
    let row = session.query_one(STATE_OF_NODES, &[&number]).await?;
    let (has_dead, is_first): (bool, bool) = (row.get(0), row.get(1));
    if has_dead && !is_patient(node) {
        let deleted = session.execute(DELETE_DEAD, &[&number, &node.lease_millis()]).await?;
        if deleted > 0 {
            node.lease().has_orphans = true;
        }
    }
    let sweeps = sweeps && is_first;
    if sweeps {
        session.execute(DELETE_OLD_CHANGES, &[]).await?;
    }
    if sweeps || node.lease().has_orphans {
        let freed = free_orphans(&mut session, number).await?;
        node.lease().has_orphans = false;
        if freed > 0 {
            tracing::info!(count = freed, "deliveries of dead nodes are due again");
            node.emit(StoreEvent::DeliveriesTakenOver(freed));
        }
    }
    Ok(())
}

fn is_patient(node: &Node) -> bool {
    node.lease().patient_until.is_some_and(|until| until > Instant::now())
}

const DELETE_OWN: &str = "DELETE FROM node WHERE id = $1";

/// Ends the lease of this node, and frees what it still holds.
pub(in crate::postgres) async fn leave(node: &Node) -> Result<(), DatabaseError> {
    let mut session = node.session(&node.pools.background, node.options.call_timeout).await?;
    let number = node.number();
    session.execute(DELETE_OWN, &[&number]).await?;
    free_orphans(&mut session, number).await.map(drop)
}

pub(in crate::postgres) const FREE_LANES: &str = "
WITH lost AS (
    SELECT application, endpoint
    FROM lane
    WHERE owner IS NOT NULL
        AND NOT EXISTS (SELECT FROM node WHERE node.id = lane.owner OFFSET 0)
    ORDER BY application, endpoint
    FOR UPDATE OF lane
)
UPDATE lane
SET owner = NULL,
    rest_until = floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint + $1
FROM lost
WHERE lane.application = ANY (ARRAY[lost.application]) AND lane.endpoint = lost.endpoint";

/// Finds the rows by `ctid`, which no other index could replace: the partial index of held
/// deliveries is in the order of their leases.
pub(in crate::postgres) const FREE_DELIVERIES: &str = "
UPDATE queue
SET holder = NULL, free_at = due_at
WHERE ctid = ANY (ARRAY(
    SELECT ctid
    FROM queue AS lost
    WHERE holder IS NOT NULL
        AND NOT EXISTS (SELECT FROM node WHERE node.id = lost.holder OFFSET 0)
    LIMIT $1
    FOR UPDATE OF lost SKIP LOCKED
))
RETURNING application, endpoint, due_at, turn";

/// Frees all rows with a number that no node has, and returns the number of deliveries.
async fn free_orphans(session: &mut Session, number: i64) -> Result<u64, DatabaseError> {
    session.execute(FREE_LANES, &[&REST_MILLIS]).await?;
    let mut freed = 0;
    loop {
        session.begin().await?;
        let rows = session.query(FREE_DELIVERIES, &[&STEP]).await?;
        lane::mark_freed(session, number, &rows).await?;
        if !rows.is_empty() {
            notify::due(session).await?;
        }
        session.commit().await?;
        freed += rows.len() as u64;
        if rows.len() < usize::try_from(STEP).unwrap_or_default() {
            return Ok(freed);
        }
    }
}
