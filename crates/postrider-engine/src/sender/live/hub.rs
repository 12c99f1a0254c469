//! The endpoints that have readers on this node.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use postrider::EndpointId;
use postrider_core::{message::Message, time::Timestamp};
use tokio::sync::mpsc;

use super::super::call::Call;

/// Deliveries that may wait until they are passed on to the readers. Those that do not fit are read
/// from the store.
const MAX_WAITING: usize = 256;

/// A message for the readers of an endpoint.
#[derive(Clone, Debug)]
pub struct LiveDelivery {
    pub message: Arc<Message>,
    pub body: Bytes,
    /// When the delivery began.
    pub at: Timestamp,
}

/// The endpoints that have readers on this node.
#[derive(Debug, Default)]
pub struct LiveHub {
    listening: Mutex<HashMap<EndpointId, Listening>>,
}

#[derive(Debug)]
struct Listening {
    deliveries: mpsc::Sender<LiveDelivery>,
    shared: Arc<Shared>,
}

/// What the two sides of an endpoint share.
#[derive(Debug)]
struct Shared {
    readers: Arc<AtomicUsize>,
    has_missed: AtomicBool,
}

/// The deliveries of one endpoint. Dropping it ends them.
#[derive(Debug)]
pub struct LiveInbox {
    hub: Arc<LiveHub>,
    endpoint: EndpointId,
    deliveries: mpsc::Receiver<LiveDelivery>,
    shared: Arc<Shared>,
}

impl LiveHub {
    /// Receives the deliveries of an endpoint from now on, instead of the one that received them
    /// before. `readers` is the number of readers, which attempts state.
    pub fn listen(self: &Arc<Self>, endpoint: EndpointId, readers: Arc<AtomicUsize>) -> LiveInbox {
        let (sender, deliveries) = mpsc::channel(MAX_WAITING);
        let shared = Arc::new(Shared { readers, has_missed: AtomicBool::default() });
        let listening = Listening { deliveries: sender, shared: Arc::clone(&shared) };
        self.lock().insert(endpoint, listening);
        LiveInbox { hub: Arc::clone(self), endpoint, deliveries, shared }
    }

    /// Passes a delivery on, and returns the number of readers.
    pub(super) fn deliver(&self, call: &Call) -> usize {
        let listening = self.lock();
        let Some(to) = listening.get(&call.target.endpoint) else { return 0 };
        let delivery = LiveDelivery {
            message: Arc::clone(&call.message),
            body: call.body.clone(),
            at: call.at,
        };
        if to.deliveries.try_send(delivery).is_err() {
            to.shared.has_missed.store(true, Ordering::Relaxed);
        }
        to.shared.readers.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<EndpointId, Listening>> {
        self.listening.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LiveInbox {
    /// The next delivery. Dropping the future loses nothing.
    pub async fn next(&mut self) -> LiveDelivery {
        match self.deliveries.recv().await {
            Some(delivery) => delivery,
            // Another inbox of the endpoint has taken the place of this one.
            None => std::future::pending().await,
        }
    }

    /// The next delivery, if there is one already.
    pub fn try_next(&mut self) -> Option<LiveDelivery> {
        self.deliveries.try_recv().ok()
    }

    /// Whether deliveries did not fit since the last call.
    pub fn take_missed(&self) -> bool {
        self.shared.has_missed.swap(false, Ordering::Relaxed)
    }
}

impl Drop for LiveInbox {
    fn drop(&mut self) {
        let mut listening = self.hub.lock();
        if listening.get(&self.endpoint).is_some_and(|it| Arc::ptr_eq(&it.shared, &self.shared)) {
            listening.remove(&self.endpoint);
        }
    }
}
