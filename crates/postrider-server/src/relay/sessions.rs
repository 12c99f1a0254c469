//! Who listens.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use http::HeaderMap;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// How a program answered.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// A request on its way to a program.
#[derive(Debug)]
pub(super) struct Forward {
    pub(super) id: String,
    /// As the program gets it.
    pub(super) text: String,
    pub(super) answer: oneshot::Sender<Answered>,
}

/// What a listening program has shown of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Nothing.
    Stranger,
    /// A token of an organization.
    TokenHolder,
}

/// A program that listens.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) forwards: mpsc::Sender<Forward>,
    /// Requests that it may have to answer at a time.
    pub(super) slots: Arc<Semaphore>,
    /// Another connection has taken its place.
    pub(super) replaced: CancellationToken,
    pub(super) trust: Trust,
}

impl Session {
    fn yields_to(&self, other: &Self) -> bool {
        self.trust == Trust::Stranger && other.trust == Trust::TokenHolder
    }
}

/// Who listens, by token.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<HashMap<String, Arc<Session>>>);

impl Sessions {
    fn map(&self) -> MutexGuard<'_, HashMap<String, Arc<Session>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn find(&self, token: &str) -> Option<Arc<Session>> {
        self.map().get(token).cloned()
    }

    /// Lets the program listen; `false` if another one does already. One that has proven to
    /// be the same program takes the place of its former connection, which may be dead, and a
    /// token holder that of a stranger.
    pub(super) fn join(&self, token: &str, session: Arc<Session>, is_proven: bool) -> bool {
        match self.map().entry(token.to_owned()) {
            Entry::Vacant(place) => {
                place.insert(session);
                true
            },
            Entry::Occupied(mut place) if is_proven || place.get().yields_to(&session) => {
                place.insert(session).replaced.cancel();
                true
            },
            Entry::Occupied(_) => false,
        }
    }

    /// The program does not listen any more, at least not over this connection.
    pub(super) fn leave(&self, token: &str, session: &Arc<Session>) {
        let mut map = self.map();
        if map.get(token).is_some_and(|it| Arc::ptr_eq(it, session)) {
            map.remove(token);
        }
    }
}
