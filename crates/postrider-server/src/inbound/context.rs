//! What all requests to sources share.

use std::sync::Arc;

use postrider_core::hops::Hops;
use postrider_engine::Engine;
use tokio_util::task::TaskTracker;

use super::{key_cache::KeyCache, rejection_log::RejectionLog, request_counts::RequestCounts};
use crate::{
    api::error_report::ErrorReporter, http::memory::MemoryBudget, locks::ChangeLocks,
    metrics::InboundMetrics, offload::Offload, operations::event_type::index::EventTypeIndexes,
    schemas::Schemas, settings::Settings,
};

/// What requests to sources need of the server.
#[derive(Debug)]
pub(crate) struct Dependencies {
    pub(crate) engine: Engine,
    pub(crate) settings: Arc<Settings>,
    pub(crate) metrics: InboundMetrics,
    pub(crate) memory: MemoryBudget,
    pub(crate) locks: Arc<ChangeLocks>,
    pub(crate) errors: Arc<ErrorReporter>,
    pub(crate) rejections: RejectionLog,
    pub(crate) requests: RequestCounts,
    pub(crate) event_types: Arc<EventTypeIndexes>,
    pub(crate) schemas: Arc<Schemas>,
    /// Requests that are processed although their client may have hung up.
    pub(crate) tasks: TaskTracker,
}

/// What all requests to sources share.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) engine: Engine,
    pub(super) settings: Arc<Settings>,
    pub(super) metrics: InboundMetrics,
    pub(super) memory: MemoryBudget,
    pub(super) locks: Arc<ChangeLocks>,
    pub(super) errors: Arc<ErrorReporter>,
    pub(super) rejections: RejectionLog,
    pub(super) requests: RequestCounts,
    pub(super) event_types: Arc<EventTypeIndexes>,
    pub(super) schemas: Arc<Schemas>,
    pub(super) tasks: TaskTracker,
    pub(super) keys: KeyCache,
    pub(super) offload: Offload,
    pub(super) hops: Hops,
}

impl Context {
    pub(super) fn new(dependencies: Dependencies) -> Self {
        let Dependencies {
            engine,
            settings,
            metrics,
            memory,
            locks,
            errors,
            rejections,
            requests,
            event_types,
            schemas,
            tasks,
        } = dependencies;
        Self {
            keys: KeyCache::new(settings.limits.remembered_keys),
            offload: Offload::default(),
            hops: Hops::new(engine.vault().hop_key(), settings.limits.hops),
            engine,
            settings,
            metrics,
            memory,
            locks,
            errors,
            rejections,
            requests,
            event_types,
            schemas,
            tasks,
        }
    }
}
