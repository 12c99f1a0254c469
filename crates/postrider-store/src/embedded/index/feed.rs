//! The channels between the commit thread, the index thread and readers.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use postrider_core::{statistics::Resolution, time::Timestamp};
use tokio::sync::watch;

use super::{
    coverage::Coverage,
    updates::{Update, UpdateSender},
};
use crate::{
    embedded::{error, journal::Change, number::JournalPosition},
    error::StoreError,
};

/// Positions that the threads share.
#[derive(Debug)]
pub(super) struct Shared {
    /// The last position that was committed.
    offered: AtomicU64,
    /// The highest position that a reader waits for.
    wanted: AtomicU64,
    /// The position that the index file has on disk.
    durable: AtomicU64,
    /// The first generation of the index that no reader has found damaged.
    intact: AtomicU64,
    /// When the first periods begin whose statistics are kept, by resolution.
    kept: [AtomicU64; 3],
}

impl Shared {
    pub(super) const fn new(applied: JournalPosition) -> Self {
        Self {
            offered: AtomicU64::new(applied.0),
            wanted: AtomicU64::new(0),
            durable: AtomicU64::new(0),
            intact: AtomicU64::new(0),
            kept: [const { AtomicU64::new(0) }; 3],
        }
    }

    pub(super) fn offered(&self) -> JournalPosition {
        JournalPosition(self.offered.load(Ordering::Acquire))
    }

    pub(super) fn wanted(&self) -> JournalPosition {
        JournalPosition(self.wanted.load(Ordering::Acquire))
    }

    /// Whether a reader found the index of this generation damaged.
    pub(super) fn is_damaged(&self, generation: u64) -> bool {
        self.intact.load(Ordering::Acquire) > generation
    }

    pub(super) fn set_durable(&self, position: JournalPosition) {
        self.durable.store(position.0, Ordering::Release);
    }
}

impl Shared {
    pub(super) fn kept(&self) -> KeptFrom {
        let from = |it: &AtomicU64| Timestamp::from_millis(it.load(Ordering::Acquire));
        let [minutes, hours, days] = &self.kept;
        KeptFrom([from(minutes), from(hours), from(days)])
    }
}

/// When the first periods begin whose statistics are kept, by resolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::embedded) struct KeptFrom(pub(in crate::embedded) [Timestamp; 3]);

impl KeptFrom {
    pub(in crate::embedded) const fn of(self, resolution: Resolution) -> Timestamp {
        let [minutes, hours, days] = self.0;
        match resolution {
            Resolution::Minute => minutes,
            Resolution::Hour => hours,
            Resolution::Day => days,
        }
    }
}

/// The commit thread's side.
#[derive(Debug)]
pub(in crate::embedded) struct IndexFeed {
    shared: Arc<Shared>,
    updates: UpdateSender,
}

impl IndexFeed {
    pub(super) const fn new(shared: Arc<Shared>, updates: UpdateSender) -> Self {
        Self { shared, updates }
    }

    /// The position up to which the index does not need the journal any more.
    pub(in crate::embedded) fn durable(&self) -> JournalPosition {
        JournalPosition(self.shared.durable.load(Ordering::Acquire))
    }

    pub(in crate::embedded) fn offer(&self, position: JournalPosition, changes: Vec<Change>) {
        self.shared.offered.store(position.0, Ordering::Release);
        // If the queue is full the index thread reads the changes from the journal.
        self.updates.try_send(Update::Committed(position, changes));
    }
}

/// The readers' side.
#[derive(Debug)]
pub(in crate::embedded) struct IndexWatch {
    shared: Arc<Shared>,
    updates: UpdateSender,
    progress: watch::Receiver<Progress>,
}

/// How far the index is.
#[derive(Clone, Debug)]
pub(in crate::embedded) struct Progress {
    pub(super) applied: JournalPosition,
    /// Why the index did not advance when it last tried.
    pub(super) error: Option<Arc<StoreError>>,
    pub(in crate::embedded) coverage: Coverage,
    /// How often the file was replaced since the store was opened.
    pub(in crate::embedded) generation: u64,
}

impl Progress {
    pub(super) const fn at(applied: JournalPosition, coverage: Coverage) -> Self {
        Self { applied, error: None, coverage, generation: 0 }
    }
}

impl IndexWatch {
    pub(super) const fn new(
        shared: Arc<Shared>,
        updates: UpdateSender,
        progress: watch::Receiver<Progress>,
    ) -> Self {
        Self { shared, updates, progress }
    }

    /// The position that readers see without waiting.
    pub(in crate::embedded) fn applied(&self) -> JournalPosition {
        self.progress.borrow().applied
    }

    /// What the index contains.
    pub(in crate::embedded) fn coverage(&self) -> Coverage {
        self.progress.borrow().coverage
    }

    /// A reader found the index damaged: it is rebuilt, unless it was replaced meanwhile.
    pub(in crate::embedded) fn report_damage(&self) {
        let generation = self.progress.borrow().generation;
        self.shared.intact.fetch_max(generation + 1, Ordering::AcqRel);
        self.updates.try_send(Update::Wanted);
    }

    /// Waits until the whole index is there.
    pub(in crate::embedded) async fn complete(&self) -> Result<(), StoreError> {
        let mut progress = self.progress.clone();
        let complete = progress.wait_for(|progress| progress.coverage.is_complete()).await;
        complete.map(drop).map_err(|error| StoreError::Unavailable(error.into()))
    }

    /// Keeps the statistics from these times on.
    pub(in crate::embedded) fn keep_from(&self, from: KeptFrom) {
        for (kept, from) in self.shared.kept.iter().zip(from.0) {
            kept.store(from.as_millis(), Ordering::Release);
        }
    }

    pub(in crate::embedded) fn kept(&self) -> KeptFrom {
        self.shared.kept()
    }

    /// Waits until the index has this position; an error if the index thread meets one first.
    pub(in crate::embedded) async fn reach(
        &self,
        position: JournalPosition,
    ) -> Result<(), StoreError> {
        let mut progress = self.progress.clone();
        if progress.borrow_and_update().applied >= position {
            return Ok(());
        }
        self.shared.wanted.fetch_max(position.0, Ordering::AcqRel);
        self.updates.try_send(Update::Wanted);
        let reached = progress
            .wait_for(|progress| progress.applied >= position || progress.error.is_some())
            .await
            .map_err(|error| StoreError::Unavailable(error.into()))?;
        match &reached.error {
            Some(error) if reached.applied < position => Err(error::repeat(error)),
            Some(_) | None => Ok(()),
        }
    }
}
