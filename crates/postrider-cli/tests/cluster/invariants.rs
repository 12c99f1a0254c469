//! Invariants of the received calls.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use crate::{load::Accepted, receiver::Arrival};

/// Accepted messages that were not delivered.
pub(crate) fn missing<'a>(
    accepted: impl Iterator<Item = &'a Accepted>,
    arrivals: &[&Arrival],
) -> Vec<String> {
    let delivered: HashSet<_> =
        arrivals.iter().filter(|it| it.is_taken).map(|it| it.id.as_str()).collect();
    accepted.filter(|it| !delivered.contains(it.id.as_str())).map(|it| it.id.clone()).collect()
}

/// Number of calls for messages that had been delivered before.
pub(crate) fn duplicates(arrivals: &[&Arrival]) -> usize {
    let mut delivered = HashSet::new();
    let mut count = 0;
    for arrival in arrivals {
        let id = arrival.id.as_str();
        count += usize::from(delivered.contains(id));
        if arrival.is_taken {
            delivered.insert(id);
        }
    }
    count
}

/// Pairs of messages that arrived in the wrong order: the first one was accepted before the second
/// one was sent. Messages that were published concurrently, or got no response, have no order. Only
/// the first arrival of a message counts.
pub(crate) fn out_of_order(accepted: &[Accepted], arrivals: &[&Arrival]) -> Vec<String> {
    let known: HashMap<_, _> = accepted.iter().map(|it| (it.id.as_str(), it)).collect();
    let mut seen = HashSet::new();
    let first: Vec<_> = arrivals
        .iter()
        .filter(|it| seen.insert(it.id.as_str()))
        .filter_map(|it| known.get(it.id.as_str()))
        .collect();
    let mut violations = Vec::new();
    // The earliest accepted message among those that arrived later.
    let mut later: Option<&Accepted> = None;
    for message in first.into_iter().rev() {
        if let Some(later) = later.filter(|it| it.responded_at < message.sent) {
            violations.push(format!("{} before {}", message.id, later.id));
        }
        if later.is_none_or(|it| message.responded_at < it.responded_at) {
            later = Some(message);
        }
    }
    violations
}

/// Calls with an older message after a newer one. If the order was kept, they are all repetitions.
pub(crate) fn late_repetitions(accepted: &[Accepted], arrivals: &[&Arrival]) -> usize {
    let known: HashMap<_, _> = accepted.iter().map(|it| (it.id.as_str(), it)).collect();
    let mut newest: Option<Instant> = None;
    let mut count = 0;
    for message in arrivals.iter().filter_map(|it| known.get(it.id.as_str())) {
        count += usize::from(newest.is_some_and(|newest| message.responded_at < newest));
        newest = newest.max(Some(message.sent));
    }
    count
}

/// Maximum number of calls in any period of this length.
pub(crate) fn most_within(window: Duration, arrivals: &[&Arrival]) -> u64 {
    let mut from = 0;
    let mut most = 0;
    for (to, last) in arrivals.iter().enumerate() {
        while last.at - arrivals[from].at >= window {
            from += 1;
        }
        most = most.max(to + 1 - from);
    }
    most as u64
}

/// Maximum time from the acceptance of a message to its first arrival.
pub(crate) fn slowest(accepted: &[Accepted], arrivals: &[&Arrival]) -> Duration {
    let mut first = HashMap::new();
    for arrival in arrivals {
        first.entry(arrival.id.as_str()).or_insert(arrival.at);
    }
    let waits = accepted.iter().filter_map(|it| {
        let at = first.get(it.id.as_str())?;
        Some(at.saturating_duration_since(it.responded_at))
    });
    waits.max().unwrap_or_default()
}

/// The checks detect violations.
mod tests {
    use super::*;
    use crate::{load::TURN, now};

    const STEP: Duration = Duration::from_millis(10);

    /// Messages that were published sequentially.
    fn accepted(ids: &[&str]) -> Vec<Accepted> {
        let (start, event_type) = (now(), TURN);
        let ids = ids.iter().zip(0_u32..);
        ids.map(|(id, n)| {
            let sent = start + 2 * n * STEP;
            Accepted { id: (*id).to_owned(), event_type, sent, responded_at: sent + STEP }
        })
        .collect()
    }

    /// Calls with these messages in order; a call that starts with `!` failed.
    fn arrivals(ids: &[&str]) -> Vec<Arrival> {
        let start = now();
        let ids = ids.iter().zip(0_u32..);
        ids.map(|(id, n)| {
            let name = id.trim_start_matches('!');
            Arrival::example(name, start + n * STEP, name == *id)
        })
        .collect()
    }

    #[test]
    fn a_message_that_was_not_delivered_is_missing() {
        let (accepted, arrivals) = (accepted(&["a", "b", "c"]), arrivals(&["a", "!b"]));
        let missing = missing(accepted.iter(), &arrivals.iter().collect::<Vec<_>>());
        assert_eq!(missing, ["b", "c"]);
    }

    #[test]
    fn only_calls_after_success_are_duplicates() {
        let arrivals = arrivals(&["!a", "a", "b", "a", "b"]);
        assert_eq!(duplicates(&arrivals.iter().collect::<Vec<_>>()), 2);
    }

    #[test]
    fn only_first_arrivals_of_sequentially_published_messages_have_an_order() {
        let check = |ids: &[&str], violations: usize, late: usize| {
            let (accepted, arrivals) = (accepted(&["a", "b", "c"]), arrivals(ids));
            let arrivals: Vec<_> = arrivals.iter().collect();
            assert_eq!(out_of_order(&accepted, &arrivals).len(), violations, "{ids:?}");
            assert_eq!(late_repetitions(&accepted, &arrivals), late, "{ids:?}");
        };
        check(&["a", "b", "c"], 0, 0);
        check(&["!a", "a", "a", "unknown", "b", "c", "c"], 0, 0);
        check(&["a", "b", "a", "c"], 0, 1);
        check(&["b", "a", "c"], 1, 1);
        check(&["b", "c", "a"], 2, 1);
    }

    #[test]
    fn concurrently_published_messages_have_no_order() {
        let mut accepted = accepted(&["a", "b"]);
        accepted[1].sent = accepted[0].sent;
        let arrivals = arrivals(&["b", "a"]);
        assert_eq!(out_of_order(&accepted, &arrivals.iter().collect::<Vec<_>>()).len(), 0);
    }

    #[test]
    fn calls_are_counted_in_any_period() {
        let mut arrivals = arrivals(&["a", "b", "c", "d", "e"]);
        arrivals[4].at += 10 * STEP;
        let arrivals: Vec<_> = arrivals.iter().collect();
        assert_eq!(most_within(3 * STEP, &arrivals), 3);
        assert_eq!(most_within(100 * STEP, &arrivals), 5);
    }
}
