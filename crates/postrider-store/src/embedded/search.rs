//! The search contract: which thread does what for each method.

pub(super) mod attempts;
pub(super) mod lookup;
pub(super) mod messages;
pub(super) mod owner;

use std::sync::Arc;

use async_trait::async_trait;
use postrider::{AttemptId, MessageId, OrganizationId, RejectionId, Uid};
use postrider_core::{
    catalog::Endpoint,
    delivery::Attempt,
    message::{Message, Rejection},
};

use super::store::EmbeddedStore;
use crate::{
    contract::search::{AttemptSearch, EndpointKey, MessageSearch, Reach, Search},
    error::StoreError,
    page::{Scan, ScanPage},
};

#[async_trait]
impl Search for EmbeddedStore {
    async fn search_messages(
        &self,
        reach: Reach,
        search: MessageSearch,
        scan: Scan<MessageId>,
    ) -> Result<ScanPage<Message, MessageId>, StoreError> {
        self.search(move |reader| messages::search(reader, &reach, &search, &scan)).await
    }

    async fn search_attempts(
        &self,
        reach: Reach,
        search: AttemptSearch,
        scan: Scan<AttemptId>,
    ) -> Result<ScanPage<(Attempt, Arc<Message>), AttemptId>, StoreError> {
        self.search(move |reader| attempts::search(reader, &reach, &search, &scan)).await
    }

    async fn messages_by_event_id(
        &self,
        organization: OrganizationId,
        event_id: Uid,
        limit: usize,
    ) -> Result<Vec<Message>, StoreError> {
        self.search(move |reader| lookup::messages(reader, &organization, &event_id, limit)).await
    }

    async fn endpoints_by_key(
        &self,
        organization: OrganizationId,
        key: EndpointKey,
        limit: usize,
    ) -> Result<Vec<Endpoint>, StoreError> {
        self.search(move |reader| lookup::endpoints(reader, &organization, &key, limit)).await
    }

    async fn rejection_by_id(
        &self,
        organization: OrganizationId,
        id: RejectionId,
    ) -> Result<Option<Rejection>, StoreError> {
        self.search(move |reader| lookup::rejection(reader, &organization, id)).await
    }
}
