//! Takes over what dead nodes held.
//!
//! The row of a dead node goes first, so that its lease cannot be renewed any more; from then
//! on its number is one that nobody has, and what carries such a number is free. That heals a
//! crash in between, and also frees what a node wrote while it was being declared dead.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use tokio_postgres::types::Type;

use super::Shared;
use crate::{
    StoreError, StoreEvent,
    postgres::{claim, notice, session::Session},
};

/// Deliveries that are freed in one transaction.
const STEP: i64 = 10_000;

/// How long a lane rests when its owner is gone, so that the rate that was used there is
/// forgotten.
const REST_MILLIS: i64 = 1_000;

/// Looks for dead nodes for as long as the store is open.
pub(super) async fn reap(shared: Arc<Shared>) {
    let lease = shared.options.node_lease;
    let pause = (lease / 30).clamp(Duration::from_millis(50), Duration::from_secs(1));
    let mut sweep_at = Instant::now() + lease;
    loop {
        tokio::time::sleep(pause).await;
        let is_due = sweep_at <= Instant::now();
        match shared.look(is_due).await {
            Ok(()) if is_due => sweep_at = Instant::now() + lease,
            Ok(()) => {},
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(error, "dead nodes were not looked for");
            },
        }
    }
}

const LOOK: &str = "
    SELECT coalesce(bool_or(alive_until <= clock_timestamp()), false),
        coalesce(min(id) FILTER (WHERE alive_until > clock_timestamp()) = $1, false)
    FROM node";

/// The database's own restart counts as an outage for everybody, and a node whose lease has
/// ended itself judges nobody.
const BURY: &str = "
    DELETE FROM node
    WHERE alive_until <= clock_timestamp()
        AND pg_postmaster_start_time() < clock_timestamp() - $2 * interval '1 millisecond'
        AND EXISTS (SELECT FROM node AS own WHERE own.id = $1 AND own.alive_until > clock_timestamp())";

const LEAVE: &str = "DELETE FROM node WHERE id = $1";

pub(in crate::postgres) const GIVE_UP: &str = "
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

pub(in crate::postgres) const FREE: &str = "
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

const FORGET: &str = "DELETE FROM change WHERE at < clock_timestamp() - interval '10 minutes'";

impl Shared {
    /// Takes over from dead nodes if there are any, and looks for what a crash in the middle
    /// of that left: when this node must think so, and when it is its turn.
    async fn look(&self, is_due: bool) -> Result<(), StoreError> {
        let mut session = self.own().await?;
        let number = self.number();
        let row = session.query_one(LOOK, &[(&number, Type::INT8)]).await?;
        let (has_dead, is_first): (bool, bool) = (row.get(0), row.get(1));
        if has_dead && !self.is_patient() {
            let params = [(&number as _, Type::INT8), (&self.lease_millis() as _, Type::INT8)];
            if session.execute(BURY, &params).await? > 0 {
                self.lease().may_be_orphaned = true;
            }
        }
        let is_turn = is_due && is_first;
        if is_turn {
            session.execute(FORGET, &[]).await?;
        }
        if is_turn || self.lease().may_be_orphaned {
            let freed = adopt(&mut session, number).await?;
            self.lease().may_be_orphaned = false;
            self.inherited(freed);
        }
        Ok(())
    }

    fn inherited(&self, count: u64) {
        if count > 0 {
            tracing::info!(count, "deliveries of nodes that are gone are due again");
            self.tell(StoreEvent::DeliveriesTakenOver(count));
        }
    }

    fn is_patient(&self) -> bool {
        self.lease().patient_until.is_some_and(|until| until > Instant::now())
    }

    /// Ends this node's lease, and frees what it still holds.
    pub(super) async fn leave(&self) -> Result<(), StoreError> {
        let mut session = self.session(&self.own, self.options.call_timeout).await?;
        let number = self.number();
        session.execute(LEAVE, &[(&number, Type::INT8)]).await?;
        adopt(&mut session, number).await?;
        Ok(())
    }
}

/// Frees all that carries a number that nobody has; how many deliveries.
async fn adopt(session: &mut Session, node: i64) -> Result<u64, StoreError> {
    session.execute(GIVE_UP, &[(&REST_MILLIS, Type::INT8)]).await?;
    let mut freed = 0;
    loop {
        session.begin().await?;
        let rows = session.query(FREE, &[(&STEP, Type::INT8)]).await?;
        claim::raise(session, node, &rows).await?;
        if !rows.is_empty() {
            notice::due(session).await?;
        }
        session.commit().await?;
        freed += rows.len() as u64;
        if rows.len() < usize::try_from(STEP).unwrap_or_default() {
            return Ok(freed);
        }
    }
}
