//! Collects messages until there are enough for an object, or the first has waited long enough.
//!
//! The first message of a group waits for the others and writes for all of them, so there is no
//! task in the background.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use postrider_core::{
    concurrency::{CallLimits, ConcurrencyWindow},
    kind::s3::BatchLimits,
    time::Timestamp,
};
use postrider_engine::Report;
use tokio::{sync::oneshot, time::Instant};

/// How often the first message of a group looks whether others still arrive.
const SILENCE: Duration = Duration::from_millis(500);

/// Groups of messages, one for each beginning of a key.
#[derive(Debug)]
pub(super) struct Collector<T> {
    limits: BatchLimits,
    state: Mutex<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    groups: HashMap<String, Group<T>>,
    /// Numbers groups, because a beginning of a key has one after the other.
    next: u64,
    /// Messages that wait in groups, and that are written.
    held: usize,
    /// As many messages as the dispatcher lets wait here, if nothing else limits it: it follows
    /// the same rule with the same results.
    window: ConcurrencyWindow,
}

#[derive(Debug)]
struct Group<T> {
    number: u64,
    waiting: Vec<Waiting<T>>,
    bytes: usize,
    close: oneshot::Sender<Vec<Waiting<T>>>,
}

#[derive(Debug)]
struct Waiting<T> {
    item: T,
    reply: oneshot::Sender<Report>,
}

/// The call that opened a group.
struct Leader<'a, T> {
    collector: &'a Collector<T>,
    prefix: &'a str,
    number: u64,
    closed: oneshot::Receiver<Vec<Waiting<T>>>,
}

impl<T> Collector<T> {
    pub(super) fn new(limits: BatchLimits) -> Self {
        let window = ConcurrencyWindow::new(2 * limits.messages);
        let state = State { groups: HashMap::new(), next: 0, held: 0, window };
        Self { limits, state: Mutex::new(state) }
    }

    /// Writes the item together with others of the same prefix; its report. `write` returns one
    /// report for each item, in order.
    ///
    /// `None` if the call that was writing was dropped: it is not known whether the item was written.
    pub(super) async fn submit<W, F>(
        &self,
        prefix: &str,
        item: T,
        bytes: usize,
        write: W,
    ) -> Option<Report>
    where
        W: FnOnce(Vec<T>) -> F,
        F: Future<Output = Vec<Report>>,
    {
        let (reply, replied) = oneshot::channel();
        let Some(mut leader) = self.add(prefix, Waiting { item, reply }, bytes) else {
            return replied.await.ok();
        };
        let waiting = leader.collected().await;
        let held = Held { collector: self, count: waiting.len() };
        let (items, replies): (Vec<_>, Vec<_>) =
            waiting.into_iter().map(|Waiting { item, reply }| (item, reply)).unzip();
        let reports = write(items).await;
        drop(held);
        self.learn(&reports);
        for (report, reply) in reports.into_iter().zip(replies) {
            // The caller may have gone.
            drop(reply.send(report));
        }
        replied.await.ok()
    }

