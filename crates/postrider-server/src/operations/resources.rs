//! What all operations work with.

use std::sync::Arc;

use postrider_engine::Engine;
use tokio_util::task::TaskTracker;

use crate::{
    auth::Authenticator,
    consumer::ConsumerHub,
    http::memory::MemoryBudget,
    inbound::{Inbound, RejectionLog, RequestCounts},
    locks::ChangeLocks,
    operations::event_type::index::EventTypeIndexes,
    quota::QuotaTracker,
    schemas::Schemas,
    settings::Settings,
    trials::Trials,
};

/// What all operations work with.
#[derive(Debug)]
pub(crate) struct Resources {
    pub(crate) engine: Engine,
    pub(crate) settings: Arc<Settings>,
    pub(crate) authenticator: Arc<Authenticator>,
    pub(crate) locks: Arc<ChangeLocks>,
    pub(crate) quotas: QuotaTracker,
    pub(crate) event_types: Arc<EventTypeIndexes>,
    pub(crate) schemas: Arc<Schemas>,
    /// Rejected requests that are not stored yet.
    pub(crate) rejections: RejectionLog,
    /// Received requests that are not counted in the store yet.
    pub(crate) requests: RequestCounts,
    /// Receives requests to sources.
    pub(crate) inbound: Inbound,
    pub(crate) memory: MemoryBudget,
    pub(crate) consumers: Arc<ConsumerHub>,
    pub(crate) trials: Trials,
    /// Changes that go on if their caller stops waiting for them.
    pub(crate) tasks: TaskTracker,
}
