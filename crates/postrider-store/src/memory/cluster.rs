//! The node's lease and the clock that nodes share.

use async_trait::async_trait;
use postrider_core::time::Timestamp;

use super::{MemoryStore, node::lock};
use crate::{
    contract::cluster::{Cluster, NodeLease},
    error::StoreError,
};

#[async_trait]
impl Cluster for MemoryStore {
    async fn time(&self) -> Result<Option<Timestamp>, StoreError> {
        self.transact(|_| Ok(()))?;
        Ok(lock(&self.node.time).map(|(time, since)| time + since.elapsed()))
    }

    fn node_lease(&self) -> NodeLease {
        self.lease()
    }
}
