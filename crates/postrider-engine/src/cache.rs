//! A bounded cache that loads missing values, and never keeps a value that was invalidated while it
//! was loaded.

use std::{hash::Hash, time::Duration};

use quick_cache::{
    DefaultHashBuilder, Equivalent, OptionsBuilder, UnitWeighter, Weighter,
    sync::{self, DefaultLifecycle, EntryAction, EntryResult, GuardResult},
};

/// Parts with separate locks; small caches have fewer.
const PARTS: usize = 4;

/// A bounded cache. It never returns a value that was loaded before the last [`Cache::forget`] of
/// its key.
#[derive(Debug)]
pub struct Cache<K, V, W = UnitWeighter> {
    inner: sync::Cache<K, V, W>,
}

impl<K: Eq + Hash + Clone, V: Clone> Cache<K, V> {
    /// A cache of at most this many values.
    pub fn new(capacity: usize) -> Self {
        Self::weighted(capacity, capacity, UnitWeighter)
    }
}

/// A value that knows how much memory it takes.
pub trait SizeInMemory {
    /// About how many bytes.
    fn size_bytes(&self) -> usize;
}

/// Weighs values by the memory that they take.
#[derive(Clone, Debug)]
pub struct BySize;

impl<K, V: SizeInMemory> Weighter<K, V> for BySize {
    fn weight(&self, _: &K, value: &V) -> u64 {
        value.size_bytes() as u64
    }
}

impl<K: Eq + Hash + Clone, V: Clone + SizeInMemory> Cache<K, V, BySize> {
    /// A cache of about `count` values that take at most this many bytes together.
    pub fn of_bytes(bytes: usize, count: usize) -> Self {
        Self::weighted(bytes, count, BySize)
    }
}

impl<K: Eq + Hash + Clone, V: Clone, W: Weighter<K, V> + Clone> Cache<K, V, W> {
    /// A cache whose values weigh at most `capacity` together, of about `count` values.
    pub(crate) fn weighted(capacity: usize, count: usize, weighter: W) -> Self {
        let options = OptionsBuilder::new()
            .shards(PARTS)
            .estimated_items_capacity(count)
            .weight_capacity(capacity as u64)
            .build()
            .expect("both capacities are given");
        let inner = sync::Cache::with_options(
            options,
            weighter,
            DefaultHashBuilder::default(),
            DefaultLifecycle::default(),
        );
        Self { inner }
    }

    /// The heaviest value that a cache of this capacity is certain to keep.
    pub(crate) fn heaviest(capacity: usize) -> u64 {
        (capacity as u64 / PARTS as u64 / 8).max(1)
    }

    pub fn get<Q: Hash + Equivalent<K> + ?Sized>(&self, key: &Q) -> Option<V> {
        self.inner.get(key)
    }

    pub fn insert(&self, key: K, value: V) {
        self.inner.insert(key, value);
    }

    /// The cached value if it passes, or else a new one, which replaces it.
    pub fn get_or_renew(&self, key: &K, passes: impl Fn(&V) -> bool, new: impl Fn() -> V) -> V {
        let renewed = self.inner.entry(key, None, |_, known| {
            if !passes(known) {
                *known = new();
            }
            EntryAction::Retain(known.clone())
        });
        match renewed {
            EntryResult::Retained(value) => value,
            EntryResult::Vacant(place) => {
                let value = new();
                drop(place.insert(value.clone()));
                value
            },
            EntryResult::Removed(..) | EntryResult::Replaced(..) | EntryResult::Timeout => new(),
        }
    }

    /// Drops the value. One that is being loaded is returned to the calls that wait for it, but not
    /// kept.
    pub fn forget(&self, key: &K) {
        self.inner.remove(key);
    }

    /// Drops all values, in the same way.
    pub fn clear(&self) {
        self.inner.clear();
    }

