//! Messages about alerts that have not been sent, and who sends them.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::Notice;
use crate::time::Timestamp;

/// Most messages that wait. The oldest are dropped first.
const MAX_PARCELS: usize = 60;

/// Most messages that a node sends at the same time.
const MAX_CLAIMED: usize = 10;

/// How long a node has for sending before another one tries.
const CLAIM: Duration = Duration::from_secs(2 * 60);

/// Waits between the attempts to send a message. After the last one it is given up.
const WAITS: [Duration; 6] = [
    Duration::from_secs(30),
    Duration::from_secs(2 * 60),
    Duration::from_secs(10 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(2 * 60 * 60),
    Duration::from_secs(6 * 60 * 60),
];

/// Where alerts are sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    Email,
    Slack,
    Webhook,
}

impl Channel {
    /// Its name in messages and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Slack => "slack",
            Self::Webhook => "webhook",
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A message that waits to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parcel {
    id: u64,
    channel: Channel,
    notices: Vec<Notice>,
    made_at: Timestamp,
    #[serde(default)]
    failures: usize,
    /// It is not sent before: it has just failed, or a node is sending it.
    due_at: Timestamp,
}

/// A message that this node has to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    pub id: u64,
    pub channel: Channel,
    pub notices: Vec<Notice>,
    pub made_at: Timestamp,
}

/// Messages that have not been sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outbox {
    #[serde(default)]
    next_id: u64,
    #[serde(default)]
    parcels: Vec<Parcel>,
}

impl Outbox {
    /// Adds a message for each of the channels.
    pub fn put(&mut self, notices: &[Notice], channels: &[Channel], now: Timestamp) {
        if notices.is_empty() {
            return;
        }
        for channel in channels {
            let parcel = Parcel {
                id: self.next_id,
                channel: *channel,
                notices: notices.to_vec(),
                made_at: now,
                failures: 0,
                due_at: now,
            };
            self.next_id += 1;
            self.parcels.push(parcel);
        }
        let surplus = self.parcels.len().saturating_sub(MAX_PARCELS);
        self.parcels.drain(..surplus);
    }

    /// Whether a message is due.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.parcels.iter().any(|it| it.due_at <= now)
    }

    /// Takes the messages that are due. Until their claim ends, no other node sends them.
    pub fn claim(&mut self, now: Timestamp) -> Vec<Outgoing> {
        let due = self.parcels.iter_mut().filter(|it| it.due_at <= now).take(MAX_CLAIMED);
        let claimed = due.map(|parcel| {
            parcel.due_at = now + CLAIM;
            let Parcel { id, channel, notices, made_at, .. } = parcel.clone();
            Outgoing { id, channel, notices, made_at }
        });
        claimed.collect()
    }

    /// Notes the result of an attempt. Returns `false` if the message was given up.
    pub fn end(&mut self, id: u64, is_sent: bool, now: Timestamp) -> bool {
        let Some(index) = self.parcels.iter().position(|it| it.id == id) else { return is_sent };
        let parcel = &mut self.parcels[index];
        let wait = WAITS.get(parcel.failures).filter(|_| !is_sent);
        let Some(wait) = wait else {
            self.parcels.remove(index);
            return is_sent;
        };
        parcel.failures += 1;
        parcel.due_at = now + *wait;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{AlertKey, AlertKind, NoticeKind},
        *,
    };

    const fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn notice() -> Notice {
        Notice {
            notice: NoticeKind::Firing,
            key: AlertKey { kind: AlertKind::Test, subject: "a".to_owned() },
            summary: String::new(),
            began_at: at(1),
            ended_at: None,
            endpoint: None,
        }
    }

    #[test]
    fn a_message_is_sent_by_one_node_until_its_claim_ends() {
        let mut outbox = Outbox::default();
        outbox.put(&[], &[Channel::Email], at(1));
        assert!(!outbox.is_due(at(1)));
        outbox.put(&[notice()], &[Channel::Email, Channel::Slack], at(1));
        let claimed = outbox.claim(at(1));
        assert_eq!(claimed.len(), 2);
        assert_eq!(outbox.claim(at(1)), []);
        assert!(outbox.end(claimed[0].id, true, at(2)));
        // The node crashed before it noted the other one.
        assert_eq!(outbox.claim(at(121)), [claimed[1].clone()]);
        assert!(outbox.end(claimed[1].id, true, at(122)));
        assert!(!outbox.is_due(at(9_999)));
    }

    #[test]
    fn a_message_that_fails_is_tried_again_and_given_up() {
        let mut outbox = Outbox::default();
        outbox.put(&[notice()], &[Channel::Webhook], at(0));
        let (mut now, mut times) = (0, Vec::new());
        loop {
            while !outbox.is_due(at(now)) {
                now += 1;
            }
            times.push(now);
            let claimed = outbox.claim(at(now));
            if !outbox.end(claimed[0].id, false, at(now)) {
                break;
            }
        }
        assert_eq!(times, [0, 30, 150, 750, 2_550, 9_750, 31_350]);
        assert!(!outbox.is_due(at(u64::MAX / 2_000)));
    }

    #[test]
    fn the_oldest_messages_are_dropped() {
        let mut outbox = Outbox::default();
        for _ in 0..2 * MAX_PARCELS {
            outbox.put(&[notice()], &[Channel::Email], at(1));
        }
        let claimed = outbox.claim(at(1));
        assert_eq!((claimed.len(), claimed[0].id), (MAX_CLAIMED, MAX_PARCELS as u64));
        assert_eq!(outbox.parcels.len(), MAX_PARCELS);
    }
}
