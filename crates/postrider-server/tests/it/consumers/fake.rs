//! A queue in this process: what was received and not acknowledged is delivered again when the
//! connection is closed, or when it is given back.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use postrider::{ConsumerId, DeadLetterId, api::DeadLetterCause};
use postrider_core::{
    catalog::{DeadBody, DeadLetter},
    outcome::Failure,
    queue::QueueConfig,
};
use postrider_engine::{PartitionLeases, Queue, QueueConnector, QueueError, QueueMessage, Receipt};
use postrider_store::{Expected, Records, Store};
use serde_json::{Value, json};
use tokio::sync::Notify;

/// A message of the fake queue.
pub(crate) fn message(number: u32, body: &str) -> QueueMessage {
    QueueMessage {
        id: number.to_string(),
        body: Bytes::copy_from_slice(body.as_bytes()),
        headers: [("n".to_owned(), number.to_string())].into(),
        subject: None,
        deliveries: None,
        receipt: Receipt::Number(number.into()),
    }
}

/// The broker.
#[derive(Clone, Debug, Default)]
pub(crate) struct FakeQueue(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    ready: VecDeque<QueueMessage>,
    unacknowledged: BTreeMap<u64, QueueMessage>,
    acknowledged: usize,
    given_back: usize,
    failing_acknowledgements: usize,
    is_down: bool,
    is_open: bool,
    opened: usize,
    batches: Vec<usize>,
    password: Option<String>,
}

impl FakeQueue {
    pub(crate) fn put(&self, message: QueueMessage) {
        self.lock().ready.push_back(message);
        self.0.changed.notify_one();
    }

    /// Closes the connection instead of acknowledging, this many times.
    pub(crate) fn fail_acknowledgements(&self, count: usize) {
        self.lock().failing_acknowledgements = count;
    }

    pub(crate) fn set_down(&self, is_down: bool) {
        self.lock().is_down = is_down;
        self.0.changed.notify_one();
    }

    pub(crate) fn acknowledged(&self) -> usize {
        self.lock().acknowledged
    }

    pub(crate) fn opened(&self) -> usize {
        self.lock().opened
    }

    pub(crate) fn batches(&self) -> Vec<usize> {
        self.lock().batches.clone()
    }

    /// The password of the last connection.
    pub(crate) fn password(&self) -> Option<String> {
        self.lock().password.clone()
    }

    pub(crate) async fn until_acknowledged(&self, count: usize) {
        self.until(|it| it.acknowledged >= count && it.unacknowledged.is_empty()).await;
    }

    pub(crate) async fn until_given_back(&self) {
        self.until(|it| it.given_back > 0).await;
    }

    pub(crate) async fn until_closed(&self) {
        self.until(|it| !it.is_open).await;
    }

    /// Time passes by itself in tests.
    async fn until(&self, is_done: impl Fn(&State) -> bool) {
        for _ in 0..10_000 {
            if is_done(&self.lock()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{:?}", self.lock());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }
}

fn down() -> QueueError {
    QueueError { failure: Failure::Unavailable, reason: "the queue is down; start it".to_owned() }
}

#[async_trait]
impl QueueConnector for FakeQueue {
    async fn open(
        &self,
        config: Arc<QueueConfig>,
        _consumer: &str,
        _partitions: Arc<dyn PartitionLeases>,
    ) -> Result<Box<dyn Queue>, QueueError> {
        let mut state = self.lock();
        state.opened += 1;
        if state.is_down {
            return Err(down());
        }
        if let QueueConfig::Nats(config) = &*config {
            let broker = config.server().unwrap().broker;
            state.password = broker.password.map(|it| it.reveal().to_owned());
        }
        state.is_open = true;
        Ok(Box::new(Connection(self.clone())))
    }
}

/// A connection; what it has received is delivered again when it is dropped.
#[derive(Debug)]
struct Connection(FakeQueue);

impl Drop for Connection {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.is_open = false;
        let again = std::mem::take(&mut state.unacknowledged);
        state.ready.extend(again.into_values());
    }
}

#[async_trait]
impl Queue for Connection {
    async fn receive(&mut self, max: usize) -> Result<Vec<QueueMessage>, QueueError> {
        loop {
            {
                let mut state = self.0.lock();
                if state.is_down {
                    return Err(down());
                }
                let count = max.min(state.ready.len());
                if count > 0 {
                    let received: Vec<_> = state.ready.drain(..count).collect();
                    for it in &received {
                        state.unacknowledged.insert(number(&it.receipt), it.clone());
                    }
                    state.batches.push(count);
                    return Ok(received);
                }
            }
            self.0.0.changed.notified().await;
        }
    }

    async fn acknowledge(&mut self, receipts: &[Receipt]) -> Result<(), QueueError> {
        let mut state = self.0.lock();
        if state.failing_acknowledgements > 0 {
            state.failing_acknowledgements -= 1;
            return Err(down());
        }
        for receipt in receipts {
            assert!(state.unacknowledged.remove(&number(receipt)).is_some());
        }
        state.acknowledged += receipts.len();
        Ok(())
    }

    async fn give_back(&mut self, receipts: &[Receipt]) -> Result<(), QueueError> {
        let mut state = self.0.lock();
        for receipt in receipts {
            let again = state.unacknowledged.remove(&number(receipt)).unwrap();
            state.ready.push_back(again);
        }
        state.given_back += receipts.len();
        Ok(())
    }
}

fn number(receipt: &Receipt) -> u64 {
    match receipt {
        Receipt::Number(number) => *number,
        Receipt::Text(_) | Receipt::Position { .. } => panic!("{receipt:?}"),
    }
}

/// Fills the list of dead letters.
pub(crate) async fn fill_dead_letters(store: &dyn Store, consumer: ConsumerId, count: usize) {
    for number in 0..count as u64 {
        store.save(&dead_letter(consumer, number), Expected::New).await.unwrap();
    }
}

fn dead_letter(consumer: ConsumerId, number: u64) -> DeadLetter {
    DeadLetter {
        id: DeadLetterId::from_parts((1_767_225_600_000 << 12) + number, 1),
        consumer,
        message: format!("old {number}"),
        cause: DeadLetterCause::Refused,
        reason: String::new(),
        attempts: 1,
        subject: None,
        headers: BTreeMap::new(),
        body: DeadBody::of(b"{}"),
        is_truncated: false,
    }
}

/// A valid configuration of the queue's kind, with a password.
pub(crate) fn queue_config() -> Value {
    json!({ "url": "nats://user:secret@queue.example", "stream": "ORDERS" })
}

/// Stores a dead letter that would be accepted now, and returns its id.
pub(crate) async fn put_dead_letter(store: &dyn Store, consumer: ConsumerId) -> String {
    let body = json!({ "appId": "a", "message": { "eventType": "x", "payload": {} } });
    let body = DeadBody::Text(body.to_string());
    let letter = DeadLetter { body, ..dead_letter(consumer, 0) };
    store.save(&letter, Expected::New).await.unwrap();
    letter.id.to_string()
}
