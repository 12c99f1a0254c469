//! The store in one folder: opening it, and passing work to its threads.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
};

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::{
    checkpoint::{self, Checkpoints},
    commit::{CommitQueue, Committer},
    database,
    disk_space::DiskSpace,
    error, files,
    folder::{Folder, Purpose},
    format,
    handles::{Handles, OpenStore},
    index::{self, coverage::Coverage, position::IndexPosition},
    ledger::Ledger,
    loss::{self, MarkWriter},
    main_file::MainFile,
    number::JournalPosition,
    numbers::NumberCounts,
    options::Options,
    readers::{Pool, Reader, ReaderContext, Readers},
    state,
    sync_failure::{self, SyncFailure},
};
use crate::error::StoreError;

/// The store in one folder, for one process.
#[derive(Debug)]
pub struct EmbeddedStore {
    open: Mutex<Option<Arc<OpenStore>>>,
    /// A thread has ended.
    ended: CancellationToken,
    /// Work that is done in many transactions, one such at a time.
    steps: Semaphore,
    sync: SyncFailure,
}

impl EmbeddedStore {
    /// Opens the store in this folder, which is created if there is none. Deliveries that were
    /// pending when the last process ended are offered again.
    pub fn open(path: &Path, options: &Options) -> Result<Self, StoreError> {
        Ok(Self::open_for(Purpose::Serve, path, options)?.0)
    }

    /// Opens the store, and returns the origin of its main database too.
    ///
    /// The order matters. The files are inspected before `SQLite` changes any of them; the mark
    /// is kept from before the ledger's first commit on; and the index is opened after that
    /// commit, when nothing writes to the main database yet.
    pub(super) fn open_for(
        purpose: Purpose,
        path: &Path,
        options: &Options,
    ) -> Result<(Self, i64), StoreError> {
        let folder = Folder::open(path)?;
        sync_failure::repair(path)?;
        let inspection = loss::inspect(path, options.accept_loss)?;
        let db = database::open_main(&folder.main(), options, &inspection)?;
        match purpose {
            Purpose::Serve => folder.prepare_to_serve(&db)?,
            Purpose::Copy => format::require_known(&folder.main(), &db)?,
        }
        let origin = state::get(&db, state::ORIGIN)?.expect("an open database has an origin");
        let file = MainFile::open(path).map_err(|error| StoreError::Unavailable(error.into()))?;
        let mut mark = MarkWriter::start(&inspection, origin, (&db, file.clone()))?;
        let sync = SyncFailure::new(path);
        let disk = DiskSpace::new(path, options.disk_reserve);
        let ledger = Ledger::open(db, disk, sync.clone())?;
        mark.note_commit(ledger.position(), ledger.accepted());
        if checkpoint::copy_all(ledger.db(), &sync) {
            mark.note_complete();
        }
        if sync.has_occurred() {
            sync.close(ledger);
            return Err(StoreError::Unavailable(sync.reason().into()));
        }
        let ended = CancellationToken::new();
        let writer = Writer { origin, ledger, mark, file: file.clone() };
        let (handles, threads) = start(&folder, options, writer, &ended)?;
        let open = OpenStore::new((folder, file), handles, threads);
        let steps = Semaphore::new(1);
        Ok((Self { open: Mutex::new(Some(Arc::new(open))), ended, steps, sync }, origin))
    }
}

/// The main database, open for writing.
struct Writer {
    origin: i64,
    ledger: Ledger,
    mark: MarkWriter,
    file: MainFile,
}

/// Starts the threads.
fn start(
    folder: &Folder,
    options: &Options,
    writer: Writer,
    ended: &CancellationToken,
) -> Result<(Handles, Vec<JoinHandle<()>>), StoreError> {
    let Writer { origin, ledger, mark, file } = writer;
    let sync = ledger.sync.clone();
    let position = IndexPosition { origin, applied: ledger.position() };
    let numbers = ledger.shared_numbers();
    let indexer = index::open(folder, position, options, numbers.clone())?;
    let progress = &indexer.progress();
    let context = ReaderContext { folder, numbers: &numbers, options, progress, ended };
    let (fetchers, mut threads) = Readers::start(Pool::Fetch, context)?;
    let (searchers, search_threads) = Readers::start(Pool::Search, context)?;
    let (feed, index, index_thread) =
        index::start(indexer, &sync, ended).map_err(StoreError::Unavailable)?;
    let checkpoints =
        Checkpoints::start(file, options, &sync, ended).map_err(StoreError::Unavailable)?;
    let committer = Committer { ledger, checkpoints, index: feed, mark };
    let (commits, commit_thread) =
        CommitQueue::start(committer, ended).map_err(StoreError::Unavailable)?;
    threads.extend(search_threads.into_iter().chain([commit_thread, index_thread]));
    Ok((Handles { commits, fetchers, searchers, index }, threads))
}

const HAS_SECRETS: &str =
    "SELECT EXISTS (SELECT 1 FROM endpoints) OR EXISTS (SELECT 1 FROM sources)";

impl EmbeddedStore {
    /// Whether anything is stored that is encrypted with the installation's main secret.
    pub async fn has_secrets(&self) -> Result<bool, StoreError> {
        self.read(|reader| Ok(reader.main.query_row(HAS_SECRETS, [], |row| row.get(0))?)).await
    }

