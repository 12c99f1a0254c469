//! The lease of this node: all that it holds is its own while the lease lasts.
//!
//! It ends by the database's clock, and the engine, which follows that clock, begins no call
//! after its end. What remains is a race: a call that began before the end may still be under
//! way when another node takes the delivery over, and that receiver then sees it twice. A
//! machine that is suspended as a whole, clock and all, can begin calls for a moment after it
//! wakes up.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use tokio_postgres::types::Type;

use super::{Shared, lock, value};
use crate::{NodeLease, StoreError, StoreEvent, postgres::session::Session};

/// What this node knows of its own lease.
#[derive(Debug)]
pub(super) struct Lease {
    pub tenure: NodeLease,
    /// Until then others' leases are left alone: if we could not reach the database, neither
    /// could they, and they shall have the time to come back.
    pub patient_until: Option<Instant>,
    /// Rows may carry a number that nobody has.
    pub may_be_orphaned: bool,
}

impl Default for Lease {
    fn default() -> Self {
        let tenure =
            NodeLease { epoch: 0, valid_until: postrider_core::time::Timestamp::default() };
        Self { tenure, patient_until: None, may_be_orphaned: false }
    }
}

/// Renews the lease for as long as the store is open.
pub(super) async fn keep(shared: Arc<Shared>) {
    let period = shared.options.node_lease / 3;
    let mut is_away = false;
    loop {
        // After a failure it is tried again soon: the lease goes on running.
        tokio::time::sleep(if is_away { period / 10 } else { period }).await;
        let renewed = shared.renew(period).await;
        if let Err(error) = &renewed {
            shared.be_patient();
            if !is_away {
                let error = error as &dyn std::error::Error;
                tracing::warn!(error, "the lease of this node was not renewed");
            }
        } else if is_away {
            tracing::info!("the lease of this node is renewed again");
        }
        is_away = renewed.is_err();
    }
}

impl Shared {
    /// Takes a number for this node; what it holds carries it.
    pub(super) async fn register(&self) -> Result<(), StoreError> {
        let mut session = self.session(&self.own, self.options.call_timeout).await?;
        self.register_with(&mut session).await?;
        let now = session.query_one(super::NOW, &[]).await?;
        lock(&self.heard).begin(value::timestamp(now.get(0)));
        Ok(())
    }

    async fn register_with(&self, session: &mut Session) -> Result<(), StoreError> {
        let sql = "INSERT INTO node (name, version, alive_until)
             VALUES ($1, $2, clock_timestamp() + $3 * interval '1 millisecond')
             RETURNING id, floor(extract(epoch FROM alive_until) * 1000)::bigint";
        let params = [
            (&self.options.node_name as _, Type::TEXT),
            (&env!("CARGO_PKG_VERSION") as _, Type::TEXT),
            (&self.lease_millis() as _, Type::INT8),
        ];
        let row = session.query_one(sql, &params).await?;
        let number = u64::try_from(row.get::<_, i64>(0)).unwrap_or_default();
        self.lease().tenure =
            NodeLease { epoch: number, valid_until: value::timestamp(row.get(1)) };
        Ok(())
    }

    /// Makes the lease longer; or, if another node has ended it, begins a new one.
    async fn renew(&self, timeout: Duration) -> Result<(), StoreError> {
        let sql = "UPDATE node
             SET alive_until = clock_timestamp() + $2 * interval '1 millisecond'
             WHERE id = $1
             RETURNING floor(extract(epoch FROM alive_until) * 1000)::bigint";
        let mut session = self.session(&self.own, timeout).await?;
        let number = self.number();
        let params = [(&number as _, Type::INT8), (&self.lease_millis() as _, Type::INT8)];
        let has_lapsed = if let Some(row) = session.query_opt(sql, &params).await? {
            self.renewed(row.get(0))
        } else {
            tracing::warn!("another node took over what this one held; it begins anew");
            self.register_with(&mut session).await?;
            self.lease().may_be_orphaned = true;
            true
        };
        if has_lapsed {
            self.be_patient();
            self.tell(StoreEvent::DeliveriesDue);
        }
        Ok(())
    }

    /// Takes note of the lease's new end; whether it had ended before it was renewed.
    fn renewed(&self, until: i64) -> bool {
        let mut lease = self.lease();
        let until = value::timestamp(until);
        let has_lapsed = until >= lease.tenure.valid_until + self.options.node_lease;
        lease.tenure.valid_until = until;
        has_lapsed
    }

    /// Leaves the others' leases alone for a while.
    fn be_patient(&self) {
        self.lease().patient_until = Some(Instant::now() + self.options.node_lease);
    }

    pub(super) fn lease_millis(&self) -> i64 {
        i64::try_from(self.options.node_lease.as_millis()).unwrap_or(i64::MAX)
    }
}
