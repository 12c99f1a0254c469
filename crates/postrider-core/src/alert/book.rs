//! The alerts of an installation, and what was told about them.

use std::time::Duration;

use postrider::{ApplicationId, EndpointId};
use serde::{Deserialize, Serialize};

use super::{AlertKey, Finding, Notice, NoticeKind, Observation, Policy, outbox::Outbox};
use crate::time::Timestamp;

/// Most alerts that are kept. Further ones are not announced until others have ended.
const MAX_ALERTS: usize = 1_000;

/// How long a condition holds after it was last observed, if its observer does not see it any more.
const FADE: Duration = Duration::from_secs(10 * 60);

/// An alert is only extended if that adds at least this much, so that the book does not change with
/// every observation.
const EXTENSION: Duration = Duration::from_secs(2 * 60);

/// An alert, and what was told about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    pub key: AlertKey,
    pub summary: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<(ApplicationId, EndpointId)>,
    pub began_at: Timestamp,
    /// When the condition counts as ended, unless it is observed again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ends_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended_at: Option<Timestamp>,
    /// When it was announced or repeated last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    told_at: Option<Timestamp>,
    /// It was announced, and its end was not.
    #[serde(default)]
    is_announced: bool,
}

/// The alerts of an installation, and the messages about them that have not been sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Book {
    #[serde(default)]
    alerts: Vec<Alert>,
    /// When the last message was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    made_at: Option<Timestamp>,
    #[serde(default)]
    pub outbox: Outbox,
}

impl Alert {
    fn new(finding: Finding, now: Timestamp) -> Self {
        let Finding { key, summary, endpoint, ends_at } = finding;
        Self {
            key,
            summary,
            endpoint,
            began_at: now,
            ends_at,
            ended_at: None,
            told_at: None,
            is_announced: false,
        }
    }

    /// Whether its condition holds.
    pub const fn holds(&self) -> bool {
        self.ended_at.is_none()
    }

    fn renew(&mut self, finding: Finding, now: Timestamp) {
        if !self.holds() {
            self.began_at = now;
            self.ended_at = None;
            self.ends_at = finding.ends_at;
            self.summary = finding.summary;
        } else if is_later(finding.ends_at, self.ends_at) {
            self.ends_at = finding.ends_at;
            self.summary = finding.summary;
        }
    }

    const fn end(&mut self, now: Timestamp) {
        if self.ended_at.is_none() {
            self.ended_at = Some(now);
        }
    }

    /// What is to be told now, if anything.
    fn due_notice(&self, policy: &Policy, now: Timestamp) -> Option<NoticeKind> {
        let since_told = self.told_at.map(|at| now.since(at));
        match (self.holds(), self.is_announced) {
            (true, false) => {
                since_told.is_none_or(|it| it >= policy.pause).then_some(NoticeKind::Firing)
            },
            (true, true) => {
                let repeats = !policy.repeat.is_zero();
                (repeats && since_told.is_some_and(|it| it >= policy.repeat))
                    .then_some(NoticeKind::Reminder)
            },
            (false, true) => Some(NoticeKind::Resolved),
            (false, false) => None,
        }
    }

    fn tell(&mut self, notice: NoticeKind, now: Timestamp) -> Notice {
        self.is_announced = notice != NoticeKind::Resolved;
        if self.is_announced {
            self.told_at = Some(now);
        }
        Notice {
            notice,
            key: self.key.clone(),
            summary: self.summary.clone(),
            began_at: self.began_at,
            ended_at: self.ended_at,
            endpoint: self.endpoint,
        }
    }

    /// Whether nothing depends on it any more.
    fn is_over(&self, policy: &Policy, now: Timestamp) -> bool {
        let is_quiet = self.told_at.is_none_or(|at| now.since(at) >= policy.pause);
        !self.holds() && !self.is_announced && is_quiet
    }
}

/// Whether a condition holds noticeably longer than was known.
fn is_later(new: Option<Timestamp>, old: Option<Timestamp>) -> bool {
    match (new, old) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(new), Some(old)) => new.since(old) >= EXTENSION,
    }
}

impl Book {
    /// The alerts whose conditions hold.
    pub fn holding(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.iter().filter(|it| it.holds())
    }

    /// The alerts whose conditions hold at this time, the oldest first. Conditions that were not
    /// observed again end by themselves.
    pub fn firing(&self, now: Timestamp) -> Vec<Alert> {
        let is_firing = |it: &&Alert| it.ends_at.is_none_or(|at| at > now);
        let mut firing: Vec<_> = self.holding().filter(is_firing).cloned().collect();
        firing.sort_by(|a, b| (a.began_at, &a.key).cmp(&(b.began_at, &b.key)));
        firing
    }

