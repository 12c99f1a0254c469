//! Deliveries on their way back to the store.
//!
//! A release that failed is *in doubt*: the store may have carried it out before the connection
//! broke. Until it has been repeated, no claim may begin. Otherwise the claim could take such a
//! delivery again, and the repeated release would then free a delivery that this node holds.

use std::time::Duration;

use crate::{delivery::Delivery, time::Timestamp};

/// Shortest wait before a failed release is repeated. It is repeated when the driver wakes up next.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// Collects what is released; at most one release is in flight.
#[derive(Debug, Default)]
pub(super) struct ReleaseState {
    waiting: Vec<(Delivery, Timestamp)>,
    /// What the release in flight contains.
    in_flight: Vec<(Delivery, Timestamp)>,
    is_in_flight: bool,
    /// No release begins before, after one that failed.
    retry_at: Timestamp,
    is_in_doubt: bool,
}

/// What else decides whether a release may begin.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReleaseContext {
    pub is_stopping: bool,
    pub is_claim_in_flight: bool,
}

impl ReleaseState {
    /// Adds a delivery, to be offered again at `until`.
    pub(super) fn push(&mut self, delivery: Delivery, until: Timestamp) {
        self.waiting.push((delivery, until));
    }

    pub(super) fn extend(&mut self, deliveries: Vec<Delivery>, until: Timestamp) {
        self.waiting.extend(deliveries.into_iter().map(|delivery| (delivery, until)));
    }

    pub(super) const fn is_in_doubt(&self) -> bool {
        self.is_in_doubt
    }

    pub(super) fn is_idle(&self) -> bool {
        !self.is_in_flight && self.waiting.is_empty()
    }

    /// The next batch, if one is due.
    pub(super) fn begin(
        &mut self,
        context: ReleaseContext,
        now: Timestamp,
    ) -> Option<Vec<(Delivery, Timestamp)>> {
        // During a shutdown there is no time to wait for a better moment.
        let is_due = context.is_stopping || self.retry_at <= now;
        // A claim that is in flight may have taken what is in doubt, so it has to end first.
        let meets_claim = self.is_in_doubt && context.is_claim_in_flight;
        if self.is_in_flight || self.waiting.is_empty() || meets_claim || !is_due {
            return None;
        }
        let batch = std::mem::take(&mut self.waiting);
        self.in_flight.clone_from(&batch);
        self.is_in_flight = true;
        Some(batch)
    }

    /// The release ended; what the store has back now.
    pub(super) fn end(&mut self) -> Vec<(Delivery, Timestamp)> {
        self.is_in_flight = false;
        self.is_in_doubt = false;
        std::mem::take(&mut self.in_flight)
    }

    /// The release failed and is repeated after a pause.
    pub(super) fn fail(&mut self, now: Timestamp) {
        let failed = self.end();
        self.retry_at = now + RETRY_PAUSE;
        self.is_in_doubt = !failed.is_empty();
        self.waiting.extend(failed);
    }

    pub(super) const fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Drops everything: the store has freed it already. Nothing is left to repeat, and so nothing
    /// in doubt, unless the repetition is in flight; it still ends.
    pub(super) fn drop_all(&mut self) -> Vec<Delivery> {
        self.is_in_doubt &= self.is_in_flight;
        let dropped = self.waiting.drain(..).chain(self.in_flight.drain(..));
        dropped.map(|(delivery, _)| delivery).collect()
    }
}
