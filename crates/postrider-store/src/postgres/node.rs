//! The node: what the store's methods and its background tasks share.
//!
//! Times that nodes compare are those of the database's clock, and only the database compares
//! them: leases end by it, and the end of the own lease is known in it. Pauses between two actions
//! are measured by this process's monotonic clock, which cannot be set.

mod state;

use std::{
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use deadpool_postgres::Pool;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::state::{KnownChanges, LeaseState};
use super::{
    connect::Address,
    error::DatabaseError,
    maintenance::{expire::ExpiryState, size::CachedSize},
    options::PostgresOptions,
    session::Session,
};
use crate::{
    contract::{cluster::StoreEvent, maintenance::ConnectionUse},
    format_report::FormatReport,
};

/// Connections for background tasks: renewing the lease must not wait for the others.
const BACKGROUND_CONNECTIONS: usize = 3;

#[derive(Debug)]
pub(super) struct Node {
    pub(super) options: PostgresOptions,
    pub(super) address: Address,
    pub(super) pools: Pools,
    lease: Mutex<LeaseState>,
    changes: Mutex<KnownChanges>,
    pub(super) expiry: ExpiryState,
    pub(super) size: CachedSize,
    events: mpsc::Sender<StoreEvent>,
    /// Events were dropped because the queue was full.
    has_missed_events: AtomicBool,
    /// Notifications arrive.
    pub(super) is_listening: AtomicBool,
    pub(super) is_closed: AtomicBool,
    /// Why this node cannot use the schema any more.
    pub(super) outdated: OnceLock<FormatReport>,
    /// A background task has stopped.
    pub(super) stopped: CancellationToken,
}

/// Connections for different purposes, so that a busy API does not delay deliveries, and neither
/// delays the lease.
#[derive(Debug)]
pub(super) struct Pools {
    pub(super) deliveries: Pool,
    pub(super) api: Pool,
    pub(super) background: Pool,
}

impl Pools {
    fn new(address: &Address, options: &PostgresOptions) -> Result<Self, DatabaseError> {
        let background = PostgresOptions { connections: BACKGROUND_CONNECTIONS, ..options.clone() };
        Ok(Self {
            deliveries: address.pool(options)?,
            api: address.pool(options)?,
            background: address.pool(&background)?,
        })
    }
}

impl Node {
    pub(super) fn new(
        options: PostgresOptions,
        events: mpsc::Sender<StoreEvent>,
    ) -> Result<Self, DatabaseError> {
        let address = Address::of(&options)?;
        Ok(Self {
            pools: Pools::new(&address, &options)?,
            options,
            address,
            lease: Mutex::default(),
            changes: Mutex::default(),
            expiry: ExpiryState::default(),
            size: CachedSize::default(),
            events,
            has_missed_events: AtomicBool::new(false),
            is_listening: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            outdated: OnceLock::new(),
            stopped: CancellationToken::new(),
        })
    }

    /// A connection for deliveries.
    pub(super) async fn delivery_session(&self) -> Result<Session, DatabaseError> {
        self.open_session(&self.pools.deliveries).await
    }

    /// A connection for calls of the API.
    pub(super) async fn api_session(&self) -> Result<Session, DatabaseError> {
        self.open_session(&self.pools.api).await
    }

    /// A connection for background tasks.
    pub(super) async fn background_session(&self) -> Result<Session, DatabaseError> {
        self.open_session(&self.pools.background).await
    }

    /// The use of all pools together.
    pub(super) fn connections(&self) -> ConnectionUse {
        let Pools { deliveries, api, background } = &self.pools;
        let mut all = ConnectionUse::default();
        for status in [deliveries, api, background].map(Pool::status) {
            all.idle += status.available as u64;
            all.busy += status.size.saturating_sub(status.available) as u64;
            all.waiting += status.waiting as u64;
            all.max += status.max_size as u64;
        }
        all
    }

    async fn open_session(&self, pool: &Pool) -> Result<Session, DatabaseError> {
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(DatabaseError::unavailable("the store is closed"));
        }
        self.session(pool, self.options.call_timeout).await
    }

    /// A connection, also while the store is closing.
    pub(super) async fn session(
        &self,
        pool: &Pool,
        timeout: Duration,
    ) -> Result<Session, DatabaseError> {
        Session::open(pool, !self.options.is_pooled, timeout).await
    }

    /// The number that rows of this node carry.
    pub(super) fn number(&self) -> i64 {
        i64::try_from(self.lease().lease.epoch).unwrap_or(i64::MAX)
    }

    pub(super) fn lease(&self) -> MutexGuard<'_, LeaseState> {
        lock(&self.lease)
    }

    pub(super) fn changes(&self) -> MutexGuard<'_, KnownChanges> {
        lock(&self.changes)
    }

    pub(super) fn lease_millis(&self) -> i64 {
        i64::try_from(self.options.node_lease.as_millis()).unwrap_or(i64::MAX)
    }

    /// Queues an event for the engine. If the queue is full, the engine learns that it missed some.
    pub(super) fn emit(&self, event: StoreEvent) {
        if self.events.try_send(event).is_err() {
            self.has_missed_events.store(true, Ordering::Relaxed);
        }
    }

    /// Whether events were missed since the last call.
    pub(super) fn take_missed_events(&self) -> bool {
        self.has_missed_events.swap(false, Ordering::Relaxed)
    }
}

/// No invariant spans two fields behind these locks, so a poisoned one is still good.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
