//! Opens and closes the store: this process joins and leaves the nodes.

use std::{
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::Duration,
};

use tokio::{sync::mpsc, task::JoinSet};

use super::{
    cluster::{lease, listen, poll, take_over, version},
    connect::Address,
    error::DatabaseError,
    in_doubt::InDoubt,
    migrate::{self, MigrationReport},
    node::Node,
    options::PostgresOptions,
    partitions,
    store::PostgresStore,
    transfer,
};
use crate::{error::StoreError, format_report::FormatReport};

/// Events that wait for the engine; if there are more, it learns that it missed some.
const EVENT_QUEUE: usize = 1_024;

/// Time limit for freeing everything when the store closes.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);

impl PostgresStore {
    /// Connects, migrates the schema, and makes this process a node.
    pub async fn open(options: PostgresOptions) -> Result<Self, StoreError> {
        let (sender, events) = mpsc::channel(EVENT_QUEUE);
        let node = Arc::new(Node::new(options, sender)?);
        migrate::start(&node.address, &node.pools.deliveries, &node.options).await?;
        transfer::begin_operation(&mut node.background_session().await?).await?;
        partitions::prepare(&mut node.background_session().await?, node.expiry.log()).await?;
        lease::register(&node).await?;
        let tasks = Mutex::new(tasks(&node));
        let events = tokio::sync::Mutex::new(events);
        Ok(Self { node, tasks, events, in_doubt: InDoubt::default() })
    }

    /// Migrates the schema without becoming a node.
    pub async fn migrate(options: &PostgresOptions) -> Result<MigrationReport, StoreError> {
        let address = Address::of(options)?;
        let pool = address.pool(options)?;
        Ok(migrate::start(&address, &pool, options).await?)
    }

    /// The version of the schema, which is not changed.
    pub async fn format(options: &PostgresOptions) -> Result<FormatReport, StoreError> {
        let address = Address::of(options)?;
        let pool = address.pool(options)?;
        Ok(migrate::inspect(&address, &pool, options).await?)
    }

    /// Frees everything that this node holds. If the database cannot be reached, the lease ends by
    /// itself.
    pub(super) async fn leave(&self) {
        if self.node.is_closed.swap(true, Ordering::Relaxed) {
            return;
        }
        let mut tasks =
            std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        tasks.shutdown().await;
        let left = tokio::time::timeout(LEAVE_TIMEOUT, take_over::leave(&self.node)).await;
        let timed_out = |_| Err(DatabaseError::unavailable("the time limit has passed"));
        if let Err(error) = left.unwrap_or_else(timed_out) {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "this node could not end its lease in the database; the lease ends by itself"
            );
        }
    }
}

fn tasks(node: &Arc<Node>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(watched(node, lease::keep(Arc::clone(node))));
    tasks.spawn(watched(node, take_over::watch(Arc::clone(node))));
    tasks.spawn(watched(node, poll::poll(Arc::clone(node))));
    tasks.spawn(watched(node, version::watch(Arc::clone(node))));
    // A connection behind a pooler receives no notifications.
    if !node.options.is_pooled {
        tasks.spawn(watched(node, listen::listen(Arc::clone(node))));
    }
    tasks
}

/// The task, whose end is noticed, also if it panics.
fn watched<F: Future<Output = ()>>(node: &Node, task: F) -> impl Future<Output = ()> + use<F> {
    let guard = node.stopped.clone().drop_guard();
    async move {
        let _guard = guard;
        task.await;
    }
}
