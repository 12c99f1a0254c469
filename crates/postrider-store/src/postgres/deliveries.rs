//! Deliveries: append, claim, settle, release, resend, recover and cancel.

pub(super) mod append;
pub(super) mod cancel;
pub(super) mod claim;
pub(super) mod recover;
pub(super) mod release;
pub(super) mod reschedule;
pub(super) mod resend;
pub(super) mod settle;
pub(super) mod skip;

use std::sync::Arc;

use async_trait::async_trait;
use postrider::ApplicationId;
use postrider_core::{
    catalog::Recovery,
    delivery::{Delivery, DeliveryId, ResendMode},
    time::Timestamp,
};

use super::{
    error::DatabaseError,
    in_doubt,
    store::{PostgresStore, with_session},
};
use crate::{
    contract::deliveries::{
        AppendOutcome, Claim, ClaimedBatch, Deliveries, NewMessage, Scope, SettleBatch, Shard,
    },
    error::StoreError,
};

#[async_trait]
impl Deliveries for PostgresStore {
    async fn append(&self, batch: Vec<NewMessage>) -> Result<Vec<AppendOutcome>, StoreError> {
        let node = self.node.number();
        let result: Result<_, DatabaseError> = with_session!(
            self.node.delivery_session(),
            |session| append::append(session, node, &batch)
        );
        if result.as_ref().is_err_and(DatabaseError::is_in_doubt) {
            self.in_doubt.add(in_doubt::held(&batch));
        }
        Ok(result?)
    }

    async fn claim(&self, claim: Claim) -> Result<ClaimedBatch, StoreError> {
        self.release_in_doubt(claim.shard, claim.now).await?;
        let (node, mut taken) = (self.node.number(), Vec::new());
        let result = with_session!(self.node.delivery_session(), |session| claim::claim(
            session, node, &claim, &mut taken
        ));
        match &result {
            Ok(claimed) => {
                let ids = claimed.deliveries.iter().map(|(delivery, _)| delivery.id);
                self.in_doubt.resolve(ids);
            },
            Err(_) => self.in_doubt.add(taken),
        }
        result
    }

    async fn settle(&self, batch: Arc<SettleBatch>) -> Result<(), StoreError> {
        let node = self.node.number();
        with_session!(self.node.delivery_session(), |session| settle::settle(session, node, &batch))
    }

    async fn release(&self, deliveries: Vec<(Delivery, Timestamp)>) -> Result<(), StoreError> {
        let result = self.release_held(&deliveries).await;
        if result.is_err() {
            self.in_doubt.add(deliveries.into_iter().map(|(delivery, _)| delivery));
        }
        Ok(result.map(drop)?)
    }

    async fn resend(
        &self,
        application: ApplicationId,
        id: DeliveryId,
        at: Timestamp,
        mode: ResendMode,
    ) -> Result<bool, StoreError> {
        let when = (mode, at);
        with_session!(self.node.api_session(), |session| resend::resend(
            session,
            application,
            id,
            when
        ))
    }

    async fn begin_recovery(&self, recovery: Recovery) -> Result<(), StoreError> {
        with_session!(self.node.api_session(), |session| recover::begin_recovery(
            session, &recovery
        ))
    }

    async fn recover(&self, now: Timestamp, limit: usize) -> Result<Option<usize>, StoreError> {
        with_session!(self.node.api_session(), |session| recover::recover(session, now, limit))
    }

    async fn cancel(&self, scope: Scope) -> Result<u64, StoreError> {
        with_session!(self.node.api_session(), |session| cancel::cancel(session, scope))
    }
}

impl PostgresStore {
    /// Releases deliveries of the shard that this node may hold without knowing it.
    async fn release_in_doubt(&self, shard: Shard, now: Timestamp) -> Result<(), DatabaseError> {
        let deliveries = self.in_doubt.of_shard(shard, now);
        if !deliveries.is_empty() {
            let released = self.release_held(&deliveries).await?;
            self.in_doubt.released(&deliveries, now);
            self.in_doubt.resolve(released);
        }
        Ok(())
    }

    /// Releases deliveries, and returns those that this node held.
    async fn release_held(
        &self,
        deliveries: &[(Delivery, Timestamp)],
    ) -> Result<Vec<DeliveryId>, DatabaseError> {
        let node = self.node.number();
        with_session!(self.node.delivery_session(), |session| release::release(
            session, node, deliveries
        ))
    }
}
