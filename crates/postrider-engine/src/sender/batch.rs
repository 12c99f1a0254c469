//! Writes many messages at once: what arrives during one write goes into the next.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

/// Collects items of one endpoint while a write is in progress. One of those that wait writes for
/// all of them, so there is no task in the background.
pub struct Batcher<T, R> {
    max: usize,
    queue: Arc<Queue<T, R>>,
}

impl<T, R> fmt::Debug for Batcher<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batcher").field("max", &self.max).finish_non_exhaustive()
    }
}

impl<T, R> Batcher<T, R> {
    /// Writes at most `max` items at once.
    pub fn new(max: usize) -> Self {
        let state = State { waiting: VecDeque::new(), is_writing: false };
        Self { max, queue: Arc::new(Queue(Mutex::new(state))) }
    }

    /// Writes the item, possibly together with others, and returns its result. `write` returns one
    /// result for each item, in order.
    ///
    /// `None` if the write that contained the item was dropped, because its own caller's time had
    /// run out: it is not known whether the item was written.
    pub async fn submit<W, F>(&self, item: T, write: W) -> Option<R>
    where
        W: Fn(Vec<T>) -> F,
        F: Future<Output = Vec<R>>,
    {
        let (item, lead) = match self.queue.enter(item).await? {
            Turn::Written(result) => return Some(result),
            Turn::Lead(item, lead) => (item, lead),
        };
        let (items, replies) = self.take(item);
        let mut results = write(items).await.into_iter();
        let own = results.next();
        // The next write begins before the results of this one are dealt with.
        drop(lead);
        for (result, reply) in results.zip(replies) {
            // The caller may have gone.
            drop(reply.send(Turn::Written(result)));
        }
        own
    }

    /// The items of a write: that of the caller and those that wait.
    fn take(&self, item: T) -> (Vec<T>, Vec<Reply<T, R>>) {
        let mut state = self.queue.state();
        // What no caller waits for is not written.
        state.waiting.retain(|(_, reply)| !reply.is_closed());
        let count = state.waiting.len().min(self.max.saturating_sub(1));
        let (others, replies): (Vec<T>, Vec<Reply<T, R>>) = state.waiting.drain(..count).unzip();
        (std::iter::once(item).chain(others).collect(), replies)
    }
}

type Reply<T, R> = oneshot::Sender<Turn<T, R>>;

/// What an item waits for.
enum Turn<T, R> {
    /// Another caller wrote it.
    Written(R),
    /// Its caller is to write it, and others with it.
    Lead(T, Lead<T, R>),
}

/// What waits.
struct Queue<T, R>(Mutex<State<T, R>>);

struct State<T, R> {
    waiting: VecDeque<(T, Reply<T, R>)>,
    /// There is one [`Lead`].
    is_writing: bool,
}

impl<T, R> Queue<T, R> {
    /// Waits until the item was written, or is to be written by its caller.
    async fn enter(self: &Arc<Self>, item: T) -> Option<Turn<T, R>> {
        let replied = {
            let mut state = self.state();
            if !state.is_writing {
                state.is_writing = true;
                return Some(Turn::Lead(item, Lead(Some(Arc::clone(self)))));
            }
            let (reply, replied) = oneshot::channel();
            state.waiting.push_back((item, reply));
            replied
        };
        replied.await.ok()
    }

    fn next(&self) -> Option<(T, Reply<T, R>)> {
        let mut state = self.state();
        let next = state.waiting.pop_front();
        state.is_writing = next.is_some();
        next
    }

    fn state(&self) -> MutexGuard<'_, State<T, R>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to write. When it is dropped, for whatever reason, the item that has waited for
/// longest gets it.
struct Lead<T, R>(Option<Arc<Queue<T, R>>>);

impl<T, R> Drop for Lead<T, R> {
    fn drop(&mut self) {
        let Some(queue) = self.0.take() else { return };
        while let Some((item, reply)) = queue.next() {
            let lead = Self(Some(Arc::clone(&queue)));
            match reply.send(Turn::Lead(item, lead)) {
                // Its caller has gone, so the next one gets it, in this loop.
                Err(Turn::Lead(_, mut refused)) => refused.0 = None,
                Ok(()) | Err(Turn::Written(_)) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, time::Duration};

    use futures_util::{StreamExt, future::join_all, stream::FuturesUnordered};

    use super::*;

    #[tokio::test]
    async fn what_arrives_during_a_write_goes_into_the_next_one() {
        let batcher = Batcher::new(3);
        let writes = RefCell::new(Vec::new());
        let write = |items: Vec<u32>| async {
            tokio::task::yield_now().await;
            writes.borrow_mut().push(items.clone());
            items.into_iter().map(|item| item * 10).collect()
        };
        let results = join_all((1..=8).map(|item| batcher.submit(item, write))).await;
        assert_eq!(results, (1..=8).map(|item| Some(item * 10)).collect::<Vec<_>>());
        assert_eq!(writes.into_inner(), [vec![1], vec![2, 3, 4], vec![5, 6, 7], vec![8]]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_that_is_dropped_leaves_its_other_items_without_a_result() {
        let batcher = Batcher::new(3);
        let never = |_: Vec<u32>| std::future::pending::<Vec<u32>>();
        let at_once = |items: Vec<u32>| async { items };
        let slow = |items: Vec<u32>| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            items
        };
        let (first, second, third) = tokio::join!(
            batcher.submit(1, slow),
            tokio::time::timeout(Duration::from_secs(5), batcher.submit(2, never)),
            batcher.submit(3, at_once),
        );
        assert_eq!((first, second.is_err(), third), (Some(1), true, None));
        assert_eq!(batcher.submit(4, at_once).await, Some(4));
    }

    #[tokio::test]
    async fn the_next_write_begins_before_the_results_are_dealt_with() {
        let batcher = Batcher::new(2);
        let events = RefCell::new(Vec::new());
        let write = |items: Vec<u32>| async {
            events.borrow_mut().push(format!("write {items:?}"));
            tokio::task::yield_now().await;
            items
        };
        let submit = async |item| {
            batcher.submit(item, write).await;
            events.borrow_mut().push(format!("done {item}"));
        };
        let mut submitting: FuturesUnordered<_> = (1..=5).map(submit).collect();
        while submitting.next().await.is_some() {}
        let events = events.borrow();
        let position = |event: &str| events.iter().position(|it| it == event).unwrap();
        assert!(position("write [4, 5]") < position("done 3"), "{events:?}");
    }

    #[tokio::test]
    async fn a_caller_that_goes_leaves_its_turn_to_the_next() {
        let batcher = Batcher::new(1);
        let never = |_: Vec<u32>| std::future::pending::<Vec<u32>>();
        let at_once = |items: Vec<u32>| async { items };
        let mut writing = Box::pin(batcher.submit(1, never));
        let mut second = Box::pin(batcher.submit(2, at_once));
        let mut third = Box::pin(batcher.submit(3, at_once));
        assert!(futures_util::poll!(&mut writing).is_pending());
        assert!(futures_util::poll!(&mut second).is_pending());
        assert!(futures_util::poll!(&mut third).is_pending());
        drop(writing);
        // The second has got its turn, but has not noticed.
        drop(second);
        assert_eq!(third.await, Some(3));
        assert_eq!(batcher.submit(4, at_once).await, Some(4));
    }
}
