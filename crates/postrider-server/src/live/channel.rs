//! The last events of an endpoint, for its readers on this node.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicUsize},
};

use postrider::{ApplicationId, EndpointId, MessageId};
use postrider_core::{
    catalog::EndedToken,
    live::{EventId, LiveEvent, Lookup, Mark, StreamEnd, Window, WindowLimits},
    time::Timestamp,
};
use tokio::sync::watch;

use super::holder::holder;
use crate::http::memory::MemoryBudget;

/// Most events in a window.
const MAX_EVENTS: usize = 4_096;

/// The last events of an endpoint, for its readers on this node.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) application: ApplicationId,
    pub(super) endpoint: EndpointId,
    pub(super) readers: Arc<AtomicUsize>,
    /// Identifies the window.
    pub(super) mark: Mark,
    created_at: Timestamp,
    window: Mutex<Window<Arc<LiveEvent>>>,
    /// Digests of the application's tokens that were revoked.
    revoked: Mutex<HashSet<[u8; 16]>>,
    /// Changes with each event, and when the channel ends.
    changes: watch::Sender<Option<StreamEnd>>,
}

impl Channel {
    pub(super) fn new(
        application: ApplicationId,
        endpoint: EndpointId,
        window_bytes: usize,
        mark: Mark,
        now: Timestamp,
    ) -> Self {
        let limits = WindowLimits { items: MAX_EVENTS, bytes: window_bytes };
        Self {
            application,
            endpoint,
            readers: Arc::default(),
            mark,
            created_at: now,
            window: Mutex::new(Window::new(limits)),
            revoked: Mutex::default(),
            changes: watch::Sender::new(None),
        }
    }

    pub(super) fn changes(&self) -> watch::Receiver<Option<StreamEnd>> {
        self.changes.subscribe()
    }

    pub(super) fn has_ended(&self) -> bool {
        self.changes.borrow().is_some()
    }

    /// Ends the streams of all readers.
    pub(super) fn end(&self, end: StreamEnd) {
        self.changes.send_replace(Some(end));
    }

    /// Adds an event, and wakes the readers. If memory is short, older events make room for it.
    pub(super) fn publish(&self, mut event: LiveEvent, memory: &MemoryBudget, now: Timestamp) {
        let (holder, size) = (holder(self.application), event.size());
        {
            let mut window = self.window();
            let reserved = loop {
                match memory.reserve(holder, size) {
                    Ok(reserved) => break reserved,
                    Err(_) if window.drop_oldest() => {},
                    // One event for all readers, which the next one replaces.
                    Err(_) => break memory.force(holder, size),
                }
            };
            event.sse = reserved.bind(event.sse);
            window.push(Arc::new(event), size, now);
        }
        self.changes.send_modify(|_| {});
    }

    pub(super) fn at(&self, position: u64) -> Lookup<Arc<LiveEvent>> {
        match self.window().at(position) {
            Lookup::Item(event) => Lookup::Item(Arc::clone(event)),
            Lookup::Pending => Lookup::Pending,
            Lookup::Lost => Lookup::Lost,
        }
    }

    /// The position of the next event.
    pub(super) fn end_position(&self) -> u64 {
        self.window().end()
    }

    /// The position after this event, if it is from this window. The message may have been sent
    /// again, but what was delivered in between must not be missed.
    pub(super) fn after(&self, last: EventId) -> Option<u64> {
        if last.mark != Some(self.mark) {
            return None;
        }
        self.window().after_first(|event| event.id == last.message)
    }

    /// When the message was delivered first, if it is in the window.
    pub(super) fn delivered_at(&self, message: MessageId) -> Option<Timestamp> {
        self.window().iter().find(|event| event.id == message).map(|event| event.at)
    }

    /// Notes the application's tokens that were revoked.
    pub(super) fn set_revoked(&self, tokens: &[EndedToken]) {
        let mut revoked = self.revoked.lock().unwrap_or_else(PoisonError::into_inner);
        if revoked.len() != tokens.len() || !tokens.iter().all(|it| revoked.contains(&it.digest)) {
            *revoked = tokens.iter().map(|it| it.digest).collect();
        }
    }

    pub(super) fn is_revoked(&self, token: [u8; 16]) -> bool {
        self.revoked.lock().unwrap_or_else(PoisonError::into_inner).contains(&token)
    }

    /// The position of the first event that was added at this time or later, if all of them are
    /// in the window. The channel may be younger than that.
    pub(super) fn since(&self, time: Timestamp) -> Option<u64> {
        self.window().since(time)
    }

    /// The same, but only if the channel exists since then.
    pub(super) fn all_since(&self, time: Timestamp) -> Option<u64> {
        (self.created_at <= time).then(|| self.since(time)).flatten()
    }

    fn window(&self) -> MutexGuard<'_, Window<Arc<LiveEvent>>> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
