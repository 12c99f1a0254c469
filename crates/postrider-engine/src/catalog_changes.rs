//! Counts the changes of event types and settings, so that what was cached of them is read again.

use std::sync::atomic::{AtomicU64, Ordering};

use postrider::OrganizationId;
use postrider_core::catalog::{Application, organization_digest};

/// Counters. Organizations that share one have their event types read again for each other's
/// changes.
const COUNTERS: usize = 1_024;

/// The number of changes by organization.
#[derive(Debug)]
pub(crate) struct CatalogChanges(Vec<AtomicU64>);

impl Default for CatalogChanges {
    fn default() -> Self {
        Self(std::iter::repeat_with(AtomicU64::default).take(COUNTERS).collect())
    }
}

impl CatalogChanges {
    /// A number that is another one after each change of the organization's event types or
    /// settings.
    pub(crate) fn of(&self, organization: &OrganizationId) -> u64 {
        self.counter(organization_digest(organization)).load(Ordering::Acquire)
    }

    pub(crate) fn note(&self, organization_digest: u64) {
        self.counter(organization_digest).fetch_add(1, Ordering::AcqRel);
    }

    /// Notes that the application may be the one with the settings of an organization.
    pub(crate) fn note_settings(&self, application: &Application) {
        let organization = application.settings.as_ref().and(application.uid.as_ref());
        let organization = organization.and_then(|uid| uid.as_str().parse().ok());
        if let Some(organization) = organization {
            self.note(organization_digest(&organization));
        }
    }

    /// Notes that changes may have been missed.
    pub(crate) fn note_all(&self) {
        for counter in &self.0 {
            counter.fetch_add(1, Ordering::AcqRel);
        }
    }

    fn counter(&self, digest: u64) -> &AtomicU64 {
        let index = digest % COUNTERS as u64;
        &self.0[usize::try_from(index).expect("it is less than their number")]
    }
}
