//! The components that the engine's tasks have in common.

use std::sync::{Arc, atomic::AtomicU64};

use postrider_store::Store;

use crate::{
    alerts::AlertInbox,
    changes::Changes,
    clock::Clock,
    directory::Directory,
    metrics::Metrics,
    operational::{OperationalListeners, OperationalMessages},
    polling::Polling,
    router::Router,
    sender::Sender,
    settings::Settings,
    store_errors::StoreErrors,
};

/// What the engine is made of. Each task takes what it needs when it is created.
#[derive(Debug)]
pub(crate) struct Components {
    pub store: Arc<dyn Store>,
    pub sender: Arc<dyn Sender>,
    pub polling: Polling,
    pub clock: Arc<Clock>,
    pub metrics: Arc<Metrics>,
    pub settings: Arc<Settings>,
    pub directory: Arc<Directory>,
    pub router: Router,
    pub changes: Changes,
    pub errors: Arc<StoreErrors>,
    pub operational: Arc<OperationalMessages>,
    /// Counts changes of API keys and tokens.
    pub access_changes: Arc<AtomicU64>,
    pub listeners: Arc<OperationalListeners>,
    pub alerts: Arc<AlertInbox>,
}
