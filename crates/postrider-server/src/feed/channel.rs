//! The last entries of an organization's feed, for its readers on this node.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use postrider::OrganizationId;
use postrider_core::{
    budget::CallerKey,
    live::{Lookup, StreamEnd, Window, WindowLimits},
    time::Timestamp,
};
use tokio::sync::watch;

use super::entry::FeedEntry;
use crate::http::memory::MemoryBudget;

/// Most entries in a window.
const MAX_ENTRIES: usize = 4_096;

/// An entry, or a note that there were more.
#[derive(Clone, Debug)]
pub(super) enum Item {
    Entry(Arc<FeedEntry>),
    Incomplete,
}

/// The last entries of an organization's feed.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) organization: OrganizationId,
    pub(super) holder: CallerKey,
    readers: AtomicUsize,
    window: Mutex<Window<Item>>,
    /// Changes with each item, and when the channel ends.
    changes: watch::Sender<Option<StreamEnd>>,
}

impl Channel {
    pub(super) fn new(organization: OrganizationId, holder: CallerKey, bytes: usize) -> Self {
        let limits = WindowLimits { items: MAX_ENTRIES, bytes };
        Self {
            organization,
            holder,
            readers: AtomicUsize::new(0),
            window: Mutex::new(Window::new(limits)),
            changes: watch::Sender::new(None),
        }
    }

    pub(super) fn enter(&self) {
        self.readers.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn leave(&self) {
        self.readers.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn has_readers(&self) -> bool {
        self.readers.load(Ordering::Relaxed) > 0
    }

    pub(super) fn changes(&self) -> watch::Receiver<Option<StreamEnd>> {
        self.changes.subscribe()
    }

    pub(super) fn has_ended(&self) -> bool {
        self.changes.borrow().is_some()
    }

    pub(super) fn end(&self, end: StreamEnd) {
        self.changes.send_replace(Some(end));
    }

    /// Adds entries, and wakes the readers. If memory is short, older entries make room.
    pub(super) fn publish(
        &self,
        entries: Vec<FeedEntry>,
        is_incomplete: bool,
        memory: &MemoryBudget,
        now: Timestamp,
    ) {
        if entries.is_empty() && !is_incomplete {
            return;
        }
        let mut window = self.window();
        for mut entry in entries {
            let size = entry.size();
            let reserved = loop {
                match memory.reserve(self.holder, size) {
                    Ok(reserved) => break reserved,
                    Err(_) if window.drop_oldest() => {},
                    // One entry for all readers, which the next one replaces.
                    Err(_) => break memory.force(self.holder, size),
                }
            };
            entry.sse = reserved.bind(entry.sse);
            window.push(Item::Entry(Arc::new(entry)), size, now);
        }
        if is_incomplete {
            window.push(Item::Incomplete, size_of::<Item>(), now);
        }
        drop(window);
        self.changes.send_modify(|_| {});
    }

    pub(super) fn at(&self, position: u64) -> Lookup<Item> {
        match self.window().at(position) {
            Lookup::Item(item) => Lookup::Item(item.clone()),
            Lookup::Pending => Lookup::Pending,
            Lookup::Lost => Lookup::Lost,
        }
    }

    /// The position of the next item.
    pub(super) fn end_position(&self) -> u64 {
        self.window().end()
    }

    /// The position after the entry with this id, if it is in the window.
    pub(super) fn after(&self, id: u128) -> Option<u64> {
        let is_it = |item: &Item| matches!(item, Item::Entry(entry) if entry.id == id);
        self.window().after_first(is_it)
    }

    fn window(&self) -> MutexGuard<'_, Window<Item>> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
