//! Statistics: what is counted of messages, attempts and received requests.

use std::fmt;

use async_trait::async_trait;
use postrider::OrganizationId;
use postrider_core::{
    statistics::{Counted, Counters, Period, RollupKey, StatisticsRetention, Subject},
    time::Timestamp,
};

use crate::error::StoreError;

/// What [`Statistics::worst`] ranks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ranked {
    /// Endpoints by their failed attempts.
    Endpoints,
    /// Sources by their rejected requests.
    Sources,
}

/// Counts messages and attempts as they are stored, each once, and adds the numbers up by minute,
/// hour and day. Nothing that accepts or delivers a message waits for that.
///
/// The numbers are derived: a store that has lost them counts the messages and attempts that it
/// has. Numbers of endpoints and sources that were removed stay as long as their application.
/// [`Maintenance::erase`](crate::Maintenance::erase) removes those of removed applications. The
/// numbers of the organization stay, but may lack what an application had in its last seconds.
#[async_trait]
pub trait Statistics: Send + Sync + fmt::Debug + 'static {
    /// Adds requests that sources received. Facts of unknown sources are ignored.
    async fn count(&self, counted: Vec<Counted>) -> Result<(), StoreError>;

    /// Returns the numbers of these subjects in the periods that are not empty, in the order of
    /// their keys.
    async fn rollups(
        &self,
        subjects: Vec<Subject>,
        period: Period,
    ) -> Result<Vec<(RollupKey, Counters)>, StoreError>;

    /// Returns the subjects of the organization with the most problems in the period, worst first,
    /// with their numbers in that period, as far as there were problems.
    async fn worst(
        &self,
        organization: OrganizationId,
        ranked: Ranked,
        period: Period,
        limit: usize,
    ) -> Result<Vec<(Subject, Counters)>, StoreError>;

    /// Adds up a bounded amount of what was counted, and removes a bounded amount of what has
    /// outlived its retention. Returns `true` if there is more to do at once.
    async fn maintain_statistics(
        &self,
        now: Timestamp,
        retention: StatisticsRetention,
    ) -> Result<bool, StoreError>;
}

impl Ranked {
    /// Whether the subject is one of those that are ranked.
    pub(crate) const fn includes(self, subject: &Subject) -> bool {
        match subject {
            Subject::Endpoint(..) => matches!(self, Self::Endpoints),
            Subject::Source(..) => matches!(self, Self::Sources),
            Subject::Organization(_) | Subject::Application(_) => false,
        }
    }
}
