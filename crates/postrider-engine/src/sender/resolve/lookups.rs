//! Lookups in flight, each shared by all calls that wait for the same name.
//!
//! A lookup is polled by the calls that wait for it, and ends with the last of them.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared, WeakShared},
};

use super::{admission::Slot, answer::LookupResult};

pub(super) type Lookup = Shared<BoxFuture<'static, LookupResult>>;

#[derive(Default)]
pub(super) struct Lookups {
    lookups: Mutex<HashMap<Arc<str>, Entry>>,
    begun: AtomicU64,
}

struct Entry {
    number: u64,
    lookup: WeakShared<BoxFuture<'static, LookupResult>>,
}

impl std::fmt::Debug for Lookups {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lookups").field("count", &self.lock().len()).finish()
    }
}

impl Lookups {
    /// The lookup of this name that is in flight.
    pub(super) fn get(&self, host: &str) -> Option<Lookup> {
        self.lock().get(host).and_then(|entry| entry.lookup.upgrade())
    }

    /// Starts a lookup, or joins one of the same name that is in flight. The slot is taken until
    /// it ends.
    pub(super) fn begin(
        self: &Arc<Self>,
        host: &str,
        find: impl Future<Output = LookupResult> + Send + 'static,
        slot: Arc<Slot>,
    ) -> Lookup {
        let mut lookups = self.lock();
        if let Some(lookup) = lookups.get(host).and_then(|entry| entry.lookup.upgrade()) {
            return lookup;
        }
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        let host: Arc<str> = Arc::from(host);
        let guard = LookupGuard { list: Arc::clone(self), host: Arc::clone(&host), number };
        let lookup = async move {
            let _taken = (slot, guard);
            find.await
        };
        let lookup = lookup.boxed().shared();
        let weak = lookup.downgrade().expect("a lookup that was never polled has not ended");
        lookups.insert(host, Entry { number, lookup: weak });
        lookup
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Arc<str>, Entry>> {
        self.lookups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes a lookup from the list when it ends.
struct LookupGuard {
    list: Arc<Lookups>,
    host: Arc<str>,
    number: u64,
}

impl Drop for LookupGuard {
    fn drop(&mut self) {
        let mut lookups = self.list.lock();
        // Another lookup of the name may have started since the last call that waited for this
        // one ended.
        if lookups.get(&self.host).is_some_and(|entry| entry.number == self.number) {
            lookups.remove(&self.host);
        }
    }
}