    /// Takes in what a detector reports.
    pub fn observe(&mut self, observation: Observation, now: Timestamp) {
        match observation {
            Observation::Holds(finding) => self.hold(finding, now),
            Observation::Fades(key) => {
                if let Some(alert) = self.find(&key).filter(|it| it.holds()) {
                    let faded = now + FADE;
                    alert.ends_at = Some(alert.ends_at.map_or(faded, |at| at.min(faded)));
                }
            },
            Observation::Cleared(key) => {
                if let Some(alert) = self.find(&key) {
                    alert.end(now);
                }
            },
        }
    }

    /// Ends what was not observed again, and forgets what is over.
    pub fn expire(&mut self, policy: &Policy, now: Timestamp) {
        for alert in &mut self.alerts {
            if alert.ends_at.is_some_and(|at| at <= now) {
                alert.end(now);
            }
        }
        self.alerts.retain(|alert| !alert.is_over(policy, now));
    }

    /// Expires alerts, and returns what is to be told, if it is time to send a message.
    pub fn take_notices(&mut self, policy: &Policy, now: Timestamp) -> Vec<Notice> {
        self.expire(policy, now);
        if self.made_at.is_some_and(|at| now.since(at) < policy.interval) {
            return Vec::new();
        }
        let told = self.alerts.iter_mut().filter_map(|alert| {
            let notice = alert.due_notice(policy, now)?;
            Some(alert.tell(notice, now))
        });
        let notices: Vec<_> = told.collect();
        if !notices.is_empty() {
            self.made_at = Some(now);
        }
        notices
    }

    fn hold(&mut self, finding: Finding, now: Timestamp) {
        if let Some(alert) = self.find(&finding.key) {
            return alert.renew(finding, now);
        }
        if self.alerts.len() < MAX_ALERTS {
            self.alerts.push(Alert::new(finding, now));
        }
    }

    fn find(&mut self, key: &AlertKey) -> Option<&mut Alert> {
        self.alerts.iter_mut().find(|alert| alert.key == *key)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::AlertKind,
        NoticeKind::{Firing, Reminder, Resolved},
        *,
    };

    const POLICY: Policy = Policy {
        pause: Duration::from_secs(3_600),
        repeat: Duration::from_secs(86_400),
        interval: Duration::from_secs(300),
    };

    const fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn key(subject: &str) -> AlertKey {
        AlertKey { kind: AlertKind::EndpointDisabled, subject: subject.to_owned() }
    }

    fn holds(subject: &str, ends_at: Option<u64>) -> Observation {
        Observation::Holds(Finding {
            key: key(subject),
            summary: subject.to_owned(),
            endpoint: None,
            ends_at: ends_at.map(at),
        })
    }

    /// What is told at a time: the subject and the kind of each notice.
    fn told(book: &mut Book, now: u64) -> Vec<(String, NoticeKind)> {
        let notices = book.take_notices(&POLICY, at(now)).into_iter();
        notices.map(|it| (it.key.subject, it.notice)).collect()
    }

    fn only(subject: &str, notice: NoticeKind) -> Vec<(String, NoticeKind)> {
        vec![(subject.to_owned(), notice)]
    }

    #[test]
    fn alerts_fire_until_they_end_the_oldest_first() {
        let mut book = Book::default();
        book.observe(holds("b", Some(50)), at(10));
        book.observe(holds("c", None), at(5));
        book.observe(holds("a", Some(100)), at(10));
        let firing = |book: &Book, now| -> Vec<_> {
            book.firing(at(now)).into_iter().map(|it| it.key.subject).collect()
        };
        assert_eq!(firing(&book, 10), ["c", "a", "b"]);
        assert_eq!(firing(&book, 50), ["c", "a"], "the condition of b was not observed again");
        book.observe(Observation::Cleared(key("c")), at(60));
        assert_eq!(firing(&book, 60), ["a"]);
        assert!(firing(&book, 100).is_empty());
    }

    #[test]
    fn an_alert_is_announced_repeated_and_resolved() {
        let mut book = Book::default();
        book.observe(holds("a", None), at(1_000));
        assert_eq!(told(&mut book, 1_000), only("a", Firing));
        book.observe(holds("a", None), at(5_000));
        assert_eq!(told(&mut book, 80_000), []);
        assert_eq!(told(&mut book, 87_400), only("a", Reminder));
        book.observe(Observation::Cleared(key("a")), at(90_000));
        assert_eq!(book.holding().count(), 0);
        assert_eq!(told(&mut book, 90_000), only("a", Resolved));
        assert_eq!(told(&mut book, 91_000), []);
        assert!(book.alerts.is_empty(), "it is forgotten");
    }

