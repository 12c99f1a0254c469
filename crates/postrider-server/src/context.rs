//! What every request shares.

use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use postrider::ApplicationId;
use postrider_engine::Engine;
use tokio::sync::{Mutex, MutexGuard};
use tokio_util::task::TaskTracker;

use crate::{
    api::{error::ApiError, reply::Answer},
    auth::{Caller, Doorkeeper, token::Grant},
    http::memory::{MemoryBudget, PUBLIC_CALLER},
    idempotency::Running,
    inbound::Intake,
    metrics::Metrics,
    operations::event_type::archived::Archived,
    quota::Accounts,
    settings::Settings,
};

/// Locks that order the changes to applications; two applications may share one.
const STRIPES: usize = 64;

/// What every request shares.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) engine: Engine,
    pub(crate) settings: Settings,
    pub(crate) doorkeeper: Doorkeeper,
    pub(crate) metrics: Metrics,
    pub(crate) running: Running,
    pub(crate) archived: Archived,
    pub(crate) intake: Intake,
    pub(crate) accounts: Accounts,
    pub(crate) memory: MemoryBudget,
    /// Who calls where no token is needed.
    pub(crate) nobody: Arc<Caller>,
    /// Changes that go on although their caller has hung up.
    pub(crate) tasks: TaskTracker,
    stripes: [Mutex<()>; STRIPES],
    event_types: Mutex<()>,
    /// The second in which the operator was last told of the store's troubles.
    told_at: AtomicU64,
}

impl Context {
    pub(crate) fn new(engine: Engine, settings: Settings, metrics: Metrics) -> Arc<Self> {
        Arc::new(Self {
            doorkeeper: Doorkeeper::new(&settings.jwt_secret, settings.limits.remembered_tokens),
            intake: Intake::new(&settings.limits, engine.vault().hop_key()),
            accounts: Accounts::new(
                settings.quotas,
                settings.limits.remembered_accounts,
                metrics.refusals.clone(),
            ),
            memory: MemoryBudget::new(settings.limits.request_memory),
            archived: Archived::new(settings.limits.remembered_event_types),
            engine,
            settings,
            metrics,
            running: Running::default(),
            nobody: Arc::new(nobody()),
            tasks: TaskTracker::new(),
            event_types: Mutex::default(),
            told_at: AtomicU64::default(),
            stripes: std::array::from_fn(|_| Mutex::default()),
        })
    }

    /// What is answered to an error; the operator is told if it is not the caller's. Troubles
    /// of the store come by the thousand, so they are told once a second.
    pub(crate) fn answer(&self, error: ApiError) -> Answer {
        if let ApiError::Internal(cause) = &error {
            let error = cause.as_ref() as &dyn Error;
            tracing::error!(error, "request ended in an error of ours");
        }
        if let ApiError::Unavailable(reason, Some(cause)) = &error {
            let second = self.engine.clock().now().as_seconds();
            if self.told_at.swap(second, Ordering::Relaxed) != second {
                tracing::warn!(
                    reason,
                    error = cause.as_ref() as &dyn Error,
                    "requests are turned away"
                );
            }
        }
        error.into_answer()
    }

    /// Waits until nobody else changes the application or its endpoints, so that what was
    /// read is what is replaced.
    pub(crate) async fn exclusive(&self, application: ApplicationId) -> MutexGuard<'_, ()> {
        // The low bits of an id are random.
        let [stripe, ..] = application.tail().to_le_bytes();
        self.stripes[usize::from(stripe) % STRIPES].lock().await
    }

    /// The same for event types, of which there are few changes.
    pub(crate) async fn exclusive_event_types(&self) -> MutexGuard<'_, ()> {
        self.event_types.lock().await
    }
}

fn nobody() -> Caller {
    let organization = "org_nobody".parse().expect("a fixed name");
    let grant = Grant { organization, application: None, expires_at: None };
    Caller { grant, token: [0; 16], holder: PUBLIC_CALLER }
}
