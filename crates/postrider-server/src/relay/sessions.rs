//! The listeners that are connected to this node.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use http::HeaderMap;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// The response of a listener's program.
#[derive(Debug)]
pub(super) struct ProgramResponse {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// A request on its way to a listener.
#[derive(Debug)]
pub(super) struct Forward {
    pub(super) id: String,
    /// The message with the request, encoded.
    pub(super) message: String,
    pub(super) response: oneshot::Sender<ProgramResponse>,
}

/// How a listener has identified itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Without an API token.
    Anonymous,
    /// With the API token of an organization.
    Authenticated,
}

/// A connected listener.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) forwards: mpsc::Sender<Forward>,
    /// One permit for each request without a response.
    pub(super) in_flight: Arc<Semaphore>,
    /// Cancelled when another connection takes the place of this one.
    pub(super) replaced: CancellationToken,
    pub(super) trust: Trust,
}

impl Session {
    fn yields_to(&self, other: &Self) -> bool {
        self.trust == Trust::Anonymous && other.trust == Trust::Authenticated
    }
}

/// The connected listeners by token.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<HashMap<String, Arc<Session>>>);

impl Sessions {
    fn map(&self) -> MutexGuard<'_, HashMap<String, Arc<Session>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn find(&self, token: &str) -> Option<Arc<Session>> {
        self.map().get(token).cloned()
    }

    /// Adds a session; `false` if the token is in use.
    ///
    /// A client that has proven to own the token replaces the previous connection, which may be a
    /// dead one of the same client that the server has not noticed yet. A client with an API token
    /// replaces one without, so that an anonymous client cannot block a token.
    pub(super) fn insert(&self, token: &str, session: Arc<Session>, is_proven: bool) -> bool {
        match self.map().entry(token.to_owned()) {
            Entry::Vacant(entry) => {
                entry.insert(session);
                true
            },
            Entry::Occupied(mut entry) if is_proven || entry.get().yields_to(&session) => {
                entry.insert(session).replaced.cancel();
                true
            },
            Entry::Occupied(_) => false,
        }
    }

    /// Removes a session, unless another one has replaced it.
    pub(super) fn remove(&self, token: &str, session: &Arc<Session>) {
        let mut map = self.map();
        if map.get(token).is_some_and(|it| Arc::ptr_eq(it, session)) {
            map.remove(token);
        }
    }
}
