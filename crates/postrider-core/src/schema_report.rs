//! What was found when payloads of an event type were checked.

use std::collections::VecDeque;

use postrider::{EventTypeName, MessageId, OrganizationId, SourceId};
use serde::{Deserialize, Serialize};

use crate::{json_schema::PayloadProblem, time::Timestamp};

/// Payloads that a report lists.
pub const RECENT: usize = 10;

/// A payload that did not match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mismatch {
    pub at: Timestamp,
    /// The application, as the request named it.
    pub application: String,
    /// The source that received it; `None` if the payload was published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceId>,
    pub event_id: Option<String>,
    /// The message, if it was stored before the check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<MessageId>,
    pub is_rejected: bool,
    pub problems: Vec<PayloadProblem>,
}

/// Numbers of checked payloads, and the last ones that did not match.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    pub valid: u64,
    pub warned: u64,
    pub rejected: u64,
    /// At most [`RECENT`], newest first.
    pub recent: VecDeque<Mismatch>,
}

/// The findings about an event type, as they are stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaReport {
    pub organization: OrganizationId,
    pub event_type: EventTypeName,
    /// When the first of them was stored.
    pub since: Timestamp,
    pub findings: Findings,
}

impl Findings {
    pub fn add(&mut self, mismatch: Mismatch) {
        if mismatch.is_rejected {
            self.rejected += 1;
        } else {
            self.warned += 1;
        }
        self.recent.push_front(mismatch);
        self.recent.truncate(RECENT);
    }

    /// Adds what was found later, or by another node.
    pub fn merge(&mut self, other: Self) {
        let Self { valid, warned, rejected, recent } = other;
        self.valid += valid;
        self.warned += warned;
        self.rejected += rejected;
        // What is newer comes first also among payloads of the same millisecond.
        let before = std::mem::replace(&mut self.recent, recent);
        self.recent.extend(before);
        self.recent.make_contiguous().sort_by_key(|it| std::cmp::Reverse(it.at));
        self.recent.truncate(RECENT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mismatch(at: u64, is_rejected: bool) -> Mismatch {
        Mismatch {
            at: Timestamp::from_millis(at),
            application: "acme".to_owned(),
            source: None,
            event_id: None,
            message: None,
            is_rejected,
            problems: Vec::new(),
        }
    }

    #[test]
    fn findings_of_two_nodes_are_added_up_and_the_newest_are_listed() {
        let of = |times: &[u64], is_rejected| {
            let mut findings = Findings { valid: 2, ..Findings::default() };
            for &at in times {
                findings.add(mismatch(at, is_rejected));
            }
            findings
        };
        let mut merged = of(&[1, 3, 5, 7, 9, 11, 13], false);
        merged.merge(of(&[2, 4, 6, 8, 10, 12], true));
        assert_eq!((merged.valid, merged.warned, merged.rejected), (4, 7, 6));
        let times: Vec<_> = merged.recent.iter().map(|it| it.at.as_millis()).collect();
        assert_eq!(times, [13, 12, 11, 10, 9, 8, 7, 6, 5, 4]);
        merged.merge(of(&[13], true));
        assert!(merged.recent[0].is_rejected, "the later one of two at the same time comes first");
    }
}
