//! Deliveries, from the acceptance of a message until each of them has ended.

mod append;
mod cancel;
mod claim;
mod recover;
mod release;
mod reschedule;
mod resend;
mod settle;

use std::sync::Arc;

use async_trait::async_trait;
use postrider::{ApplicationId, MessageId};
use postrider_core::{
    catalog::Recovery,
    delivery::{Delivery, DeliveryId, ResendMode},
    time::Timestamp,
};

use super::{MemoryStore, node::lock};
use crate::{
    contract::deliveries::{
        AppendOutcome, Claim, ClaimedBatch, Deliveries, NewMessage, Scope, SettleBatch,
    },
    error::StoreError,
};

#[async_trait]
impl Deliveries for MemoryStore {
    async fn append(&self, batch: Vec<NewMessage>) -> Result<Vec<AppendOutcome>, StoreError> {
        self.transact_as_holder(|state| {
            Ok(batch.into_iter().map(|new| state.append(new)).collect())
        })
        .await
    }

    async fn claim(&self, claim: Claim) -> Result<ClaimedBatch, StoreError> {
        assert!(!*lock(&self.node.is_panicking), "the store was made to panic");
        self.transact_as_holder(|state| Ok(state.claim(&claim))).await
    }

    async fn settle(&self, batch: Arc<SettleBatch>) -> Result<(), StoreError> {
        self.transact_as_holder(|state| {
            for settlement in &batch.settlements {
                state.settle(settlement);
            }
            for new in &batch.messages {
                state.append(new.clone());
            }
            Ok(())
        })
        .await
    }

    async fn release(&self, deliveries: Vec<(Delivery, Timestamp)>) -> Result<(), StoreError> {
        self.transact_as_holder(|state| {
            for (delivery, at) in &deliveries {
                state.release(delivery, *at);
            }
            Ok(())
        })
        .await
    }

    async fn resend(
        &self,
        application: ApplicationId,
        id: DeliveryId,
        at: Timestamp,
        mode: ResendMode,
    ) -> Result<bool, StoreError> {
        self.transact(|state| Ok(state.resend(application, id, at, mode)))
    }

    async fn begin_recovery(&self, recovery: Recovery) -> Result<(), StoreError> {
        self.transact(|state| {
            state.recoveries.push_back((recovery, MessageId::from_u128(0)));
            Ok(())
        })
    }

    async fn recover(&self, now: Timestamp, limit: usize) -> Result<Option<usize>, StoreError> {
        self.transact(|state| Ok(state.recover(now, limit)))
    }

    async fn cancel(&self, scope: Scope) -> Result<u64, StoreError> {
        self.transact(|state| Ok(state.cancel(scope)))
    }
}
