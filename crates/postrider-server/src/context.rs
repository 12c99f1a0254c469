//! What received webhooks and listening programs share.

use std::sync::Arc;

use postrider::ApplicationId;
use postrider_engine::Engine;
use tokio::sync::MutexGuard;
use tokio_util::task::TaskTracker;

use crate::{
    api::{error::ApiError, error_report::ErrorReporter, response::ApiResponse},
    auth::Authenticator,
    http::memory::Memory,
    inbound::Intake,
    locks::ChangeLocks,
    metrics::Metrics,
    settings::Settings,
};

/// What received webhooks and listening programs share.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) engine: Engine,
    pub(crate) settings: Arc<Settings>,
    pub(crate) authenticator: Arc<Authenticator>,
    pub(crate) metrics: Metrics,
    pub(crate) intake: Intake,
    pub(crate) memory: Memory,
    pub(crate) tasks: TaskTracker,
    pub(crate) locks: Arc<ChangeLocks>,
    pub(crate) errors: Arc<ErrorReporter>,
}

impl Context {
    pub(crate) fn answer(&self, error: ApiError) -> ApiResponse {
        self.errors.response(error)
    }

    pub(crate) async fn exclusive(&self, application: ApplicationId) -> MutexGuard<'_, ()> {
        self.locks.application(application).await
    }
}
