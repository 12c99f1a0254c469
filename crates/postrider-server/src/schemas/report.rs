//! What this node found in the payloads of event types.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use postrider::{EventTypeName, OrganizationId};
use postrider_core::{json_schema::PayloadProblem, time::Timestamp};
use postrider_engine::Cache;

/// Event types with a report. When there are more, some of the reports begin again.
const REMEMBERED: usize = 2_000;

/// Payloads that a report lists.
const RECENT: usize = 10;

/// A payload that did not match.
#[derive(Clone, Debug)]
pub(crate) struct Mismatch {
    pub(crate) at: Timestamp,
    /// The application, as the request named it.
    pub(crate) application: String,
    pub(crate) event_id: Option<String>,
    pub(crate) is_rejected: bool,
    pub(crate) problems: Vec<PayloadProblem>,
}

/// What was found in the payloads of an event type.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    pub(crate) valid: u64,
    pub(crate) warned: u64,
    pub(crate) rejected: u64,
    /// Newest first.
    pub(crate) recent: VecDeque<Mismatch>,
}

impl Report {
    fn add(&mut self, mismatch: Mismatch) {
        if mismatch.is_rejected {
            self.rejected += 1;
        } else {
            self.warned += 1;
        }
        self.recent.push_front(mismatch);
        self.recent.truncate(RECENT);
    }
}

type Key = (OrganizationId, EventTypeName);

/// The reports of this node since it started.
#[derive(Debug)]
pub(crate) struct Reports(Cache<Key, Arc<Mutex<Report>>>);

impl Default for Reports {
    fn default() -> Self {
        Self(Cache::new(REMEMBERED))
    }
}

impl Reports {
    pub(crate) fn of(&self, organization: &OrganizationId, name: &EventTypeName) -> Report {
        let report = self.0.get(&(organization.clone(), name.clone()));
        report
            .map(|it| it.lock().unwrap_or_else(PoisonError::into_inner).clone())
            .unwrap_or_default()
    }

    pub(crate) fn add_valid(&self, organization: &OrganizationId, name: &EventTypeName) {
        self.change(organization, name, |report| report.valid += 1);
    }

    pub(crate) fn add(
        &self,
        organization: &OrganizationId,
        name: &EventTypeName,
        mismatch: Mismatch,
    ) {
        self.change(organization, name, |report| report.add(mismatch));
    }

    fn change(
        &self,
        organization: &OrganizationId,
        name: &EventTypeName,
        change: impl FnOnce(&mut Report),
    ) {
        let key = (organization.clone(), name.clone());
        let report = self.0.get_or_renew(&key, |_| true, Arc::default);
        change(&mut report.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
