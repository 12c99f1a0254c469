//! The search contract: reads across applications.

pub(super) mod attempts;
pub(super) mod fetch;
pub(super) mod lookup;
pub(super) mod messages;

use std::sync::Arc;

use async_trait::async_trait;
use postrider::{AttemptId, MessageId, OrganizationId, RejectionId, Uid};
use postrider_core::{
    catalog::Endpoint,
    delivery::Attempt,
    message::{Message, Rejection},
};

use super::store::{PostgresStore, with_session};
use crate::{
    contract::search::{AttemptSearch, EndpointKey, MessageSearch, Reach, Search},
    error::StoreError,
    page::{Scan, ScanPage},
};

#[async_trait]
impl Search for PostgresStore {
    async fn search_messages(
        &self,
        reach: Reach,
        search: MessageSearch,
        scan: Scan<MessageId>,
    ) -> Result<ScanPage<Message, MessageId>, StoreError> {
        with_session!(self.node.api_session(), |session| messages::search(
            session, &reach, &search, &scan
        ))
    }

    async fn search_attempts(
        &self,
        reach: Reach,
        search: AttemptSearch,
        scan: Scan<AttemptId>,
    ) -> Result<ScanPage<(Attempt, Arc<Message>), AttemptId>, StoreError> {
        with_session!(self.node.api_session(), |session| attempts::search(
            session, &reach, &search, &scan
        ))
    }

    async fn messages_by_event_id(
        &self,
        organization: OrganizationId,
        event_id: Uid,
        limit: usize,
    ) -> Result<Vec<Message>, StoreError> {
        with_session!(self.node.api_session(), |session| lookup::messages(
            session,
            &organization,
            &event_id,
            limit
        ))
    }

    async fn endpoints_by_key(
        &self,
        organization: OrganizationId,
        key: EndpointKey,
        limit: usize,
    ) -> Result<Vec<Endpoint>, StoreError> {
        with_session!(self.node.api_session(), |session| lookup::endpoints(
            session,
            &organization,
            &key,
            limit
        ))
    }

    async fn rejection_by_id(
        &self,
        organization: OrganizationId,
        id: RejectionId,
    ) -> Result<Option<Rejection>, StoreError> {
        with_session!(self.node.api_session(), |session| lookup::rejection(
            session,
            &organization,
            id
        ))
    }
}
