//! Logs of polling endpoints.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use postrider::{ApplicationId, EndpointId, MessageId};
use postrider_core::{
    polling::{Bisection, PollConsumer},
    time::Timestamp,
};

use super::{MemoryStore, state::State};
use crate::{
    contract::{
        catalog::{Parent, RecordKind, Version},
        polling::{LogEntry, LogKey, LogPage, PollLogs, SavedConsumer},
    },
    error::StoreError,
    weight::{LIST_BYTES, Weight},
};

#[async_trait]
impl PollLogs for MemoryStore {
    async fn append_to_log(
        &self,
        log: LogKey,
        messages: Vec<MessageId>,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.transact_as_holder(|state| Ok(state.append_to_log(log, messages, at))).await
    }

    async fn read_log(&self, log: LogKey, after: u64, limit: usize) -> Result<LogPage, StoreError> {
        self.transact(|state| Ok(state.read_log(log, after, limit)))
    }

    async fn log_end(&self, log: LogKey) -> Result<u64, StoreError> {
        self.transact(|state| Ok(state.logs.get(&log.endpoint).map_or(0, |it| it.last)))
    }

    async fn log_offset_at(&self, log: LogKey, at: Timestamp) -> Result<u64, StoreError> {
        self.transact(|state| {
            let Some(log) = state.logs.get(&log.endpoint) else { return Ok(0) };
            let mut search = Bisection::new(at, log.last);
            while let Some(asked) = search.next() {
                let entry = log.entries.range(asked..).next();
                search.found(asked, entry.map(|(offset, (_, at))| (*offset, *at)));
            }
            Ok(search.offset())
        })
    }

    async fn poll_consumer(
        &self,
        log: LogKey,
        id: &str,
    ) -> Result<Option<(PollConsumer, Version)>, StoreError> {
        self.transact(|state| {
            let found = state.logs.get(&log.endpoint).and_then(|log| log.consumers.get(id));
            Ok(found.map(|(version, consumer)| (consumer.clone(), *version)))
        })
    }

    async fn poll_consumers(&self, log: LogKey) -> Result<Vec<PollConsumer>, StoreError> {
        self.transact(|state| {
            let consumers = state.logs.get(&log.endpoint).map(|log| log.consumers.values());
            Ok(consumers.into_iter().flatten().map(|(_, consumer)| consumer.clone()).collect())
        })
    }

    async fn save_poll_consumer(
        &self,
        log: LogKey,
        saved: SavedConsumer,
    ) -> Result<bool, StoreError> {
        self.transact(|state| state.save_poll_consumer(log, saved))
    }

    async fn remove_poll_consumer(&self, log: LogKey, id: &str) -> Result<bool, StoreError> {
        self.transact(|state| {
            let log = state.logs.get_mut(&log.endpoint);
            Ok(log.is_some_and(|log| log.consumers.remove(id).is_some()))
        })
    }
}

impl State {
    fn has_endpoint(&self, log: LogKey) -> bool {
        let record = self.record(RecordKind::Endpoint, log.endpoint.as_u128());
        record.is_some_and(|it| it.parent == Parent::Application(log.application))
    }

    fn append_to_log(&mut self, log: LogKey, messages: Vec<MessageId>, at: Timestamp) -> bool {
        if !self.has_endpoint(log) {
            return false;
        }
        let log = self.logs.entry(log.endpoint).or_default();
        log.last_at = log.last_at.max(at);
        for message in messages {
            if log.messages.insert(message) {
                log.last += 1;
                log.entries.insert(log.last, (message, log.last_at));
            }
        }
        true
    }

    fn read_log(&self, log: LogKey, after: u64, limit: usize) -> LogPage {
        let mut page = LogPage { entries: Vec::new(), scanned: after, is_end: true };
        let Some(log) = self.logs.get(&log.endpoint) else { return page };
        let mut bytes = 0;
        for (&offset, (id, _)) in log.entries.range(after.saturating_add(1)..).take(limit) {
            if bytes >= LIST_BYTES {
                break;
            }
            page.scanned = offset;
            let message = self.messages.get(id).filter(|it| it.body.is_some());
            if let Some(message) = message {
                bytes += message.weight();
                page.entries.push(LogEntry { offset, message: Arc::clone(message) });
            }
        }
        page.is_end = log.entries.range(page.scanned.saturating_add(1)..).next().is_none();
        page
    }

    fn save_poll_consumer(
        &mut self,
        log: LogKey,
        saved: SavedConsumer,
    ) -> Result<bool, StoreError> {
        if !self.has_endpoint(log) {
            return Ok(false);
        }
        let log = self.logs.entry(log.endpoint).or_default();
        let current = log.consumers.get(&saved.consumer.id).map(|(version, _)| *version);
        let version = saved.next(current, log.consumers.len())?;
        log.consumers.insert(saved.consumer.id.clone(), (version, saved.consumer));
        Ok(true)
    }

    /// Removes the log of an endpoint.
    pub(super) fn remove_log(&mut self, endpoint: EndpointId) {
        self.logs.remove(&endpoint);
    }

    /// Removes the logs of an application's endpoints.
    pub(super) fn remove_logs_of(&mut self, application: ApplicationId) {
        let Self { logs, records, .. } = self;
        let endpoints: BTreeSet<_> = records
            .values()
            .filter(|(_, row)| row.kind == RecordKind::Endpoint)
            .filter(|(_, row)| row.application != Some(application))
            .map(|(_, row)| row.id.clone())
            .collect();
        logs.retain(|endpoint, _| endpoints.contains(&(*endpoint).into()));
    }

    /// Removes the entries of messages that have outlived their retention.
    pub(super) fn expire_logs(&mut self, is_old: impl Fn(MessageId) -> bool) {
        for log in self.logs.values_mut() {
            log.entries.retain(|_, (message, _)| !is_old(*message));
            log.messages.retain(|message| !is_old(*message));
        }
    }
}
