//! This node among the others: its lease, and what it hears from them.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use deadpool_postgres::Pool;
use postrider_core::time::Timestamp;
use tokio::{sync::mpsc, task::JoinSet};
use tokio_postgres::types::Type;

use super::{
    PostgresOptions, PostgresStore, connect::Address, migrate, session::Session, trouble, value,
};
use crate::{News, StoreError, Tenure};

/// News that wait for the engine; when there are more, it is told that it missed some.
const NEWS: usize = 1_024;

/// What the store's methods and its background work share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: PostgresOptions,
    work: Pool,
    calls: Pool,
    tenure: Mutex<Tenure>,
    is_closed: AtomicBool,
}

impl PostgresStore {
    /// Connects, brings the schema up to date, and makes this process a node.
    pub async fn open(options: PostgresOptions) -> Result<Self, StoreError> {
        let address = Address::of(&options)?;
        let (work, calls) = (address.pool(&options)?, address.pool(&options)?);
        migrate::start(&work, &options).await?;
        let tenure = Mutex::new(Tenure { number: 0, until: Timestamp::default() });
        let is_closed = AtomicBool::new(false);
        let shared = Arc::new(Shared { options, work, calls, tenure, is_closed });
        shared.register().await?;
        let (_sender, news) = mpsc::channel(NEWS);
        Ok(Self { shared, tasks: Mutex::new(JoinSet::new()), news: tokio::sync::Mutex::new(news) })
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
        i64::try_from(self.current_tenure().number).unwrap_or(i64::MAX)
    }

    pub(super) fn current_tenure(&self) -> Tenure {
        *self.shared.tenure()
    }

    pub(super) async fn database_time(&self) -> Result<Timestamp, StoreError> {
        let row = self.call().await?.query_one(NOW, &[]).await?;
        Ok(value::timestamp(row.get(0)))
    }

    pub(super) async fn next_news(&self) -> News {
        match self.news.lock().await.recv().await {
            Some(news) => news,
            None => std::future::pending().await,
        }
    }

    pub(super) async fn end(&self) -> Result<(), StoreError> {
        self.shared.is_closed.store(true, Ordering::Relaxed);
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
        Ok(())
    }
}

const NOW: &str = "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint";

impl Shared {
    pub(super) async fn work(&self) -> Result<Session, StoreError> {
        self.open(&self.work).await
    }

    pub(super) async fn call(&self) -> Result<Session, StoreError> {
        self.open(&self.calls).await
    }

    async fn open(&self, pool: &Pool) -> Result<Session, StoreError> {
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(trouble::unavailable("the store is closed"));
        }
        Session::open(pool, !self.options.is_pooled, self.options.call_timeout).await
    }

    fn tenure(&self) -> std::sync::MutexGuard<'_, Tenure> {
        self.tenure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a number for this node; what it holds carries it.
    async fn register(&self) -> Result<(), StoreError> {
        let lease = i64::try_from(self.options.node_lease.as_millis()).unwrap_or(i64::MAX);
        let row = self
            .work()
            .await?
            .query_one(
                "INSERT INTO node (name, version, alive_until)
                 VALUES ($1, $2, clock_timestamp() + $3 * interval '1 millisecond')
                 RETURNING id, floor(extract(epoch FROM alive_until) * 1000)::bigint",
                &[
                    (&self.options.node_name, Type::TEXT),
                    (&env!("CARGO_PKG_VERSION"), Type::TEXT),
                    (&lease, Type::INT8),
                ],
            )
            .await?;
        let number = u64::try_from(row.get::<_, i64>(0)).unwrap_or_default();
        *self.tenure() = Tenure { number, until: value::timestamp(row.get(1)) };
        Ok(())
    }
}