    /// The cached value, or else what `load` returns. Concurrent calls share one load. If it
    /// returns nothing or fails, each of the others loads for itself, in parallel: one after the
    /// other, each would wait for a time limit while the store is unavailable.
    pub async fn get_or_load<E>(
        &self,
        key: &K,
        load: impl Future<Output = Result<Option<V>, E>>,
    ) -> Result<Option<V>, E> {
        match self.inner.get_value_or_guard(key, Some(Duration::ZERO)) {
            GuardResult::Value(value) => return Ok(Some(value)),
            GuardResult::Guard(place) => {
                let loaded = load.await?;
                if let Some(value) = &loaded {
                    // The insertion fails if the key was dropped since.
                    drop(place.insert(value.clone()));
                }
                return Ok(loaded);
            },
            GuardResult::Timeout => {},
        }
        match self.inner.get_value_or_guard_async(key).await {
            Ok(value) => Ok(Some(value)),
            Err(place) => {
                drop(place);
                load.await
            },
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests end with their tasks")]
mod tests {
    use std::{
        convert::Infallible,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
    };

    use tokio::{sync::Semaphore, task::JoinSet};

    use super::*;

    /// A store of one number, which is read slowly.
    #[derive(Debug)]
    struct Slow {
        cache: Cache<u8, usize>,
        number: AtomicUsize,
        loads: AtomicUsize,
        /// Loads that have read the number, and those that may end.
        read: Semaphore,
        ends: Semaphore,
    }

    impl Slow {
        fn new() -> Arc<Self> {
            Arc::new(Self {
                cache: Cache::new(8),
                number: AtomicUsize::default(),
                loads: AtomicUsize::default(),
                read: Semaphore::new(0),
                ends: Semaphore::new(0),
            })
        }

        async fn look_up(self: Arc<Self>) -> Result<Option<usize>, Infallible> {
            let load = async {
                self.loads.fetch_add(1, Ordering::SeqCst);
                let number = self.number.load(Ordering::SeqCst);
                self.read.add_permits(1);
                self.ends.acquire().await.unwrap().forget();
                Ok(Some(number))
            };
            self.cache.get_or_load(&0, load).await
        }

        async fn has_read(&self) {
            self.read.acquire().await.unwrap().forget();
        }

        fn let_end(&self, loads: usize) {
            self.ends.add_permits(loads);
        }

        fn change(&self, number: usize) {
            self.number.store(number, Ordering::SeqCst);
            self.cache.forget(&0);
        }
    }

    #[tokio::test]
    async fn concurrent_calls_share_one_load() {
        let slow = Slow::new();
        let mut calls = JoinSet::new();
        for _ in 0..50 {
            calls.spawn(Arc::clone(&slow).look_up());
        }
        slow.has_read().await;
        slow.let_end(1);
        for found in calls.join_all().await {
            assert_eq!(found, Ok(Some(0)));
        }
        assert_eq!(slow.loads.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_value_that_was_dropped_while_it_was_loaded_is_not_kept() {
        for clears in [false, true] {
            let slow = Slow::new();
            let early = tokio::spawn(Arc::clone(&slow).look_up());
            slow.has_read().await;
            slow.change(1);
            if clears {
                slow.cache.clear();
            }
            // A call after the change does not wait for what was read before it.
            let late = tokio::spawn(Arc::clone(&slow).look_up());
            slow.has_read().await;
            slow.let_end(2);
            assert_eq!(early.await.unwrap(), Ok(Some(0)));
            assert_eq!(late.await.unwrap(), Ok(Some(1)));
            assert_eq!(slow.cache.get(&0), Some(1));
        }
    }

    #[tokio::test]
    async fn an_aborted_load_blocks_no_other_call() {
        let slow = Slow::new();
        let first = tokio::spawn(Arc::clone(&slow).look_up());
        slow.has_read().await;
        let second = tokio::spawn(Arc::clone(&slow).look_up());
        tokio::task::yield_now().await;
        first.abort();
        slow.let_end(2);
        assert_eq!(second.await.unwrap(), Ok(Some(0)));
        assert_eq!(slow.look_up().await, Ok(Some(0)));
    }

    #[tokio::test]
    async fn calls_fail_in_parallel_and_nothing_is_kept() {
        let cache = Arc::new(Cache::<u8, u8>::new(8));
        let all_began = Arc::new(tokio::sync::Barrier::new(9));
        let fail = |waits: bool| {
            let (cache, all_began) = (Arc::clone(&cache), Arc::clone(&all_began));
            async move {
                let load = async {
                    if waits {
                        all_began.wait().await;
                    }
                    Err::<Option<u8>, _>("unavailable")
                };
                cache.get_or_load(&0, load).await
            }
        };
        // The first fails; the nine that waited for it then load in parallel.
        let (ends, end) = tokio::sync::oneshot::channel::<()>();
        let first = {
            let cache = Arc::clone(&cache);
            tokio::spawn(async move {
                let load = async {
                    drop(end.await);
                    Err::<Option<u8>, _>("unavailable")
                };
                cache.get_or_load(&0, load).await
            })
        };
        tokio::task::yield_now().await;
        let mut calls = JoinSet::new();
        for _ in 0..9 {
            calls.spawn(fail(true));
        }
        tokio::task::yield_now().await;
        drop(ends);
        assert_eq!(first.await.unwrap(), Err("unavailable"));
        for found in calls.join_all().await {
            assert_eq!(found, Err("unavailable"));
        }
        assert_eq!(fail(false).await, Err("unavailable"));
        assert_eq!(cache.get(&0), None);
    }

    #[test]
    fn a_full_cache_evicts_some_values_and_not_all() {
        let cache = Cache::new(100);
        for key in 0..150 {
            cache.insert(key, key);
        }
        let known = (0..150).filter(|it| cache.get(it).is_some()).count();
        assert!((90..=100).contains(&known), "{known}");
    }
}