    #[test]
    fn a_condition_that_comes_and_goes_is_announced_once_in_a_pause() {
        let mut book = Book::default();
        let mut all = Vec::new();
        for now in (10_000..13_600).step_by(10) {
            let observation =
                if now % 20 == 0 { holds("a", None) } else { Observation::Cleared(key("a")) };
            book.observe(observation, at(now));
            all.extend(told(&mut book, now));
        }
        assert_eq!(all.len(), 2, "{all:?}");
        book.observe(holds("a", None), at(13_600));
        assert_eq!(told(&mut book, 13_600), only("a", Firing));
    }

    #[test]
    fn alerts_that_come_close_together_are_one_message() {
        let mut book = Book::default();
        book.observe(holds("a", None), at(1_000));
        assert_eq!(told(&mut book, 1_000).len(), 1);
        for subject in ["b", "c", "d"] {
            book.observe(holds(subject, None), at(1_010));
            assert_eq!(told(&mut book, 1_010), []);
        }
        assert_eq!(told(&mut book, 1_300).len(), 3);
    }

    #[test]
    fn a_condition_ends_unless_it_is_observed_again() {
        let mut book = Book::default();
        book.observe(holds("a", Some(2_000)), at(1_000));
        assert_eq!(told(&mut book, 1_000), only("a", Firing));
        book.observe(holds("a", Some(2_900)), at(1_900));
        assert_eq!(told(&mut book, 2_400), []);
        // Another node still sees it.
        book.observe(Observation::Fades(key("a")), at(2_200));
        book.observe(holds("a", Some(9_000)), at(2_300));
        assert_eq!(told(&mut book, 5_000), []);
        book.observe(Observation::Fades(key("a")), at(5_000));
        assert_eq!(told(&mut book, 5_599), []);
        assert_eq!(told(&mut book, 5_600), only("a", Resolved));
    }

    #[test]
    fn what_is_observed_all_the_time_changes_the_book_rarely() {
        let mut book = Book::default();
        let mut changes = 0;
        for now in 1_000..1_600 {
            let before = book.clone();
            book.observe(holds("a", Some(now + 600)), at(now));
            changes += usize::from(before != book);
        }
        assert!(changes <= 6, "{changes}");
        assert!(book.holding().next().is_some());
    }

    #[test]
    fn the_book_is_limited_and_survives_storage() {
        let mut book = Book::default();
        for number in 0..2 * MAX_ALERTS {
            book.observe(holds(&number.to_string(), Some(9)), at(1));
        }
        assert_eq!(book.alerts.len(), MAX_ALERTS);
        let json = serde_json::to_string(&book).unwrap();
        assert_eq!(serde_json::from_str::<Book>(&json).unwrap(), book);
        assert_eq!(serde_json::from_str::<Book>("{}").unwrap(), Book::default());
    }

    proptest! {
        #[test]
        fn notices_alternate_and_are_rare(
            steps in prop::collection::vec((0_u8..4, 0_u8..3, 1_u64..400), 1..300),
        ) {
            let mut book = Book::default();
            let mut now = 100_000;
            let mut last_message = None::<u64>;
            let mut fired = std::collections::HashMap::<String, u64>::new();
            let mut open = std::collections::HashSet::new();
            for (subject, what, pause) in steps {
                now += pause;
                let subject = subject.to_string();
                book.observe(match what {
                    0 => holds(&subject, None),
                    1 => holds(&subject, Some(now + 500)),
                    _ => Observation::Cleared(key(&subject)),
                }, at(now));
                let told = told(&mut book, now);
                if !told.is_empty() {
                    prop_assert!(last_message.is_none_or(|at| now - at >= 300));
                    last_message = Some(now);
                }
                for (subject, notice) in told {
                    match notice {
                        Firing => {
                            prop_assert!(open.insert(subject.clone()));
                            let before = fired.insert(subject, now);
                            prop_assert!(before.is_none_or(|at| now - at >= 3_600));
                        },
                        Reminder => prop_assert!(open.contains(&subject)),
                        Resolved => prop_assert!(open.remove(&subject)),
                    }
                }
            }
            // Whatever was announced is resolved when nothing holds any more.
            for subject in 0..4 {
                book.observe(Observation::Cleared(key(&subject.to_string())), at(now));
            }
            for (subject, notice) in told(&mut book, now + 300) {
                prop_assert_eq!(notice, Resolved);
                prop_assert!(open.remove(&subject));
            }
            prop_assert!(open.is_empty());
            told(&mut book, now + 10_000);
            prop_assert!(book.alerts.is_empty());
        }
    }
}
