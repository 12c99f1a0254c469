//! History: reads of messages, attempts and deliveries, and the removal of their content.

pub(super) mod attempts;
pub(super) mod deliveries;
pub(super) mod expunge;
pub(super) mod fetch;
pub(super) mod messages;
pub(super) mod sequence;
pub(super) mod states;
pub(super) mod statistics;
pub(super) mod walk;

use std::sync::Arc;

use async_trait::async_trait;
use postrider::{ApplicationId, AttemptId, EndpointId, MessageId};
use postrider_core::{
    delivery::{Attempt, DeliveryId},
    message::Message,
    time::Timestamp,
};

use super::store::{PostgresStore, with_session};
use crate::{
    contract::{
        catalog::IdOrUid,
        history::{
            AttemptFilter, AttemptsOf, DeliveriesOf, DeliveryFilter, DeliveryRow, History,
            MessageFilter, Stats,
        },
    },
    error::StoreError,
    page::{Scan, ScanPage},
};

#[async_trait]
impl History for PostgresStore {
    async fn message(
        &self,
        application: ApplicationId,
        key: &IdOrUid<MessageId>,
    ) -> Result<Option<Message>, StoreError> {
        with_session!(self.node.api_session(), |session| messages::message(
            session,
            application,
            key
        ))
    }

    async fn messages(
        &self,
        application: ApplicationId,
        filter: MessageFilter,
        scan: Scan<MessageId>,
    ) -> Result<ScanPage<Message, MessageId>, StoreError> {
        with_session!(self.node.api_session(), |session| messages::messages(
            session,
            application,
            &filter,
            &scan
        ))
    }

    async fn attempt(
        &self,
        application: ApplicationId,
        message: MessageId,
        id: AttemptId,
    ) -> Result<Option<Attempt>, StoreError> {
        with_session!(self.node.api_session(), |session| attempts::attempt(
            session,
            application,
            message,
            id
        ))
    }

    async fn attempts(
        &self,
        of: AttemptsOf,
        filter: AttemptFilter,
        scan: Scan<AttemptId>,
    ) -> Result<ScanPage<(Attempt, Arc<Message>), AttemptId>, StoreError> {
        with_session!(self.node.api_session(), |session| attempts::attempts(
            session, of, &filter, &scan
        ))
    }

    async fn deliveries(
        &self,
        of: DeliveriesOf,
        filter: DeliveryFilter,
        scan: Scan<DeliveryId>,
    ) -> Result<ScanPage<DeliveryRow, DeliveryId>, StoreError> {
        with_session!(self.node.api_session(), |session| deliveries::deliveries(
            session, of, &filter, &scan
        ))
    }

    async fn stats(
        &self,
        application: ApplicationId,
        endpoint: EndpointId,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Stats, StoreError> {
        with_session!(self.node.api_session(), |session| statistics::stats(
            session,
            application,
            endpoint,
            since,
            until
        ))
    }

    async fn backlog(
        &self,
        application: ApplicationId,
        _endpoints: &[EndpointId],
        at_most: u64,
    ) -> Result<u64, StoreError> {
        with_session!(self.node.api_session(), |session| statistics::backlog(
            session,
            application,
            at_most
        ))
    }

    async fn last_sequence(&self) -> Result<u64, StoreError> {
        with_session!(self.node.api_session(), |session| sequence::last_sequence(session))
    }

    async fn expunge_message(
        &self,
        application: ApplicationId,
        id: MessageId,
    ) -> Result<bool, StoreError> {
        with_session!(self.node.api_session(), |session| expunge::expunge_message(
            session,
            application,
            id
        ))
    }

    async fn expunge_attempt(
        &self,
        application: ApplicationId,
        message: MessageId,
        id: AttemptId,
    ) -> Result<bool, StoreError> {
        with_session!(self.node.api_session(), |session| expunge::expunge_attempt(
            session,
            application,
            message,
            id
        ))
    }
}
