//! The lease of this node: while it lasts, no other node touches what this one holds.
//!
//! The lease ends by the database's clock, and the engine, which follows that clock, begins no call
//! after its end. What remains is a race: a call that began before the end may still run when
//! another node takes the delivery over, and the receiver gets the message twice. A machine that is
//! suspended as a whole, clock and all, can begin calls for a moment after it wakes up.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{
    contract::cluster::{NodeLease, StoreEvent},
    postgres::{clock, error::DatabaseError, node::Node, session::Session, value},
};

/// Renews the lease as long as the store is open.
pub(in crate::postgres) async fn keep(node: Arc<Node>) {
    let period = node.options.node_lease / 3;
    let mut is_failing = false;
    loop {
        // After a failure it is tried again soon, since the lease runs on.
        tokio::time::sleep(if is_failing { period / 10 } else { period }).await;
        let renewed = renew(&node, period).await;
        if let Err(error) = &renewed {
            be_patient(&node);
            if !is_failing {
                let error = error as &dyn std::error::Error;
                tracing::warn!(error, "the lease of this node was not renewed");
            }
        } else if is_failing {
            tracing::info!("the lease of this node is renewed again");
        }
        is_failing = renewed.is_err();
    }
}

/// Registers this node, which gives it the number that its rows carry.
pub(in crate::postgres) async fn register(node: &Node) -> Result<(), DatabaseError> {
    let mut session = node.session(&node.pools.background, node.options.call_timeout).await?;
    register_with(node, &mut session).await?;
    node.changes().read_at = clock::now(&mut session).await?;
    Ok(())
}

const REGISTER: &str = "
INSERT INTO node (name, version, alive_until)
VALUES ($1, $2, clock_timestamp() + $3 * interval '1 millisecond')
RETURNING id, floor(extract(epoch FROM alive_until) * 1000)::bigint";

async fn register_with(node: &Node, session: &mut Session) -> Result<(), DatabaseError> {
    let (name, version) = (node.options.node_name.as_str(), env!("CARGO_PKG_VERSION"));
    let row = session.query_one(REGISTER, &[&name, &version, &node.lease_millis()]).await?;
    let number = u64::try_from(row.get::<_, i64>(0)).unwrap_or_default();
    node.lease().lease = NodeLease { epoch: number, valid_until: value::timestamp(row.get(1)) };
    Ok(())
}

/// No row matches if another node has declared this one dead.
const RENEW: &str = "
UPDATE node
SET alive_until = clock_timestamp() + $2 * interval '1 millisecond'
WHERE id = $1
RETURNING floor(extract(epoch FROM alive_until) * 1000)::bigint";

/// Extends the lease. If another node has ended it, registers again under a new number.
async fn renew(node: &Node, timeout: Duration) -> Result<(), DatabaseError> {
    let mut session = node.session(&node.pools.background, timeout).await?;
    let params = (node.number(), node.lease_millis());
    let renewed = session.query_opt(RENEW, &[&params.0, &params.1]).await?;
    let has_lapsed = if let Some(row) = renewed {
        extend(node, row.get(0))
    } else {
        tracing::warn!("another node took over the deliveries of this one; it registers again");
        register_with(node, &mut session).await?;
        // What this node wrote while it was being declared dead carries its old number.
        node.lease().has_orphans = true;
        true
    };
    if has_lapsed {
        be_patient(node);
        node.emit(StoreEvent::DeliveriesDue);
    }
    Ok(())
}

/// Records the new end of the lease. Returns whether the lease had ended before it was renewed.
fn extend(node: &Node, until: i64) -> bool {
    let mut state = node.lease();
    let until = value::timestamp(until);
    let has_lapsed = until >= state.lease.valid_until + node.options.node_lease;
    state.lease.valid_until = until;
    has_lapsed
}

/// Leaves the leases of other nodes alone for a while.
fn be_patient(node: &Node) {
    node.lease().patient_until = Some(Instant::now() + node.options.node_lease);
}