    /// Adds an item to the group of its prefix. Returns the leader if the item opens a group.
    fn add<'a>(
        &'a self,
        prefix: &'a str,
        waiting: Waiting<T>,
        bytes: usize,
    ) -> Option<Leader<'a, T>> {
        let mut state = self.state();
        let is_full = |group: &Group<T>| group.bytes + bytes > self.limits.bytes;
        if state.groups.get(prefix).is_some_and(is_full) {
            state.close(prefix);
        }
        state.held += 1;
        let mut leader = None;
        if let Some(group) = state.groups.get_mut(prefix) {
            group.waiting.push(waiting);
            group.bytes += bytes;
        } else {
            let (group, closed) = state.open(waiting, bytes);
            leader = Some(Leader { collector: self, prefix, number: group.number, closed });
            state.groups.insert(prefix.to_owned(), group);
        }
        state.close_what_is_complete(prefix, self.limits);
        leader
    }

    /// The dispatcher gets the same reports.
    fn learn(&self, reports: &[Report]) {
        let mut state = self.state();
        for report in reports {
            // The time only matters for pauses, which are the dispatcher's.
            let limits = CallLimits { in_flight: 2 * self.limits.messages, rest: Duration::ZERO };
            state.window.record(report.outcome, limits, Timestamp::default());
        }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    fn open(
        &mut self,
        waiting: Waiting<T>,
        bytes: usize,
    ) -> (Group<T>, oneshot::Receiver<Vec<Waiting<T>>>) {
        let (close, closed) = oneshot::channel();
        let number = self.next;
        self.next += 1;
        (Group { number, waiting: vec![waiting], bytes, close }, closed)
    }

    fn close_what_is_complete(&mut self, prefix: &str, limits: BatchLimits) {
        let is_complete = self.groups.get(prefix).is_some_and(|group| {
            group.waiting.len() >= limits.messages || group.bytes >= limits.bytes
        });
        if is_complete {
            self.close(prefix);
        }
        // The dispatcher sends no more until some of these are written.
        if self.held >= self.window.window() {
            let prefixes: Vec<_> = self.groups.keys().cloned().collect();
            for prefix in prefixes {
                self.close(&prefix);
            }
        }
    }

    /// Hands the group to its leader.
    fn close(&mut self, prefix: &str) {
        if let Some(Group { waiting, close, .. }) = self.groups.remove(prefix) {
            // A leader that is gone has removed its group before.
            drop(close.send(waiting));
        }
    }

    fn take(&mut self, prefix: &str, number: u64) -> Option<Vec<Waiting<T>>> {
        let is_same = self.groups.get(prefix).is_some_and(|group| group.number == number);
        let group = if is_same { self.groups.remove(prefix) } else { None };
        group.map(|group| group.waiting)
    }
}

impl<T> Leader<'_, T> {
    /// Waits until the group is complete; its items.
    async fn collected(&mut self) -> Vec<Waiting<T>> {
        let deadline = Instant::now() + self.collector.limits.wait;
        let mut count = 1;
        loop {
            let next = deadline.min(Instant::now() + SILENCE);
            tokio::select! {
                biased;
                waiting = &mut self.closed => return waiting.unwrap_or_default(),
                () = tokio::time::sleep_until(next) => {},
            }
            let before = std::mem::replace(&mut count, self.count());
            if Instant::now() < deadline && !self.is_silent(before, count) {
                continue;
            }
            if let Some(waiting) = self.collector.state().take(self.prefix, self.number) {
                return waiting;
            }
        }
    }

    /// Whether so many wait that something else than a lack of messages keeps others from
    /// arriving, such as a limit on memory.
    fn is_silent(&self, before: usize, count: usize) -> bool {
        count == before && count > 1 && count >= self.collector.limits.messages / 4
    }

    fn count(&self) -> usize {
        let state = self.collector.state();
        let group = state.groups.get(self.prefix).filter(|group| group.number == self.number);
        group.map_or(0, |group| group.waiting.len())
    }
}

impl<T> Drop for Leader<'_, T> {
    /// Without a leader, the group would not be written.
    fn drop(&mut self) {
        self.closed.close();
        let mut state = self.collector.state();
        let abandoned = state.take(self.prefix, self.number);
        let handed_over = self.closed.try_recv().ok();
        let count = abandoned.or(handed_over).map_or(0, |waiting| waiting.len());
        state.held -= count;
    }
}

/// Items that are being written.
struct Held<'a, T> {
    collector: &'a Collector<T>,
    count: usize,
}

