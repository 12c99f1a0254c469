//! What only readers need, brought up to date behind the commits.
//!
//! The commit thread offers what each commit changed; the index thread gathers that until it
//! is much or until a reader waits, and writes it sorted by key, so that one page is written
//! once for many rows. What is not taken in time is not lost: it is read from the journal,
//! which also bridges a restart. The index file is not synced at each commit. The journal is
//! cut off only up to where the file is known to be on the disk.

mod batch;
mod copier;
mod keeper;
mod rebuild;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread::JoinHandle,
};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

#[cfg(test)]
pub(super) use self::{batch::END_DELIVERIES, keeper::JOURNAL};
pub(super) use self::{
    batch::{CANCELLED, DELIVERED, FAILED, PENDING},
    keeper::{open, position_in},
};
use self::{copier::Copier, keeper::Keeper};
use super::{journal::Event, thread, trouble};
use crate::{BoxError, StoreError};

/// Commits that wait to be gathered; more are read from the journal.
const QUEUE: usize = 256;

/// What the commit thread, the index thread and readers tell each other.
#[derive(Debug)]
struct Shared {
    /// The last position that was committed.
    offered: AtomicU64,
    /// A reader waits for this position.
    wanted: AtomicU64,
    /// The index file has this position on the disk.
    durable: AtomicU64,
}

/// What wakes the index thread.
#[derive(Debug)]
enum News {
    Committed(u64, Vec<Event>),
    Wanted,
}

/// The commit thread's side.
#[derive(Debug)]
pub(super) struct Feed {
    shared: Arc<Shared>,
    news: mpsc::SyncSender<News>,
}

impl Feed {
    /// The index has everything up to this position for good.
    pub(super) fn durable(&self) -> u64 {
        self.shared.durable.load(Ordering::Acquire)
    }

    pub(super) fn offer(&self, position: u64, events: Vec<Event>) {
        self.shared.offered.store(position, Ordering::Release);
        // If there is no room the index thread finds it in the journal.
        drop(self.news.try_send(News::Committed(position, events)));
    }
}

/// The readers' side.
#[derive(Debug)]
pub(super) struct Watch {
    shared: Arc<Shared>,
    news: mpsc::SyncSender<News>,
    progress: watch::Receiver<Progress>,
}

/// How far the index is.
#[derive(Clone, Debug)]
struct Progress {
    /// The position that it has.
    applied: u64,
    /// Why it does not go on, if it does not.
    trouble: Option<Arc<StoreError>>,
}

impl Watch {
    /// Waits until the index has this position.
    pub(super) async fn reach(&self, position: u64) -> Result<(), StoreError> {
        let mut progress = self.progress.clone();
        if progress.borrow_and_update().applied >= position {
            return Ok(());
        }
        self.shared.wanted.fetch_max(position, Ordering::AcqRel);
        drop(self.news.try_send(News::Wanted));
        let reached = progress
            .wait_for(|it| it.applied >= position || it.trouble.is_some())
            .await
            .map_err(|error| StoreError::Unavailable(error.into()))?;
        match &reached.trouble {
            Some(trouble) if reached.applied < position => Err(trouble::repeat(trouble)),
            Some(_) | None => Ok(()),
        }
    }
}

/// Starts the index thread; it ends when both sides are gone.
pub(super) fn start(
    keeper: Keeper,
    ended: &CancellationToken,
) -> Result<(Feed, Watch, JoinHandle<()>), BoxError> {
    let (news, heard) = mpsc::sync_channel(QUEUE);
    let shared = Arc::new(Shared {
        offered: AtomicU64::new(keeper.applied()),
        wanted: AtomicU64::new(0),
        durable: AtomicU64::new(0),
    });
    let (published, progress) =
        watch::channel(Progress { applied: keeper.applied(), trouble: None });
    let feed = Feed { shared: Arc::clone(&shared), news: news.clone() };
    let watch = Watch { shared: Arc::clone(&shared), news, progress };
    let copier = Copier::start(keeper.path(), &shared, ended)?;
    let thread = thread::start("store-index", ended, move || {
        keeper.run(&heard, (&shared, copier), &published);
    })?;
    Ok((feed, watch, thread))
}
