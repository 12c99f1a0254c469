//! When a measurement is worth an alert, and what the alert says.

use std::time::Duration;

use postrider::{ApplicationId, EndpointId, SourceId};

use super::{AlertKey, AlertKind, Finding};
use crate::{catalog::DisableReason, time::Timestamp};

/// How long a measurement counts. It is repeated much more often.
const VALID: Duration = Duration::from_secs(10 * 60);

/// How long a certificate counts as expiring after it was last seen.
const CERTIFICATE_VALID: Duration = Duration::from_secs(2 * 24 * 60 * 60);

const DAY: u64 = 24 * 60 * 60;

/// Limits beyond which something is worth an alert.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conditions {
    /// Rejected requests of a source within `rejection_window`.
    pub rejections: usize,
    pub rejection_window: Duration,
    /// The free part of the disk, from 0 to 1.
    pub disk_free: f64,
    /// The time until a certificate expires.
    pub certificate_expiry: Duration,
    /// How long the oldest due delivery has waited.
    pub late_after: Duration,
    /// How long the store has failed.
    pub unavailable_after: Duration,
}

impl Conditions {
    /// The disk of a node.
    #[expect(clippy::cast_precision_loss, reason = "a part of a disk need not be exact")]
    pub fn disk(&self, node: &str, (free, total): (u64, u64), now: Timestamp) -> Option<Finding> {
        let is_low = total > 0 && (free as f64) < self.disk_free * total as f64;
        is_low.then(|| Finding {
            key: key(AlertKind::DiskNearlyFull, node),
            summary: format!(
                "{} MiB of {} MiB are free on the disk with the data folder; free space or \
                 enlarge it before new messages are refused.",
                free >> 20,
                total >> 20
            ),
            endpoint: None,
            ends_at: Some(now + VALID),
        })
    }

    /// All deliveries of the installation.
    pub fn late(&self, oldest_due_age: Duration, now: Timestamp) -> Option<Finding> {
        (oldest_due_age >= self.late_after && !self.late_after.is_zero()).then(|| Finding {
            key: key(AlertKind::DeliveriesLate, "deliveries"),
            summary: format!(
                "The oldest due delivery has waited for {} minutes; look for endpoints that are \
                 slow or limited, and whether the server has enough capacity.",
                oldest_due_age.as_secs() / 60
            ),
            endpoint: None,
            ends_at: Some(now + VALID),
        })
    }

    /// The client certificate of an endpoint.
    pub fn client_certificate(
        &self,
        endpoint: EndpointId,
        not_after: Timestamp,
        now: Timestamp,
    ) -> Option<Finding> {
        let left = self.expires(not_after, now)?;
        Some(Finding {
            key: key(AlertKind::CertificateExpiring, &endpoint.to_string()),
            summary: format!(
                "The client certificate of the endpoint {left}; replace it with \
                 `postrider endpoint mtls set`."
            ),
            endpoint: None,
            ends_at: Some(now + CERTIFICATE_VALID),
        })
    }

    /// The certificate of the server itself.
    pub fn server_certificate(
        &self,
        node: &str,
        not_after: Timestamp,
        now: Timestamp,
    ) -> Option<Finding> {
        let left = self.expires(not_after, now)?;
        Some(Finding {
            key: key(AlertKind::CertificateExpiring, node),
            summary: format!(
                "The certificate in `tls_certificate` {left}; replace the file, which the server \
                 reads again by itself."
            ),
            endpoint: None,
            ends_at: Some(now + VALID),
        })
    }

    /// A source that is rejecting until the end of its window.
    pub fn rejecting(&self, source: SourceId, ends_at: Timestamp) -> Finding {
        Finding {
            key: key(AlertKind::SourceRejecting, &source.to_string()),
            summary: format!(
                "{} requests or more were rejected within {} minutes: the provider's secret was \
                 changed, or somebody sends forged requests. `postrider source log` shows \
                 them with their reasons.",
                self.rejections,
                self.rejection_window.as_secs().div_ceil(60)
            ),
            endpoint: None,
            ends_at: Some(ends_at),
        }
    }

