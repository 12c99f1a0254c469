//! The nodes of one database: the lease, the shared clock, and events of other nodes.

pub(super) mod lease;
pub(super) mod listen;
pub(super) mod poll;
pub(super) mod take_over;
pub(super) mod version;

use async_trait::async_trait;
use postrider_core::time::Timestamp;

use super::{clock, store::PostgresStore};
use crate::{
    contract::cluster::{Cluster, NodeLease, StoreEvent},
    error::StoreError,
};

#[async_trait]
impl Cluster for PostgresStore {
    fn is_shared(&self) -> bool {
        true
    }

    async fn time(&self) -> Result<Option<Timestamp>, StoreError> {
        let mut session = self.node.background_session().await?;
        Ok(Some(clock::now(&mut session).await?))
    }

    fn node_lease(&self) -> NodeLease {
        self.node.lease().lease
    }

    async fn next_event(&self) -> StoreEvent {
        let mut events = self.events.lock().await;
        if self.node.take_missed_events() {
            // The engine reads everything again, so it needs none of the events that wait.
            while events.try_recv().is_ok() {}
            return StoreEvent::EventsMissed;
        }
        events.recv().await.expect("the node keeps a sender")
    }
}
