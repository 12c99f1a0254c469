//! The store on PostgreSQL, which any number of nodes share.
//!
//! A message is written with its deliveries in one statement, and a delivery that succeeds at
//! once leaves the queue with one more; neither reads. Whoever wrote a delivery holds it: its
//! row names the node, and the node renews a lease of its own every few seconds, so nothing has
//! to be written for the deliveries themselves. When the lease of a node ends, another one
//! frees what it held. All times that nodes compare are by the database's clock.
//!
//! The statistics of tables that empty and fill mislead the planner, and the plan that it makes
//! for an empty queue is kept. So a statement over a batch leaves it one way: a lookup by key for
//! each member.
//!
//! - What is read is read by a `LATERAL` subquery with a `LIMIT`, which cannot be turned around.
//!   An `EXISTS` has an `OFFSET 0`, so that it is not answered by reading the whole table.
//! - A row that is changed has to be joined. `application = ANY (ARRAY[k.application])` means the
//!   same as `=` and can be looked up as well, but says nothing about the order of an index, so
//!   that there is no reason to walk along all of it for each member.
//! - Such a join names no condition that a partial index has, which would be another reason.
//! - Two sets of one batch are joined by the place in their arrays, or by the caller.
//!
//! `plans/batch.rs` counts the rows that each of them visits.

mod append;
mod catalog;
mod claim;
mod connect;
mod ending;
mod erase;
mod expire;
mod installation;
mod keys;
mod lane;
mod migrate;
mod node;
mod notice;
mod obstacle;
#[cfg(test)]
mod plans;
mod reading;
mod row;
mod session;
mod settle;
mod sources;
mod store;
mod tls;
mod transfer;
mod trouble;
mod unsure;
mod value;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{sync::mpsc, task::JoinSet};

pub use self::{
    connect::database_location, installation::Installation, migrate::MigrationReport,
    obstacle::OpenError, transfer::PostgresTransferStore,
};
use crate::StoreEvent;

/// The store on PostgreSQL; [`PostgresStore::open`] makes this process a node.
#[derive(Debug)]
pub struct PostgresStore {
    shared: Arc<node::Shared>,
    /// Renews the lease, listens, and frees what dead nodes held.
    tasks: Mutex<JoinSet<()>>,
    news: tokio::sync::Mutex<mpsc::Receiver<StoreEvent>>,
    unsure: unsure::Unsure,
}

/// Where the database is, and how it is to be used.
#[derive(Clone)]
pub struct PostgresOptions {
    /// `postgres://user:password@host:port/database?sslmode=…`.
    pub url: String,
    /// Most connections for the work on deliveries, and as many again for the API's reads.
    pub connections: usize,
    /// The URL leads to a pooler that gives a connection for one transaction at a time.
    pub is_pooled: bool,
    /// Longest wait for a connection, and for one statement.
    pub call_timeout: Duration,
    /// What a node holds is free this long after it was heard of last.
    pub node_lease: Duration,
    /// Names this node to people.
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
    /// Without the URL, which may have a password in it.
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
