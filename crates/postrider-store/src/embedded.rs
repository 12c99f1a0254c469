//! The store in one folder, for one process: `SQLite`, used for what it is quick at.
//!
//! The price of durability is small and the price of indexes is large. So what is durable
//! when a method returns (`postrider.db`) is laid out for writing: messages and attempts are
//! appended to two tables without any index, and a delivery that succeeds at once is one row
//! in each and nothing else. Who holds it meanwhile is known in memory alone; the rows of
//! `pending` are for deliveries that wait longer. What readers search in (`index.db`) is
//! brought up to date behind the commits, in large batches, by another thread, and made anew
//! if it is lost; a reader first waits until it has caught up with what was acknowledged
//! before. A third, small file (`postrider.mark`) knows how far the truth is, so that lost data
//! is noticed. `docs/decisions/embedded-store.md` has the measurements behind this.
//!
//! Threads: one commits, one copies the write-ahead log, one keeps the index, one copies
//! its log, a few read.

mod backup;
mod checkpoint;
mod commit;
mod erasing;
mod folder;
mod holdings;
mod index;
mod journal;
mod ledger;
mod numbers;
#[cfg(test)]
mod plans;
mod read;
mod reading;
mod records;
mod room;
mod row;
mod sources;
mod store;
mod thread;
mod transfer;
mod trouble;
mod witness;

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
};

use tokio_util::sync::CancellationToken;

pub use self::{backup::backup, numbers::NumberCounts, transfer::EmbeddedTransferStore};
use self::{
    checkpoint::Checkpoints,
    commit::{Commits, Committer},
    folder::{Folder, Use},
    ledger::Ledger,
    read::{Purpose, Readers},
    room::Room,
    witness::Witness,
};
use crate::StoreError;

/// What an installation may want to change about its store.
#[derive(Clone, Debug)]
pub struct Options {
    /// Memory for pages of the truth.
    pub truth_cache_bytes: u64,
    /// Memory for pages of the index.
    pub index_cache_bytes: u64,
    /// Memory for pages, for each of the reading threads and for each of both files.
    pub reader_cache_bytes: u64,
    /// The write-ahead log is copied whenever it has grown by this.
    pub checkpoint_bytes: usize,
    /// The write-ahead log is begun anew once it is this long.
    pub wal_bytes: usize,
    /// Most pages of the truth; more counts as a full disk.
    pub max_pages: Option<u32>,
    /// Most pages of the index; more counts as a full disk.
    pub max_index_pages: Option<u32>,
    /// Bytes of the disk that new messages leave free; of a small disk, a tenth at most.
    pub disk_reserve: u64,
    /// Opens a store that is known to have lost data, without what is missing.
    pub accept_loss: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            truth_cache_bytes: 32 << 20,
            index_cache_bytes: 32 << 20,
            reader_cache_bytes: 4 << 20,
            checkpoint_bytes: 16 << 20,
            wal_bytes: 64 << 20,
            max_pages: None,
            max_index_pages: None,
            disk_reserve: 256 << 20,
            accept_loss: false,
        }
    }
}

/// The store in one folder, for one process.
#[derive(Debug)]
pub struct EmbeddedStore {
    open: Mutex<Option<Arc<Rooms>>>,
    /// A thread has ended.
    ended: CancellationToken,
}

/// What runs while the store is open.
#[derive(Debug)]
struct Rooms {
    /// Closed first, so that the threads end.
    doors: Option<Doors>,
    threads: Vec<JoinHandle<()>>,
    /// Unlocked last.
    folder: Folder,
}

/// Where the threads are spoken to.
#[derive(Debug)]
struct Doors {
    commits: Commits,
    fetchers: Readers,
    searchers: Readers,
    watch: index::Watch,
}

const ORIGIN: &str = "SELECT value FROM state WHERE key = 'origin'";

const IS_FURNISHED: &str =
    "SELECT EXISTS (SELECT 1 FROM endpoints) OR EXISTS (SELECT 1 FROM sources)";

impl EmbeddedStore {
    /// Opens the store in this folder, which is created if there is none. Everything that
    /// was pending when the last process ended is offered again.
    pub fn open(path: &Path, options: &Options) -> Result<Self, StoreError> {
        Ok(Self::open_for(Use::Work, path, options)?.0)
    }

