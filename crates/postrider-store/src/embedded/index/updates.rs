//! The queue between the commit thread and the index thread, which sleeps while commits collect.
//!
//! A channel would wake the index thread for each commit. At low rates, that costs more than
//! indexing the commit.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc::RecvTimeoutError},
    time::Duration,
};

use crate::embedded::{journal::Change, number::JournalPosition};

/// Updates that wait to be collected; further ones are dropped.
pub(super) const CAPACITY: usize = 256;

/// As many updates wake the index thread.
const MANY: usize = CAPACITY / 2;

/// Wakes the index thread.
#[derive(Debug)]
pub(super) enum Update {
    Committed(JournalPosition, Vec<Change>),
    /// A reader waits, or has found damage.
    Wanted,
}

/// A queue, and both its sides.
pub(super) fn channel() -> (UpdateSender, UpdateReceiver) {
    let queue = Arc::new(Queue::default());
    queue.lock().senders = 1;
    (UpdateSender(Arc::clone(&queue)), UpdateReceiver(queue))
}

#[derive(Debug, Default)]
struct Queue {
    state: Mutex<State>,
    woken: Condvar,
}

#[derive(Debug, Default)]
struct State {
    updates: VecDeque<Update>,
    /// A reader waits for the index.
    is_urgent: bool,
    senders: usize,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn wakes(&self) -> bool {
        self.is_urgent || self.updates.len() >= MANY || self.senders == 0
    }
}

#[derive(Debug)]
pub(super) struct UpdateSender(Arc<Queue>);

impl UpdateSender {
    /// Queues an update, unless the queue is full.
    pub(super) fn try_send(&self, update: Update) {
        let mut state = self.0.lock();
        state.is_urgent |= matches!(update, Update::Wanted);
        if state.updates.len() < CAPACITY {
            state.updates.push_back(update);
        }
        if state.wakes() {
            self.0.woken.notify_one();
        }
    }
}

impl Clone for UpdateSender {
    fn clone(&self) -> Self {
        self.0.lock().senders += 1;
        Self(Arc::clone(&self.0))
    }
}

impl Drop for UpdateSender {
    fn drop(&mut self) {
        self.0.lock().senders -= 1;
        self.0.woken.notify_one();
    }
}

#[derive(Debug)]
pub(super) struct UpdateReceiver(Arc<Queue>);

impl UpdateReceiver {
    /// The next update. Waits until a reader waits for the index, there are many updates, all
    /// senders are dropped, or `linger` has passed.
    ///
    /// # Errors
    ///
    /// If there is none even then: a timeout, or no sender is left.
    pub(super) fn recv_timeout(&self, linger: Duration) -> Result<Update, RecvTimeoutError> {
        let state = self.0.lock();
        let waited = self.0.woken.wait_timeout_while(state, linger, |state| !state.wakes());
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.is_urgent = false;
        let none = if state.senders == 0 {
            RecvTimeoutError::Disconnected
        } else {
            RecvTimeoutError::Timeout
        };
        state.updates.pop_front().ok_or(none)
    }

    /// The next update, if there is one.
    pub(super) fn try_recv(&self) -> Option<Update> {
        self.0.lock().updates.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3_600);

    fn committed(position: u64) -> Update {
        Update::Committed(JournalPosition(position), Vec::new())
    }

    /// Updates that the receiver gets, without waiting, after one was received.
    fn rest(receiver: &UpdateReceiver) -> usize {
        std::iter::from_fn(|| receiver.try_recv()).count()
    }

    #[test]
    fn a_commit_is_received_when_the_time_is_over() {
        let (sender, receiver) = channel();
        assert_eq!(receiver.recv_timeout(Duration::ZERO).unwrap_err(), RecvTimeoutError::Timeout);
        sender.try_send(committed(1));
        assert!(receiver.recv_timeout(Duration::from_millis(1)).is_ok());
    }

    #[test]
    fn a_reader_and_many_commits_wake_the_receiver() {
        let (sender, receiver) = channel();
        sender.try_send(committed(1));
        sender.try_send(Update::Wanted);
        assert!(receiver.recv_timeout(LONG).is_ok());
        assert_eq!(rest(&receiver), 1);
        (0..MANY as u64).for_each(|it| sender.try_send(committed(it)));
        assert!(receiver.recv_timeout(LONG).is_ok());
        assert_eq!(rest(&receiver), MANY - 1);
    }

    #[test]
    fn a_reader_wakes_the_receiver_even_if_the_queue_is_full() {
        let (sender, receiver) = channel();
        (0..2 * CAPACITY as u64).for_each(|it| sender.try_send(committed(it)));
        sender.try_send(Update::Wanted);
        assert!(receiver.recv_timeout(LONG).is_ok());
        assert_eq!(rest(&receiver), CAPACITY - 1);
    }

    #[test]
    fn updates_are_received_before_the_end() {
        let (sender, receiver) = channel();
        let other = sender.clone();
        other.try_send(committed(1));
        drop((sender, other));
        assert!(receiver.recv_timeout(LONG).is_ok());
        assert_eq!(receiver.recv_timeout(LONG).unwrap_err(), RecvTimeoutError::Disconnected);
    }
}
