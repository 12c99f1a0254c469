//! Options of the store.

use std::time::Duration;

/// Where the database is, and how to use it.
#[derive(Clone)]
pub struct PostgresOptions {
    /// `postgres://user:password@host:port/database?sslmode=…`.
    pub url: String,
    /// Connections for deliveries, at most; and the same number again for calls of the API.
    pub connections: usize,
    /// The URL is that of a pooler that assigns connections for one transaction at a time.
    pub is_pooled: bool,
    /// Limit of the wait for a connection, and for one statement.
    pub call_timeout: Duration,
    /// How long a node may miss renewing its lease before others take over what it holds.
    pub node_lease: Duration,
    /// The name of this node in logs and messages.
    pub node_name: String,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            url: "postgres://127.0.0.1/postrider".to_owned(),
            connections: 8,
            is_pooled: false,
            call_timeout: Duration::from_secs(10),
            node_lease: Duration::from_secs(30),
            node_name: String::new(),
        }
    }
}

impl std::fmt::Debug for PostgresOptions {
    /// Without the URL, which may contain a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { connections, is_pooled, call_timeout, node_lease, node_name, .. } = self;
        f.debug_struct("PostgresOptions")
            .field("connections", connections)
            .field("is_pooled", is_pooled)
            .field("call_timeout", call_timeout)
            .field("node_lease", node_lease)
            .field("node_name", node_name)
            .finish_non_exhaustive()
    }
}
