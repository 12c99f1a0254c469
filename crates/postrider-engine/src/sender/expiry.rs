//! Warns the operator of client certificates that expire.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
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

/// Warns of each endpoint's certificate at most once a day, when a connection is opened.
#[derive(Debug, Default)]
pub(super) struct ExpiryLog {
    /// The day of the last warning.
    warned: Mutex<HashMap<EndpointId, u64>>,
}

impl ExpiryLog {
    /// Has to be called when a connection is opened.
    pub(super) fn check(&self, endpoint: EndpointId, identity: &ClientIdentity, now: Timestamp) {
        let Some(facts) = facts(&identity.certificates) else { return };
        let Some(expiry) = Expiry::of(facts.not_after, now) else { return };
        if self.is_new(endpoint, now.as_seconds() / DAY) {
            warn(endpoint, &facts, expiry);
        }
    }

    fn is_new(&self, endpoint: EndpointId, day: u64) -> bool {
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.len() >= MAX_ENDPOINTS {
            warned.clear();
        }
        warned.insert(endpoint, day) != Some(day)
    }
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

    #[test]
    fn an_endpoint_is_warned_about_once_a_day() {
        let log = ExpiryLog::default();
        let endpoint = EndpointId::from_u128;
        for (id, day, expected) in
            [(1, 1, true), (1, 1, false), (2, 1, true), (1, 2, true), (1, 2, false)]
        {
            assert_eq!(log.is_new(endpoint(id), day), expected, "{id} {day}");
        }
    }
}
