//! Writes many messages at once: what arrives during one write goes into the next.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use tokio::sync::oneshot;

/// Collects items of one endpoint while a write is in progress. The first that wants to write
/// writes for all that wait, so there is no task in the background.
#[derive(Debug)]
pub struct Batcher<T, R> {
    max: usize,
    queue: Mutex<VecDeque<(T, oneshot::Sender<R>)>>,
    /// Held during a write.
    writing: tokio::sync::Mutex<()>,
}

impl<T, R> Batcher<T, R> {
    /// Writes at most `max` items at once.
    pub fn new(max: usize) -> Self {
        Self { max, queue: Mutex::default(), writing: tokio::sync::Mutex::new(()) }
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
        let (reply, mut replied) = oneshot::channel();
        self.queue().push_back((item, reply));
        let _writing = tokio::select! {
            biased;
            result = &mut replied => return result.ok(),
            writing = self.writing.lock() => writing,
        };
        loop {
            // A write, another one or this one, may have contained the item.
            match replied.try_recv() {
                Ok(result) => return Some(result),
                Err(oneshot::error::TryRecvError::Closed) => return None,
                Err(oneshot::error::TryRecvError::Empty) => {},
            }
            let (items, replies) = self.take();
            for (result, reply) in write(items).await.into_iter().zip(replies) {
                // The caller may have gone.
                drop(reply.send(result));
            }
        }
    }

    fn take(&self) -> (Vec<T>, Vec<oneshot::Sender<R>>) {
        let mut queue = self.queue();
        // An item whose caller has gone is not written.
        queue.retain(|(_, reply)| !reply.is_closed());
        let count = queue.len().min(self.max);
        queue.drain(..count).unzip()
    }

    fn queue(&self) -> std::sync::MutexGuard<'_, VecDeque<(T, oneshot::Sender<R>)>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, time::Duration};

    use futures_util::future::join_all;

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
}
