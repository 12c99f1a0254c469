//! Collects what was found in payloads, and stores it in the background, so that it survives a
//! restart and all nodes report the same.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use postrider::{EventTypeName, OrganizationId};
use postrider_core::{
    catalog::EventType,
    schema_report::{Findings, Mismatch, SchemaReport},
    time::Timestamp,
};
use postrider_store::{Expected, IdOrUid, Records, Store, StoreError};
use tokio_util::task::TaskTracker;

use crate::background_writer::{self, Collected, WriterState};

/// Time between two writes.
const PAUSE: Duration = Duration::from_secs(2);

/// Event types with findings in memory. Those of others are not recorded until the store takes
/// these.
const MAX_UNSAVED: usize = 2_000;

/// How often a report is saved if other nodes change it at the same time.
const MAX_TRIES: usize = 5;

type Key = (OrganizationId, EventTypeName);

/// Findings that are not in the store yet.
#[derive(Clone, Debug)]
struct Unsaved {
    since: Timestamp,
    findings: Findings,
}

#[derive(Debug, Default)]
struct Pending {
    unsaved: HashMap<Key, Unsaved>,
    writer: WriterState,
}

/// What was found in the payloads of event types.
#[derive(Clone, Debug)]
pub(crate) struct Reports(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    store: Arc<dyn Store>,
    tasks: TaskTracker,
    pending: Mutex<Pending>,
    /// Held from before findings are taken until they are stored, so that its holder finds all of
    /// them either in memory or in the store.
    writing: tokio::sync::Mutex<()>,
}

impl Reports {
    pub(crate) fn new(store: Arc<dyn Store>, tasks: TaskTracker) -> Self {
        let (pending, writing) = (Mutex::default(), tokio::sync::Mutex::default());
        Self(Arc::new(Shared { store, tasks, pending, writing }))
    }

    /// The report on an event type, with everything that this node has found.
    pub(crate) async fn of(
        &self,
        organization: &OrganizationId,
        name: &EventTypeName,
    ) -> Result<Option<SchemaReport>, StoreError> {
        let key = (organization.clone(), name.clone());
        let _writing = self.0.writing.lock().await;
        if let Some(unsaved) = self.0.take(&key) {
            self.0.save_or_keep(key, unsaved).await?;
        }
        self.0.store.get::<SchemaReport>(organization, &IdOrUid::Id(name.clone())).await
    }

    /// Stores everything at once.
    pub(crate) async fn flush(&self) -> Result<(), StoreError> {
        self.0.store_all().await
    }

    pub(super) fn add_valid(&self, key: Key, at: Timestamp) {
        self.change(key, at, |findings| findings.valid += 1);
    }

    pub(super) fn add(&self, key: Key, mismatch: Mismatch) {
        self.change(key, mismatch.at, |findings| findings.add(mismatch));
    }

    fn change(&self, key: Key, at: Timestamp, change: impl FnOnce(&mut Findings)) {
        let mut pending = self.0.lock();
        if pending.unsaved.len() >= MAX_UNSAVED && !pending.unsaved.contains_key(&key) {
            return;
        }
        let none = || Unsaved { since: at, findings: Findings::default() };
        change(&mut pending.unsaved.entry(key).or_insert_with(none).findings);
        if pending.writer.begin() {
            background_writer::start(&self.0.tasks, Arc::clone(&self.0));
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, key: &Key) -> Option<Unsaved> {
        self.lock().unsaved.remove(key)
    }

    fn keys(&self) -> Vec<Key> {
        self.lock().unsaved.keys().cloned().collect()
    }

    /// Stores what is there, unless the store fails.
    async fn store_all(&self) -> Result<(), StoreError> {
        for key in self.keys() {
            let _writing = self.writing.lock().await;
            if let Some(unsaved) = self.take(&key) {
                self.save_or_keep(key, unsaved).await?;
            }
        }
        Ok(())
    }

    async fn save_or_keep(&self, key: Key, unsaved: Unsaved) -> Result<(), StoreError> {
        let saved = self.save(&key, &unsaved).await;
        if saved.is_err() {
            let mut pending = self.lock();
            let kept = pending
                .unsaved
                .entry(key)
                .or_insert_with(|| Unsaved { since: unsaved.since, findings: Findings::default() });
            kept.since = kept.since.min(unsaved.since);
            kept.findings.merge(unsaved.findings);
        }
        saved
    }

    async fn save(&self, key: &Key, unsaved: &Unsaved) -> Result<(), StoreError> {
        for _ in 1..MAX_TRIES {
            match self.try_save(key, unsaved).await {
                Err(StoreError::VersionMismatch { .. } | StoreError::Conflict { .. }) => {},
                result => return result,
            }
        }
        self.try_save(key, unsaved).await
    }

    async fn try_save(&self, key: &Key, unsaved: &Unsaved) -> Result<(), StoreError> {
        let (organization, name) = key;
        let id = IdOrUid::Id(name.clone());
        let found = self.store.get_versioned::<SchemaReport>(organization, &id).await?;
        let (mut report, expected) = match found {
            Some((report, version)) => (report, Expected::Version(version)),
            // The event type may have been removed meanwhile, and its report with it.
            None if self.store.get::<EventType>(organization, &id).await?.is_none() => {
                return Ok(());
            },
            None => (empty(key, unsaved.since), Expected::New),
        };
        report.findings.merge(unsaved.findings.clone());
        self.store.save(&report, expected).await.map(drop)
    }
}

fn empty((organization, event_type): &Key, since: Timestamp) -> SchemaReport {
    SchemaReport {
        organization: organization.clone(),
        event_type: event_type.clone(),
        since,
        findings: Findings::default(),
    }
}

impl Collected for Shared {
    const NAME: &'static str = "schema reports";
    const FIRST_PAUSE: Duration = PAUSE;
    const PAUSE: Duration = PAUSE;

    fn has_ended(&self) -> bool {
        let mut pending = self.lock();
        let is_empty = pending.unsaved.is_empty();
        pending.writer.has_ended(is_empty)
    }

    async fn write(&self) -> Result<(), StoreError> {
        self.store_all().await
    }
}