    /// Opens the store, and tells the origin of its truth.
    fn open_for(purpose: Use, path: &Path, options: &Options) -> Result<(Self, i64), StoreError> {
        let folder = Folder::open(path)?;
        let examined = witness::examine(path, options.accept_loss)?;
        let db = folder::open_truth(&folder.truth(), options, &examined)?;
        if purpose == Use::Work {
            folder.take_up_work(&db)?;
        }
        let origin = db.query_row(ORIGIN, [], |row| row.get(0))?;
        let mut witness = Witness::begin(&examined, origin, &db)?;
        let ledger = Ledger::open(db, Room::new(path, options.disk_reserve))?;
        witness.note(ledger.position(), ledger.accepted());
        if checkpoint::copy_all(&ledger) {
            witness.note_whole();
        }
        let keeper = index::open(&folder, ledger.position(), origin, options)?;
        let numbers = ledger.shared_numbers();
        let ended = CancellationToken::new();
        let start = |purpose| Readers::start(&folder, (&numbers, &ended), options, purpose);
        let (fetchers, mut threads) = start(Purpose::Fetch)?;
        let (searchers, searching) = start(Purpose::Search)?;
        let (feed, watch, keeping) =
            index::start(keeper, &ended).map_err(StoreError::Unavailable)?;
        let checkpoints = Checkpoints::start(&folder.truth(), options, &ended)
            .map_err(StoreError::Unavailable)?;
        let committer = Committer { ledger, checkpoints, index: feed, witness };
        let (commits, committing) =
            Commits::start(committer, &ended).map_err(StoreError::Unavailable)?;
        threads.extend(searching.into_iter().chain([committing, keeping]));
        let rooms =
            Rooms { doors: Some(Doors { commits, fetchers, searchers, watch }), threads, folder };
        Ok((Self { open: Mutex::new(Some(Arc::new(rooms))), ended }, origin))
    }

    /// Whether anything is stored that the installation's main secret has encrypted.
    pub async fn is_furnished(&self) -> Result<bool, StoreError> {
        self.read(|it| Ok(it.truth.query_row(IS_FURNISHED, [], |row| row.get(0))?)).await
    }

    /// How many names have numbers in memory, and how many endpoints have lanes, for tests of
    /// what is given back.
    pub async fn sizes(&self) -> Result<(NumberCounts, usize), StoreError> {
        self.commit(|ledger| Ok(ledger.sizes())).await
    }

    fn rooms(&self) -> Result<Arc<Rooms>, StoreError> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.clone().ok_or_else(trouble::closed)
    }

    async fn commit<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Ledger) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.rooms()?.doors().commits.run(work).await
    }

    async fn read<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut read::Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.rooms()?.doors().fetchers.ask(question).await
    }

    /// Answers from the index, once it has what was acknowledged before.
    async fn search<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut read::Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let rooms = self.rooms()?;
        let Doors { commits, searchers, watch, .. } = rooms.doors();
        watch.reach(commits.position()).await?;
        searchers.ask(question).await
    }

    /// Calls that still run keep the rooms open until they return.
    fn shut(&self) {
        drop(self.open.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

impl Rooms {
    fn doors(&self) -> &Doors {
        self.doors.as_ref().expect("the doors are open until the end")
    }

    async fn backup(&self, to: std::path::PathBuf) -> Result<(), StoreError> {
        let from = self.folder.path().to_owned();
        // A thread of its own, for a large store takes minutes to copy.
        apart("store-backup", move || backup(&from, &to)).await
    }

    /// Moves everything that was committed out of the log, and leaves nothing in it.
    async fn cut_log(&self) -> Result<(), StoreError> {
        let truth = self.folder.truth();
        let cut = move || Ok(checkpoint::truncate(&folder::open_copier(&truth)?).map(drop)?);
        apart("store-cut", cut).await
    }
}

/// Does something on a thread of its own.
async fn apart(
    name: &str,
    work: impl FnOnce() -> Result<(), StoreError> + Send + 'static,
) -> Result<(), StoreError> {
    let (done, is_done) = tokio::sync::oneshot::channel();
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || drop(done.send(work())))
        .map_err(|error| StoreError::Unavailable(error.into()))?;
    is_done.await.map_err(|error| StoreError::Unavailable(error.into()))?
}

impl Drop for Rooms {
    /// Lets every thread finish what waits, and waits for it.
    fn drop(&mut self) {
        self.doors = None;
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the store panicked");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use postrider::ApplicationId;

    use super::*;
    use crate::{Catalog, Maintenance};

    fn open() -> (tempfile::TempDir, EmbeddedStore) {
        let folder = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(folder.path(), &Options::default()).unwrap();
        (folder, store)
    }

    #[tokio::test]
    async fn a_panic_in_a_commit_fails_the_store() {
        let (_folder, store) = open();
        let result = store.commit::<()>(|_| panic!("a bug of the ledger")).await;
        assert!(matches!(result, Err(StoreError::Unavailable(_))), "{result:?}");
        store.failed().await;
    }

    #[tokio::test]
    async fn a_panic_in_a_read_fails_that_read_alone() {
        let (_folder, store) = open();
        for _ in 0..3 {
            let result = store.read::<()>(|_| panic!("a bug of a reader")).await;
            assert!(matches!(result, Err(StoreError::Unavailable(_))), "{result:?}");
        }
        let unknown = store.application_by_id(ApplicationId::from_u128(1)).await.unwrap();
        assert_eq!(unknown, None);
        assert!(!store.ended.is_cancelled());
    }
}
