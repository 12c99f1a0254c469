//! Warns the operator of client certificates that expire.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use postrider::EndpointId;
use postrider_core::{
    client_identity::{ClientIdentity, Expiry},
    time::Timestamp,
};

use crate::certificates::identity::{CertificateFacts, facts};

/// Endpoints that a warning is remembered for.
const MAX_ENDPOINTS: usize = 10_000;

const DAY: u64 = 24 * 60 * 60;

/// Days for which an endpoint counts that opens no more connections.
const REMEMBERED_DAYS: u64 = 2;

/// The client certificates that have expired or expire soon, of the endpoints that this node called
/// in the last days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExpiringCertificates {
    pub endpoints: usize,
    /// When the first of them expires.
    pub earliest: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug)]
struct Warned {
    /// The day of the last warning.
    day: u64,
    not_after: Timestamp,
}

/// Warns of each endpoint's certificate at most once a day, when a connection is opened.
#[derive(Debug, Default)]
pub(super) struct ExpiryLog(Mutex<HashMap<EndpointId, Warned>>);

impl ExpiryLog {
    /// Has to be called when a connection is opened.
    pub(super) fn check(&self, endpoint: EndpointId, identity: &ClientIdentity, now: Timestamp) {
        let Some(facts) = facts(&identity.certificates) else { return };
        let Some(expiry) = Expiry::of(facts.not_after, now) else {
            self.lock().remove(&endpoint);
            return;
        };
        if self.is_new(endpoint, facts.not_after, day_of(now)) {
            warn(endpoint, &facts, expiry);
        }
    }

    /// What expires soon, of the endpoints that were called lately.
    pub(super) fn expiring(&self, now: Timestamp) -> ExpiringCertificates {
        let mut warned = self.lock();
        warned.retain(|_, it| day_of(now) < it.day + REMEMBERED_DAYS);
        let earliest = warned.values().map(|it| it.not_after).min();
        ExpiringCertificates { endpoints: warned.len(), earliest }
    }

    /// When each of these certificates expires.
    pub(super) fn list(&self, now: Timestamp) -> Vec<(EndpointId, Timestamp)> {
        self.expiring(now);
        self.lock().iter().map(|(endpoint, it)| (*endpoint, it.not_after)).collect()
    }

    fn is_new(&self, endpoint: EndpointId, not_after: Timestamp, day: u64) -> bool {
        let mut warned = self.lock();
        if warned.len() >= MAX_ENDPOINTS {
            warned.clear();
        }
        let before = warned.insert(endpoint, Warned { day, not_after });
        before.is_none_or(|before| before.day != day)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<EndpointId, Warned>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const fn day_of(now: Timestamp) -> u64 {
    now.as_seconds() / DAY
}

fn warn(endpoint: EndpointId, facts: &CertificateFacts, expiry: Expiry) {
    let expires_at = facts.not_after.to_rfc3339();
    match expiry {
        Expiry::Expired => tracing::warn!(
            endpoint.id = %endpoint,
            expires_at,
            "the client certificate of an endpoint has expired; replace it with \
             `postrider endpoint mtls set`"
        ),
        Expiry::Soon(days) => tracing::warn!(
            endpoint.id = %endpoint,
            expires_at,
            days,
            "the client certificate of an endpoint expires soon; replace it with \
             `postrider endpoint mtls set`"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(day: u64) -> Timestamp {
        Timestamp::from_millis(day * DAY * 1_000)
    }

    #[test]
    fn an_endpoint_is_warned_about_once_a_day() {
        let log = ExpiryLog::default();
        let endpoint = EndpointId::from_u128;
        for (id, day, expected) in
            [(1, 1, true), (1, 1, false), (2, 1, true), (1, 2, true), (1, 2, false)]
        {
            assert_eq!(log.is_new(endpoint(id), at(20), day), expected, "{id} {day}");
        }
    }

    #[test]
    fn endpoints_count_until_they_are_not_called_for_two_days() {
        let log = ExpiryLog::default();
        for (id, not_after, day) in [(1, 20, 10), (2, 15, 11), (1, 20, 12)] {
            log.is_new(EndpointId::from_u128(id), at(not_after), day);
        }
        for (day, endpoints, earliest) in
            [(12, 2, Some(at(15))), (13, 1, Some(at(20))), (14, 0, None)]
        {
            let expected = ExpiringCertificates { endpoints, earliest };
            assert_eq!(log.expiring(at(day)), expected, "{day}");
        }
    }
}
