//! Idle connections to an endpoint's server.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::connection::Connection;

/// How long a connection may be idle. Servers close theirs after a few minutes.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// The idle connections to a server.
#[derive(Debug)]
pub(super) struct Server {
    max: usize,
    idle: Mutex<Vec<(Connection, Instant)>>,
}

impl Server {
    pub(super) fn new(max: usize) -> Self {
        Self { max, idle: Mutex::default() }
    }

    /// A connection that still works, the most recently used one first.
    pub(super) async fn take(&self) -> Option<Connection> {
        while let Some(mut connection) = self.pop() {
            if connection.is_alive().await {
                return Some(connection);
            }
        }
        None
    }

    fn pop(&self) -> Option<Connection> {
        let mut idle = self.lock();
        let now = Instant::now();
        // They are closed without QUIT, because most have been closed by the server already.
        idle.retain(|(_, since)| now - *since < IDLE_TIMEOUT);
        idle.pop().map(|(connection, _)| connection)
    }

    /// Keeps a connection for the next e-mail.
    pub(super) fn put(&self, connection: Connection) {
        let mut idle = self.lock();
        if idle.len() < self.max && !connection.smtp.has_broken() {
            idle.push((connection, Instant::now()));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(Connection, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