impl<T> Drop for Held<'_, T> {
    fn drop(&mut self) {
        self.collector.state().held -= self.count;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::future::join_all;

    use super::*;

    const LIMITS: BatchLimits =
        BatchLimits { messages: 4, bytes: 100, wait: Duration::from_secs(10) };

    /// Sizes of the groups in the order in which they were written, and when.
    type Written = Arc<Mutex<Vec<(Vec<u32>, Duration)>>>;

    fn writer(written: &Written) -> impl Fn(Vec<u32>) -> std::future::Ready<Vec<Report>> + '_ {
        let began = Instant::now();
        move |items| {
            let reports = items.iter().map(|item| Report::delivered(item.to_string())).collect();
            written.lock().unwrap().push((items, began.elapsed()));
            std::future::ready(reports)
        }
    }

    fn grown(limits: BatchLimits) -> Collector<u32> {
        let collector = Collector::new(limits);
        collector.learn(&vec![Report::delivered(""); 2 * limits.messages]);
        collector
    }

    async fn written(
        collector: &Collector<u32>,
        items: &[(&'static str, u32, usize)],
    ) -> Vec<(Vec<u32>, u64)> {
        let written = Written::default();
        let write = writer(&written);
        let submit = |(prefix, item, bytes): &(&'static str, u32, usize)| {
            collector.submit(prefix, *item, *bytes, &write)
        };
        let reports = join_all(items.iter().map(submit)).await;
        for ((_, item, _), report) in items.iter().zip(reports) {
            assert_eq!(report.unwrap().response.body, item.to_string());
        }
        let written = written.lock().unwrap();
        written.iter().map(|(items, at)| (items.clone(), at.as_secs())).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_group_is_written_when_it_has_enough_messages() {
        let items: Vec<_> = (0..6).map(|item| ("a", item, 1)).collect();
        let found = written(&grown(LIMITS), &items).await;
        assert_eq!(found[0], (vec![0, 1, 2, 3], 0));
        assert_eq!(found[1].0, [4, 5]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_group_is_written_when_it_is_large_enough() {
        let items = [("a", 0, 60), ("a", 1, 60), ("a", 2, 40)];
        let found = written(&grown(LIMITS), &items).await;
        assert_eq!(found, [(vec![0], 0), (vec![1, 2], 0)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_group_is_written_when_its_first_message_has_waited_long_enough() {
        let limits = BatchLimits { messages: 40, ..LIMITS };
        let found = written(&grown(limits), &[("a", 0, 1), ("b", 1, 1), ("a", 2, 1)]).await;
        assert_eq!(found, [(vec![0, 2], 10), (vec![1], 10)]);
    }

    #[tokio::test(start_paused = true)]
    async fn groups_are_written_when_the_dispatcher_sends_no_more() {
        let limits = BatchLimits { messages: 400, ..LIMITS };
        let items: Vec<_> =
            (0..8).map(|item| (if item < 4 { "a" } else { "b" }, item, 1)).collect();
        let found = written(&Collector::new(limits), &items).await;
        assert!(found.iter().all(|(items, at)| (items.len(), *at) == (4, 0)), "{found:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn many_messages_without_others_behind_them_do_not_wait_to_the_end() {
        let limits = BatchLimits { messages: 40, ..LIMITS };
        let items: Vec<_> = (0..10).map(|item| ("a", item, 1)).collect();
        let found = written(&grown(limits), &items).await;
        assert_eq!(found.len(), 1);
        assert!(found[0].1 < 2, "{found:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_leader_the_others_learn_that_nothing_is_known() {
        let collector = grown(BatchLimits { messages: 40, ..LIMITS });
        let at_once = |items: Vec<u32>| {
            std::future::ready(items.iter().map(|_| Report::delivered("")).collect::<Vec<_>>())
        };
        let (first, second) = tokio::join!(
            tokio::time::timeout(Duration::from_secs(1), collector.submit("a", 0, 1, at_once)),
            collector.submit("a", 1, 1, at_once),
        );
        assert!(first.is_err() && second.is_none());
        assert_eq!(collector.state().held, 0);
        assert!(collector.submit("a", 2, 1, at_once).await.is_some());
    }
}