    /// A store that has failed since a time.
    pub fn unavailable(
        &self,
        node: &str,
        (since, reason): (Timestamp, &str),
        now: Timestamp,
    ) -> Option<Finding> {
        (now.since(since) >= self.unavailable_after).then(|| Finding {
            key: key(AlertKind::StoreUnavailable, node),
            summary: format!("The store has failed since {}: {reason}", since.to_rfc3339()),
            endpoint: None,
            ends_at: None,
        })
    }

    fn expires(&self, not_after: Timestamp, now: Timestamp) -> Option<String> {
        let left = not_after.since(now);
        if left.is_zero() {
            return Some(format!("has expired at {}", not_after.to_rfc3339()));
        }
        let days = left.as_secs() / DAY;
        (left < self.certificate_expiry).then(|| format!("expires in {days} days"))
    }
}

/// An endpoint that the server has just disabled.
pub fn disabled(
    (application, endpoint): (ApplicationId, EndpointId),
    address: &str,
    reason: DisableReason,
) -> Finding {
    let why = match reason {
        DisableReason::Failing { since } => {
            format!("all deliveries have failed since {}", since.to_rfc3339())
        },
        DisableReason::Gone => "the receiver asked for no more messages (410)".to_owned(),
        DisableReason::Requested => "a client asked for it".to_owned(),
    };
    Finding {
        key: key(AlertKind::EndpointDisabled, &endpoint.to_string()),
        summary: format!(
            "The endpoint {address} of the application {application} was disabled: {why}. Its \
             pending deliveries wait. When the receiver works again, enable the endpoint."
        ),
        endpoint: Some((application, endpoint)),
        ends_at: None,
    }
}

fn key(kind: AlertKind, subject: &str) -> AlertKey {
    AlertKey { kind, subject: subject.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    const CONDITIONS: Conditions = Conditions {
        rejections: 20,
        rejection_window: Duration::from_secs(600),
        disk_free: 0.1,
        certificate_expiry: Duration::from_secs(14 * DAY),
        late_after: HOUR,
        unavailable_after: Duration::from_secs(120),
    };

    const fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    #[test]
    fn measurements_beyond_their_limits_are_found() {
        for (free, total, expected) in
            [(0, 0, false), (10, 100, false), (9, 100, true), (0, 100, true), (100, 100, false)]
        {
            let found = CONDITIONS.disk("a", (free, total), at(1)).is_some();
            assert_eq!(found, expected, "{free} of {total}");
        }
        for (age, expected) in [(0, false), (3_599, false), (3_600, true)] {
            let found = CONDITIONS.late(Duration::from_secs(age), at(1)).is_some();
            assert_eq!(found, expected, "{age}");
        }
        let off = Conditions { late_after: Duration::ZERO, ..CONDITIONS };
        assert_eq!(off.late(HOUR, at(1)), None);
        for (now, expected) in [(1_100, false), (1_120, true)] {
            let found = CONDITIONS.unavailable("a", (at(1_000), "x"), at(now)).is_some();
            assert_eq!(found, expected, "{now}");
        }
    }

    #[test]
    fn certificates_are_found_before_they_expire() {
        let not_after = at(100 * DAY);
        for (day, expected) in [
            (80, None),
            (86, None),
            (87, Some("expires in 13 days")),
            (100, Some("has expired at 1970-04-11T00:00:00Z")),
            (120, Some("has expired at")),
        ] {
            let endpoint = EndpointId::from_u128(1);
            let of_client = CONDITIONS.client_certificate(endpoint, not_after, at(day * DAY));
            let of_server = CONDITIONS.server_certificate("a", not_after, at(day * DAY));
            for found in [of_client, of_server] {
                match (found, expected) {
                    (None, None) => {},
                    (Some(found), Some(text)) => {
                        assert!(found.summary.contains(text), "{}", found.summary);
                    },
                    (found, _) => panic!("{day}: {found:?}"),
                }
            }
        }
    }

    #[test]
    fn what_has_no_measure_says_what_to_do() {
        let place = (ApplicationId::from_u128(1), EndpointId::from_u128(2));
        let gone = disabled(place, "https://example.com/", DisableReason::Gone);
        assert!(gone.summary.contains("(410)"), "{}", gone.summary);
        assert_eq!((gone.endpoint, gone.ends_at), (Some(place), None));
        let rejecting = CONDITIONS.rejecting(SourceId::from_u128(1), at(9));
        assert!(rejecting.summary.starts_with("20 requests or more were rejected within 10 min"));
    }
}
