//! What every store promises, one contract per file.
//!
//! Every method is a transaction: it succeeds or fails as a whole, and its changes are durable
//! when it returns. A read sees every change that was acknowledged before the read began.

pub(crate) mod audit;
pub(crate) mod catalog;
pub(crate) mod cluster;
pub(crate) mod deliveries;
pub(crate) mod history;
pub(crate) mod idempotency;
pub(crate) mod maintenance;
pub(crate) mod overview;
pub(crate) mod polling;
pub(crate) mod rejections;
pub(crate) mod search;
pub(crate) mod sign_ins;
pub(crate) mod statistics;
pub(crate) mod tasks;

use self::{
    audit::AuditLog, catalog::Catalog, cluster::Cluster, deliveries::Deliveries, history::History,
    idempotency::Idempotency, maintenance::Maintenance, overview::Overview, polling::PollLogs,
    rejections::Rejections, search::Search, sign_ins::SignIns, statistics::Statistics,
    tasks::Tasks,
};

/// Durable state: the sum of all contracts.
pub trait Store:
    Deliveries
    + Catalog
    + AuditLog
    + History
    + Search
    + Idempotency
    + Rejections
    + Statistics
    + Overview
    + Maintenance
    + Cluster
    + Tasks
    + SignIns
    + PollLogs
{
}

impl<S> Store for S where
    S: Deliveries
        + Catalog
        + AuditLog
        + History
        + Search
        + Idempotency
        + Rejections
        + Statistics
        + Overview
        + Maintenance
        + Cluster
        + Tasks
        + SignIns
        + PollLogs
{
}
