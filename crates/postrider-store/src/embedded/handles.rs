//! The handles of an open store: its threads, and the channels to them.

use std::thread::JoinHandle;

use super::{
    commit::CommitQueue, folder::Folder, index::feed::IndexWatch, main_file::MainFile,
    readers::Readers,
};

/// What exists while the store is open.
#[derive(Debug)]
pub(super) struct OpenStore {
    /// Closed first, so that the threads end.
    handles: Option<Handles>,
    threads: Vec<JoinHandle<()>>,
    /// Closed after all connections.
    file: MainFile,
    /// Unlocked last.
    folder: Folder,
}

/// The channels to the threads.
#[derive(Debug)]
pub(super) struct Handles {
    pub(super) commits: CommitQueue,
    pub(super) fetchers: Readers,
    pub(super) searchers: Readers,
    pub(super) index: IndexWatch,
}

impl OpenStore {
    pub(super) fn new(
        (folder, file): (Folder, MainFile),
        handles: Handles,
        threads: Vec<JoinHandle<()>>,
    ) -> Self {
        Self { handles: Some(handles), threads, file, folder }
    }

    pub(super) fn handles(&self) -> &Handles {
        self.handles.as_ref().expect("the handles exist until the store is dropped")
    }

    pub(super) const fn folder(&self) -> &Folder {
        &self.folder
    }

    pub(super) const fn file(&self) -> &MainFile {
        &self.file
    }
}

impl Drop for OpenStore {
    /// Lets every thread finish its queue, and waits for it.
    fn drop(&mut self) {
        self.handles = None;
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the store panicked");
            }
        }
    }
}
