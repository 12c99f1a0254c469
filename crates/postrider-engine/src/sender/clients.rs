//! The clients that kinds other than HTTP keep for their endpoints: connections, statements.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use postrider::EndpointId;
use postrider_core::target::Target;
use tokio::time::Instant;

/// One client for each endpoint that was used recently, up to a number of endpoints. A change of
/// the endpoint makes a new one.
#[derive(Debug)]
pub struct Clients<T> {
    max: usize,
    idle_timeout: Duration,
    by_endpoint: Mutex<HashMap<EndpointId, Kept<T>>>,
}

#[derive(Debug)]
struct Kept<T> {
    target: Weak<Target>,
    client: Arc<T>,
    used_at: Instant,
}

impl<T> Clients<T> {
    /// Keeps at most `max` clients, each until it has not been used for `idle_timeout`.
    pub fn new(max: usize, idle_timeout: Duration) -> Self {
        Self { max, idle_timeout, by_endpoint: Mutex::default() }
    }

    /// The endpoint's client, or a new one. Clients connect when they are first used, so making
    /// one does no I/O.
    pub fn get(&self, target: &Arc<Target>, make: impl FnOnce() -> T) -> Arc<T> {
        let now = Instant::now();
        let mut kept = self.by_endpoint.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = kept.get_mut(&target.endpoint)
            && std::ptr::eq(entry.target.as_ptr(), Arc::as_ptr(target))
        {
            entry.used_at = now;
            return Arc::clone(&entry.client);
        }
        self.make_room(&mut kept, now);
        let client = Arc::new(make());
        let entry =
            Kept { target: Arc::downgrade(target), client: Arc::clone(&client), used_at: now };
        kept.insert(target.endpoint, entry);
        client
    }

    /// Drops the endpoint's client, so that the next call makes a new one.
    pub fn forget(&self, target: &Target) {
        self.by_endpoint.lock().unwrap_or_else(PoisonError::into_inner).remove(&target.endpoint);
    }

    /// Drops clients that were not used for long or whose endpoint was changed, and if that is
    /// not enough, the one that was not used for longest. A call that uses a client keeps it.
    fn make_room(&self, kept: &mut HashMap<EndpointId, Kept<T>>, now: Instant) {
        kept.retain(|_, entry| {
            entry.target.strong_count() > 0 && now - entry.used_at < self.idle_timeout
        });
        if kept.len() >= self.max
            && let Some(oldest) =
                kept.iter().min_by_key(|(_, entry)| entry.used_at).map(|(id, _)| *id)
        {
            kept.remove(&oldest);
        }
    }
}
