//! Lookups under way, each shared by all calls that wait for the same name.
//!
//! A lookup is driven by those that wait for it. When the last of them goes, it ends.

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

use super::{Answer, admission::Slot};

pub(super) type Lookup = Shared<BoxFuture<'static, Answer>>;

#[derive(Default)]
pub(super) struct UnderWay {
    lookups: Mutex<HashMap<Arc<str>, Entry>>,
    begun: AtomicU64,
}

struct Entry {
    number: u64,
    lookup: WeakShared<BoxFuture<'static, Answer>>,
}

impl std::fmt::Debug for UnderWay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UnderWay").field("count", &self.lock().len()).finish()
    }
}

impl UnderWay {
    /// The lookup of this name that is under way.
    pub(super) fn get(&self, host: &str) -> Option<Lookup> {
        self.lock().get(host).and_then(|entry| entry.lookup.upgrade())
    }

    /// Begins a lookup, unless one of the same name is under way, which is then joined. The
    /// slot is taken until it ends.
    pub(super) fn begin(
        self: &Arc<Self>,
        host: &str,
        find: impl Future<Output = Answer> + Send + 'static,
        slot: Arc<Slot>,
    ) -> Lookup {
        let mut lookups = self.lock();
        if let Some(lookup) = lookups.get(host).and_then(|entry| entry.lookup.upgrade()) {
            return lookup;
        }
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        let host: Arc<str> = Arc::from(host);
        let place = Place { list: Arc::clone(self), host: Arc::clone(&host), number };
        let lookup = async move {
            let _taken = (slot, place);
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

/// A lookup's place in the list, which ends with it.
struct Place {
    list: Arc<UnderWay>,
    host: Arc<str>,
    number: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut lookups = self.list.lock();
        // Another one may have begun since the last call that waited for this one went.
        if lookups.get(&self.host).is_some_and(|entry| entry.number == self.number) {
            lookups.remove(&self.host);
        }
    }
}
