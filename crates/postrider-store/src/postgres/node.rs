//! This node among the others: its lease, and what it hears from them.
//!
//! Times that nodes compare are those of the database's clock, and only the database compares
//! them: leases end by it, and [`crate::NodeLease::valid_until`] is told in it. How long to wait between
//! two looks is by this process's own, which no one can set.

mod lease;
mod listen;
mod poll;
mod reap;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use deadpool_postgres::Pool;
use postrider_core::time::Timestamp;
use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;

#[cfg(test)]
pub(super) use self::reap::{FREE, GIVE_UP};
use self::{lease::Lease, poll::Heard};
use super::{
    PostgresOptions, PostgresStore, connect::Address, expire, migrate, reading, session::Session,
    transfer, trouble, unsure::Unsure, value,
};
use crate::{NodeLease, StoreError, StoreEvent};

/// StoreEvent that wait for the engine; when there are more, it is told that it missed some.
const NEWS: usize = 1_024;

/// Connections for the background work: one for the lease, which must not wait for others.
const OWN: usize = 3;

/// Longest time for giving everything up at the end.
const FAREWELL: Duration = Duration::from_secs(5);

/// What the store's methods and its background work share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: PostgresOptions,
    address: Address,
    work: Pool,
    calls: Pool,
    own: Pool,
    lease: Mutex<Lease>,
    heard: Mutex<Heard>,
    pub(super) upkeep: expire::Upkeep,
    pub(super) bytes: reading::Bytes,
    news: mpsc::Sender<StoreEvent>,
    /// StoreEvent were dropped because too many waited.
    has_missed: AtomicBool,
    /// Notifications arrive.
    is_listening: AtomicBool,
    is_closed: AtomicBool,
    /// A part of the background work has ended.
    pub(super) ended: CancellationToken,
}

impl PostgresStore {
    /// Connects, brings the schema up to date, and makes this process a node.
    pub async fn open(options: PostgresOptions) -> Result<Self, StoreError> {
        let address = Address::of(&options)?;
        let own = PostgresOptions { connections: OWN, ..options.clone() };
        let (sender, news) = mpsc::channel(NEWS);
        let shared = Arc::new(Shared {
            work: address.pool(&options)?,
            calls: address.pool(&options)?,
            own: address.pool(&own)?,
            address,
            options,
            lease: Mutex::default(),
            heard: Mutex::default(),
            upkeep: expire::Upkeep::default(),
            bytes: reading::Bytes::default(),
            news: sender,
            has_missed: AtomicBool::new(false),
            is_listening: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            ended: CancellationToken::new(),
        });
        migrate::start(&shared.work, &shared.options).await?;
        transfer::take_up_work(&mut shared.own().await?).await?;
        expire::prepare(&mut shared.own().await?, &shared.upkeep).await?;
        shared.register().await?;
        let tasks = Mutex::new(shared.tasks());
        let news = tokio::sync::Mutex::new(news);
        Ok(Self { shared, tasks, news, unsure: Unsure::default() })
    }

    /// A connection for the work on deliveries.
    pub(super) async fn work(&self) -> Result<Session, StoreError> {
        self.shared.work().await
    }

    /// A connection for what the API asks.
    pub(super) async fn call(&self) -> Result<Session, StoreError> {
        self.shared.call().await
    }

    /// The number that our rows carry.
    pub(super) fn node(&self) -> i64 {
        self.shared.number()
    }

    pub(super) fn current_tenure(&self) -> NodeLease {
        self.shared.lease().tenure
    }

    pub(super) async fn database_time(&self) -> Result<Timestamp, StoreError> {
        let row = self.shared.own().await?.query_one(NOW, &[]).await?;
        Ok(value::timestamp(row.get(0)))
    }

    pub(super) async fn next_news(&self) -> StoreEvent {
        let mut news = self.news.lock().await;
        if self.shared.has_missed.swap(false, Ordering::Relaxed) {
            // Whoever reads everything again needs none of what waits.
            while news.try_recv().is_ok() {}
            return StoreEvent::EventsMissed;
        }
        news.recv().await.expect("the store keeps a sender")
    }

    /// Gives up all that this node holds, if the database can be reached; else its lease ends
    /// by itself.
    pub(super) async fn end(&self) -> Result<(), StoreError> {
        if self.shared.is_closed.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        let mut tasks = std::mem::take(&mut *lock(&self.tasks));
        tasks.shutdown().await;
        match tokio::time::timeout(FAREWELL, self.shared.leave()).await {
            Ok(Ok(())) => {},
            Ok(Err(error)) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the database was not told that this node ends; its lease runs out by itself"
            ),
            Err(_) => tracing::warn!(
                "the database did not hear in time that this node ends; its lease runs out by itself"
            ),
        }
        Ok(())
    }
}

const NOW: &str = "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint";

impl Shared {
    fn tasks(self: &Arc<Self>) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        tasks.spawn(self.watched(lease::keep(Arc::clone(self))));
        tasks.spawn(self.watched(reap::reap(Arc::clone(self))));
        tasks.spawn(self.watched(poll::poll(Arc::clone(self))));
        if !self.options.is_pooled {
            tasks.spawn(self.watched(listen::listen(Arc::clone(self))));
        }
        tasks
    }

    /// The work, whose end is noticed, by a panic too.
    fn watched<F: Future<Output = ()>>(&self, work: F) -> impl Future<Output = ()> + use<F> {
        let guard = self.ended.clone().drop_guard();
        async move {
            let _guard = guard;
            work.await;
        }
    }

    pub(super) async fn work(&self) -> Result<Session, StoreError> {
        self.open(&self.work).await
    }

    pub(super) async fn call(&self) -> Result<Session, StoreError> {
        self.open(&self.calls).await
    }

    /// A connection for the background work.
    async fn own(&self) -> Result<Session, StoreError> {
        self.open(&self.own).await
    }

    async fn open(&self, pool: &Pool) -> Result<Session, StoreError> {
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(trouble::unavailable("the store is closed"));
        }
        self.session(pool, self.options.call_timeout).await
    }

    async fn session(&self, pool: &Pool, timeout: Duration) -> Result<Session, StoreError> {
        Session::open(pool, !self.options.is_pooled, timeout).await
    }

    /// The number that our rows carry.
    fn number(&self) -> i64 {
        i64::try_from(self.lease().tenure.epoch).unwrap_or(i64::MAX)
    }

    fn lease(&self) -> MutexGuard<'_, Lease> {
        lock(&self.lease)
    }

    fn tell(&self, news: StoreEvent) {
        if self.news.try_send(news).is_err() {
            self.has_missed.store(true, Ordering::Relaxed);
        }
    }
}

/// No invariant spans two fields behind these locks, so a poisoned one is used on.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
