//! Workers that wait: those of owners, for their next run, and those that no owner has used.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{connection::Connection, options::Isolation};

/// The workers of one sandbox that do nothing at the moment.
#[derive(Debug)]
pub(crate) struct IdleWorkers {
    isolation: Isolation,
    /// Most workers that serve an owner, busy ones included.
    most: usize,
    state: Mutex<IdleState>,
}

#[derive(Debug, Default)]
struct IdleState {
    /// The one that was used last is at the end.
    used: VecDeque<(u128, Connection)>,
    unused: Vec<Connection>,
    busy: usize,
}

/// A worker for a run, and workers that have to be stopped to stay within the limit.
#[derive(Debug)]
pub(crate) struct Taken {
    /// None if one has to be started.
    pub(crate) connection: Option<Connection>,
    pub(crate) superfluous: Vec<Connection>,
}

impl IdleWorkers {
    pub(crate) fn new(isolation: Isolation, most: usize) -> Self {
        Self { isolation, most, state: Mutex::default() }
    }

    /// Takes a worker that may serve the owner. The caller is busy until [`Self::put_back`].
    pub(crate) fn take(&self, owner: u128) -> Taken {
        let mut state = self.state();
        state.busy += 1;
        let mut superfluous = Vec::new();
        let mut connection = None;
        while connection.is_none() {
            let Some(mut found) = state.remove_used(owner, self.isolation) else { break };
            if found.is_usable() { connection = Some(found) } else { superfluous.push(found) }
        }
        while connection.is_none() {
            let Some(mut found) = state.unused.pop() else { break };
            if found.is_usable() { connection = Some(found) } else { superfluous.push(found) }
        }
        while state.used.len() + state.busy > self.most {
            let Some((_, oldest)) = state.used.pop_front() else { break };
            superfluous.push(oldest);
        }
        Taken { connection, superfluous }
    }

    /// Ends being busy, and keeps the worker if there is one.
    pub(crate) fn put_back(&self, owner: u128, connection: Option<Connection>) {
        let mut state = self.state();
        state.busy -= 1;
        state.used.extend(connection.map(|connection| (owner, connection)));
    }

    /// Workers that no owner has used.
    pub(crate) fn unused(&self) -> usize {
        self.state().unused.len()
    }

    pub(crate) fn add_unused(&self, connection: Connection) {
        self.state().unused.push(connection);
    }

    pub(crate) fn take_all(&self) -> Vec<Connection> {
        let mut state = self.state();
        let used: Vec<_> = state.used.drain(..).map(|(_, connection)| connection).collect();
        used.into_iter().chain(std::mem::take(&mut state.unused)).collect()
    }

    fn state(&self) -> MutexGuard<'_, IdleState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl IdleState {
    fn remove_used(&mut self, owner: u128, isolation: Isolation) -> Option<Connection> {
        let own = self.used.iter().rposition(|(other, _)| *other == owner);
        let place = match isolation {
            Isolation::Process => own?,
            Isolation::Runtime => own.or_else(|| self.used.len().checked_sub(1))?,
        };
        self.used.remove(place).map(|(_, connection)| connection)
    }
}