    /// How many names have numbers in memory, and how many endpoints have lanes. For tests that
    /// removed data leaves none behind.
    pub async fn sizes(&self) -> Result<(NumberCounts, usize), StoreError> {
        self.commit(|ledger| Ok(ledger.sizes())).await
    }

    /// The most rows that one transaction has changed since the last call: other commits wait that
    /// long. For tests that this is bounded.
    pub async fn take_most_row_changes(&self) -> Result<u64, StoreError> {
        self.commit(|ledger| Ok(ledger.take_most_row_changes())).await
    }

    pub(super) fn open_store(&self) -> Result<Arc<OpenStore>, StoreError> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.clone().ok_or_else(error::closed)
    }

    /// Cancelled when a thread ends.
    pub(super) const fn ended(&self) -> &CancellationToken {
        &self.ended
    }

    /// The permit for work that is done in many transactions.
    pub(super) const fn steps(&self) -> &Semaphore {
        &self.steps
    }

    pub(super) const fn sync(&self) -> &SyncFailure {
        &self.sync
    }

    /// The position of the last commit that was acknowledged.
    pub(super) fn position(&self) -> Result<JournalPosition, StoreError> {
        Ok(self.open_store()?.handles().commits.position())
    }

    /// Does work in a transaction on the commit thread.
    pub(super) async fn commit<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Ledger) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.open_store()?.handles().commits.run(work).await
    }

    /// Reads by key from the main database.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&mut Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.open_store()?.handles().fetchers.run(query).await
    }

    /// Searches the index, once it has all commits that were acknowledged before.
    pub(super) async fn search<T: Send + 'static>(
        &self,
        query: impl FnOnce(&mut Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let open = self.open_store()?;
        let Handles { commits, searchers, index, .. } = open.handles();
        let found = match index.reach(commits.position()).await {
            Ok(()) => searchers.run(query).await,
            Err(error) => Err(error),
        };
        match found {
            Err(StoreError::Corrupt { what: files::INDEX, .. }) => {
                index.report_damage();
                let nothing = Coverage::NOTHING.rebuild().expect("nothing is there");
                Err(StoreError::Rebuilding(nothing))
            },
            result => result,
        }
    }

    /// Waits until the whole index is there: it may be rebuilt after the store was opened.
    pub async fn index_complete(&self) -> Result<(), StoreError> {
        self.open_store()?.handles().index.complete().await
    }

    /// Closes the store once the calls that still run have returned.
    pub(super) fn shut(&self) {
        drop(self.open.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

#[cfg(test)]
mod tests {
    use postrider::ApplicationId;

    use super::*;
    use crate::{Maintenance, Records};

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

    /// A reader that meets a header of the log that is just being written takes the lock of writers
    /// for a moment. A transaction that has begun has it already.
    #[tokio::test]
    async fn nothing_takes_the_lock_of_writers_from_a_transaction_that_has_begun() {
        let (folder, store) = open();
        let other = rusqlite::Connection::open(folder.path().join(files::MAIN)).unwrap();
        other.busy_timeout(std::time::Duration::ZERO).unwrap();
        let locked = store.commit(move |_| Ok(other.execute_batch("BEGIN IMMEDIATE"))).await;
        let error = locked.unwrap().unwrap_err();
        let code = error.sqlite_error_code();
        assert_eq!(code, Some(rusqlite::ErrorCode::DatabaseBusy), "{error}");
    }

    #[tokio::test]
    async fn work_without_a_transaction_learns_why_there_is_none() {
        let (folder, store) = open();
        let other = rusqlite::Connection::open(folder.path().join(files::MAIN)).unwrap();
        let no_wait = std::time::Duration::ZERO;
        store.commit(move |ledger| Ok(ledger.db().busy_timeout(no_wait)?)).await.unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let error = store.commit(|_| Ok(())).await.unwrap_err();
        assert_eq!(error.reason(), Some("another process has locked a file of the store"));
        other.execute_batch("ROLLBACK").unwrap();
        store.commit(|_| Ok(())).await.unwrap();
    }

    #[tokio::test]
    async fn a_journal_that_is_not_needed_is_removed_in_steps() {
        let (_folder, store) = open();
        let change = |release: bool| {
            store.commit(move |ledger| {
                state::set(ledger.db(), state::LOW_WATER, &1)?;
                if release {
                    ledger.release_journal(ledger.position());
                }
                Ok(())
            })
        };
        for _ in 0..100 {
            change(false).await.unwrap();
        }
        let entries = || {
            store.read(|reader| {
                Ok(reader
                    .main
                    .query_row("SELECT count(*) FROM journal", [], |row| row.get::<_, u64>(0))?)
            })
        };
        let before = entries().await.unwrap();
        change(true).await.unwrap();
        assert_eq!(entries().await.unwrap(), before + 1 - 64);
        change(true).await.unwrap();
        assert!(entries().await.unwrap() < 64);
    }

    #[tokio::test]
    async fn a_panic_in_a_read_fails_that_read_alone() {
        let (_folder, store) = open();
        for _ in 0..3 {
            let result = store.read::<()>(|_| panic!("a bug of a reader")).await;
            assert!(matches!(result, Err(StoreError::Unavailable(_))), "{result:?}");
        }
        let unknown = store
            .find::<postrider_core::catalog::Application>(ApplicationId::from_u128(1))
            .await
            .unwrap();
        assert_eq!(unknown, None);
        assert!(!store.ended.is_cancelled());
    }
}
