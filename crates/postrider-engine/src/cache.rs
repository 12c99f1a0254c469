//! A bounded cache that loads what is missing, and never keeps what was forgotten while it was
//! being loaded.

use std::{hash::Hash, time::Duration};

use quick_cache::{
    DefaultHashBuilder, Equivalent, OptionsBuilder, UnitWeighter, Weighter,
    sync::{self, DefaultLifecycle, EntryAction, EntryResult, GuardResult},
};

/// Parts with a lock of their own; small caches have fewer.
const PARTS: usize = 4;

/// A bounded cache. What it holds is as new as the last [`Cache::forget`] of its key.
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

    /// The value that is known, if it passes, or else a new one, which is kept in its place.
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

    /// Forgets the value. One that is being loaded reaches those who wait for it already, but
    /// is not kept.
    pub fn forget(&self, key: &K) {
        self.inner.remove(key);
    }

    /// Forgets everything, in the same way.
    pub fn clear(&self) {
        self.inner.clear();
    }

    /// The value that is known, or else what `load` finds. Concurrent calls share one load,
    /// unless it finds nothing or fails: then each of them loads for itself, at the same time.
    /// Otherwise they would wait for one time limit after the other while the store is away.
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
                    // The place is gone if the key was forgotten since.
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
    async fn what_was_forgotten_while_it_was_loaded_is_not_kept() {
        for clears in [false, true] {
            let slow = Slow::new();
            let early = tokio::spawn(Arc::clone(&slow).look_up());
            slow.has_read().await;
            slow.change(1);
            if clears {
                slow.cache.clear();
            }
            // Who comes after the change does not wait for what was read before it.
            let late = tokio::spawn(Arc::clone(&slow).look_up());
            slow.has_read().await;
            slow.let_end(2);
            assert_eq!(early.await.unwrap(), Ok(Some(0)));
            assert_eq!(late.await.unwrap(), Ok(Some(1)));
            assert_eq!(slow.cache.get(&0), Some(1));
        }
    }

    #[tokio::test]
    async fn a_load_that_was_given_up_holds_nothing_up() {
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
    async fn failures_come_at_the_same_time_and_nothing_is_kept() {
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
        // The first fails; the nine that waited for it then load beside each other.
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
    fn a_full_cache_forgets_some_and_not_all() {
        let cache = Cache::new(100);
        for key in 0..150 {
            cache.insert(key, key);
        }
        let known = (0..150).filter(|it| cache.get(it).is_some()).count();
        assert!((90..=100).contains(&known), "{known}");
    }
}
