//! The deliveries contract: which thread does what for each method.

pub(super) mod append;
pub(super) mod cancel;
pub(super) mod claim;
pub(super) mod recover;
mod release;
mod reschedule;
mod resend;
pub(super) mod settle;
mod skip;

use std::sync::Arc;

use async_trait::async_trait;
use postrider::ApplicationId;
use postrider_core::{
    catalog::Recovery,
    delivery::{Delivery, DeliveryId, ResendMode},
    time::Timestamp,
};

use self::{claim::fetch, recover::search};
use super::{ledger::Ledger, number::DeliveryKey, store::EmbeddedStore};
use crate::{
    contract::deliveries::{
        AppendOutcome, Claim, ClaimedBatch, Deliveries, NewMessage, Scope, SettleBatch,
    },
    error::StoreError,
};

#[async_trait]
impl Deliveries for EmbeddedStore {
    async fn append(&self, batch: Vec<NewMessage>) -> Result<Vec<AppendOutcome>, StoreError> {
        let append = move |ledger: &mut Ledger| {
            ledger.require_space()?;
            ledger.append(&batch)
        };
        self.commit(append).await
    }

    /// The commit thread leases; a reading thread fetches the messages, so that reading their
    /// bodies does not delay commits.
    async fn claim(&self, claim: Claim) -> Result<ClaimedBatch, StoreError> {
        let leased = self.commit(move |ledger| ledger.claim(&claim)).await?;
        if leased.deliveries.is_empty() {
            return Ok(ClaimedBatch { deliveries: Vec::new(), next_due: leased.next_due });
        }
        let keys: Vec<DeliveryKey> = leased.deliveries.iter().map(|it| it.row.key).collect();
        match self.read(move |reader| fetch::messages_of(reader, leased)).await {
            Ok(fetched) if fetched.without_body.is_empty() => Ok(fetched.claimed),
            Ok(fetched) => {
                // A body was removed after the delivery was leased.
                let messages = fetched.without_body;
                self.commit(move |ledger| ledger.cancel_leased(&messages)).await?;
                Ok(fetched.claimed)
            },
            Err(error) => {
                self.commit(move |ledger| ledger.return_leases(&keys)).await?;
                Err(error)
            },
        }
    }

    async fn settle(&self, batch: Arc<SettleBatch>) -> Result<(), StoreError> {
        self.commit(move |ledger| ledger.settle(&batch)).await
    }

    async fn release(&self, deliveries: Vec<(Delivery, Timestamp)>) -> Result<(), StoreError> {
        let mut left = deliveries;
        while !left.is_empty() {
            let rest = left.split_off(left.len().min(release::STEP));
            self.commit(move |ledger| ledger.release(&left)).await?;
            left = rest;
        }
        Ok(())
    }

    async fn resend(
        &self,
        application: ApplicationId,
        id: DeliveryId,
        at: Timestamp,
        mode: ResendMode,
    ) -> Result<bool, StoreError> {
        self.commit(move |ledger| ledger.resend(application, id, at, mode)).await
    }

    async fn begin_recovery(&self, recovery: Recovery) -> Result<(), StoreError> {
        self.commit(move |ledger| ledger.begin_recovery(&recovery)).await
    }

    /// A reading thread finds failed and cancelled deliveries; the commit thread makes them due.
    async fn recover(&self, now: Timestamp, limit: usize) -> Result<Option<usize>, StoreError> {
        let oldest = self.commit(Ledger::oldest_recovery).await?;
        let Some(recovery) = oldest else { return Ok(None) };
        let of = recovery.clone();
        let found = self.search(move |reader| search::not_delivered(reader, &of, limit)).await;
        // It starts once the index has the deliveries that it is about.
        if matches!(found, Err(StoreError::Rebuilding(_))) {
            return Ok(None);
        }
        let found = found?;
        let is_last = found.len() < limit;
        self.commit(move |ledger| ledger.advance_recovery(&recovery, &found, is_last, now))
            .await
            .map(Some)
    }

    async fn cancel(&self, scope: Scope) -> Result<u64, StoreError> {
        // One at a time: the steps of several would share a transaction.
        let _permit = self.steps().acquire().await.expect("the semaphore is never closed");
        let mut total = 0;
        loop {
            let count = self.commit(move |ledger| ledger.cancel_step(scope)).await?;
            total += count as u64;
            if count < cancel::STEP {
                return Ok(total);
            }
        }
    }
}
