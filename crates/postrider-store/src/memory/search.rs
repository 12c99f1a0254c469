//! Reads across applications, found by scanning everything.

use std::sync::Arc;

use async_trait::async_trait;
use postrider::{
    ApplicationId, AttemptId, EndpointId, MessageId, OrganizationId, RejectionId, Uid,
};
use postrider_core::{
    catalog::Endpoint,
    delivery::{Attempt, StatusKind},
    message::{Message, Rejection},
};

use super::{MemoryStore, history::status, state::State};
use crate::{
    contract::{
        catalog::{Parent, RecordKind, record::decode},
        search::{AttemptSearch, EndpointKey, MessageSearch, Reach, Search},
    },
    error::StoreError,
    page::{Scan, ScanPage},
};

#[async_trait]
impl Search for MemoryStore {
    async fn search_messages(
        &self,
        reach: Reach,
        search: MessageSearch,
        scan: Scan<MessageId>,
    ) -> Result<ScanPage<Message, MessageId>, StoreError> {
        self.transact(|state| Ok(state.search_messages(&reach, &search, &scan)))
    }

    async fn search_attempts(
        &self,
        reach: Reach,
        search: AttemptSearch,
        scan: Scan<AttemptId>,
    ) -> Result<ScanPage<(Attempt, Arc<Message>), AttemptId>, StoreError> {
        self.transact(|state| Ok(state.search_attempts(&reach, &search, &scan)))
    }

    async fn messages_by_event_id(
        &self,
        organization: OrganizationId,
        event_id: Uid,
        limit: usize,
    ) -> Result<Vec<Message>, StoreError> {
        self.transact(|state| {
            let reach = Reach::organization(organization);
            let is_it = |it: &&Arc<Message>| {
                it.event_id.as_ref() == Some(&event_id) && state.reaches(&reach, it.application)
            };
            let found = state.messages.values().filter(is_it).take(limit);
            Ok(found.map(|it| Message { body: None, ..Message::clone(it) }).collect())
        })
    }

    async fn endpoints_by_key(
        &self,
        organization: OrganizationId,
        key: EndpointKey,
        limit: usize,
    ) -> Result<Vec<Endpoint>, StoreError> {
        self.transact(|state| {
            let reach = Reach::organization(organization);
            let mut found = state.endpoints().collect::<Result<Vec<_>, _>>()?;
            found.retain(|it| state.reaches(&reach, it.application) && is_named(it, &key));
            found.truncate(limit);
            Ok(found)
        })
    }

    async fn rejection_by_id(
        &self,
        organization: OrganizationId,
        id: RejectionId,
    ) -> Result<Option<Rejection>, StoreError> {
        self.transact(|state| {
            let is_own = |it: &&Rejection| {
                let source = state.record(RecordKind::Source, it.source.as_u128());
                let parent = Parent::Organization(organization.clone());
                it.id == id && source.is_some_and(|source| source.parent == parent)
            };
            Ok(state.rejections.values().find(is_own).cloned())
        })
    }
}

fn is_named(endpoint: &Endpoint, key: &EndpointKey) -> bool {
    match key {
        EndpointKey::Id(id) => endpoint.id == *id,
        EndpointKey::Uid(uid) => endpoint.uid.as_ref() == Some(uid),
        EndpointKey::UrlPrefix(prefix) => endpoint.url.starts_with(prefix),
    }
}

impl State {
    fn endpoints(&self) -> impl Iterator<Item = Result<Endpoint, StoreError>> {
        let records = self.records.values().map(|(_, row)| row);
        records.filter(|it| it.kind == RecordKind::Endpoint).map(|it| decode(&it.json))
    }

    fn reaches(&self, reach: &Reach, application: ApplicationId) -> bool {
        let record = self.record(RecordKind::Application, application.as_u128());
        let parent = Parent::Organization(reach.organization.clone());
        reach.includes(application) && record.is_some_and(|it| it.parent == parent)
    }

    fn search_messages(
        &self,
        reach: &Reach,
        search: &MessageSearch,
        scan: &Scan<MessageId>,
    ) -> ScanPage<Message, MessageId> {
        let filter = &search.message;
        let found = self.messages.values().filter(|it| {
            self.reaches(reach, it.application)
                && filter.spans(it.id.millis())
                && filter.concerns(it)
                && self.has_delivery(it.id, reach.endpoint(), search.status)
                && search.matches_payload(it)
        });
        ScanPage::of(found.map(|it| (it.id, search.show(Message::clone(it)))), scan)
    }

    fn has_delivery(
        &self,
        message: MessageId,
        endpoint: Option<EndpointId>,
        wanted: Option<StatusKind>,
    ) -> bool {
        if endpoint.is_none() && wanted.is_none() {
            return true;
        }
        self.deliveries.values().any(|it| {
            it.delivery.id.message == message
                && endpoint.is_none_or(|endpoint| it.delivery.id.endpoint == endpoint)
                && wanted.is_none_or(|wanted| StatusKind::from(status(it)) == wanted)
        })
    }

    fn search_attempts(
        &self,
        reach: &Reach,
        search: &AttemptSearch,
        scan: &Scan<AttemptId>,
    ) -> ScanPage<(Attempt, Arc<Message>), AttemptId> {
        let filter = &search.attempt.message;
        let found = self.attempts.values().filter_map(|attempt| {
            let message = self.messages.get(&attempt.delivery.message)?;
            let endpoint = attempt.delivery.endpoint;
            let wanted = self.reaches(reach, message.application)
                && reach.endpoint().is_none_or(|only| only == endpoint)
                && search.passes(attempt)
                && filter.concerns(message)
                && self.is_of_kind(search, endpoint);
            let response = attempt.response.clone().filter(|_| !search.without_response);
            let attempt = Attempt { response, ..attempt.clone() };
            wanted.then(|| (attempt.id, (attempt, filter.show(message))))
        });
        ScanPage::of(found, scan)
    }

    fn is_of_kind(&self, search: &AttemptSearch, endpoint: EndpointId) -> bool {
        let Some(kind) = search.kind else { return true };
        let record = self.record(RecordKind::Endpoint, endpoint.as_u128());
        let endpoint = record.and_then(|it| decode::<Endpoint>(&it.json).ok());
        endpoint.is_some_and(|it| it.kind == kind)
    }
}
