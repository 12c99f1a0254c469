//! One countable thing, packed into an integer.

use std::time::Duration;

use postrider::{ApplicationId, EndpointId, SourceId};

use super::{histogram::Bucket, result::AttemptResult};
use crate::{
    delivery::{Attempt, Settlement, Trigger},
    message::Message,
    outcome::Outcome,
    retry::Verdict,
    time::Timestamp,
};

const MILLIS_PER_MINUTE: u64 = 60_000;

/// Something that is counted, and the minute in which it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fact {
    minute: u32,
    pub kind: FactKind,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FactKind {
    /// A message was accepted.
    Message {
        /// No endpoint gets it.
        is_filtered: bool,
    },
    /// An attempt was recorded.
    Attempt {
        result: AttemptResult,
        duration: Bucket,
        /// The time from the acceptance of the message to the end of the attempt, if this is a
        /// delivery that was not requested by hand.
        elapsed: Option<Bucket>,
        /// The delivery has failed.
        is_last: bool,
    },
    /// A source received a request.
    Request(RequestResult),
}

/// What became of a request to a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RequestResult {
    Accepted,
    Duplicate,
    Rejected,
}

/// An attempt as it is counted.
#[derive(Clone, Copy, Debug)]
pub struct CountedAttempt {
    pub at: Timestamp,
    pub accepted_at: Timestamp,
    pub duration: Duration,
    pub trigger: Trigger,
    pub outcome: Outcome,
    /// Its delivery has failed with it.
    pub is_last: bool,
}

impl Fact {
    pub fn new(at: Timestamp, kind: FactKind) -> Self {
        let minute = at.as_millis() / MILLIS_PER_MINUTE;
        Self { minute: u32::try_from(minute).unwrap_or(u32::MAX), kind }
    }

    pub fn message(message: &Message, is_filtered: bool) -> Self {
        Self::new(message.created_at(), FactKind::Message { is_filtered })
    }

    pub fn settlement(settlement: &Settlement) -> Self {
        Self::attempt(&settlement.attempt, matches!(settlement.verdict, Verdict::GiveUp(_)))
    }

    /// The fact about an attempt; `is_last` if its delivery has failed with it.
    pub fn attempt(attempt: &Attempt, is_last: bool) -> Self {
        CountedAttempt {
            at: attempt.at,
            accepted_at: Timestamp::from_millis(attempt.delivery.message.millis()),
            duration: attempt.duration,
            trigger: attempt.trigger,
            outcome: attempt.outcome,
            is_last,
        }
        .fact()
    }

    pub fn at(self) -> Timestamp {
        Timestamp::from_millis(u64::from(self.minute) * MILLIS_PER_MINUTE)
    }
}

impl CountedAttempt {
    pub fn fact(self) -> Fact {
        let is_unrequested = self.trigger == Trigger::Scheduled && self.outcome.delivered();
        let elapsed = (self.at + self.duration).since(self.accepted_at);
        let kind = FactKind::Attempt {
            result: self.outcome.into(),
            duration: Bucket::of(self.duration),
            elapsed: is_unrequested.then(|| Bucket::of(elapsed)),
            is_last: self.is_last,
        };
        Fact::new(self.at, kind)
    }
}

/// The lowest bits of a packed fact: what is counted.
const MESSAGE: u64 = 0;
const ATTEMPT: u64 = 1;
const REQUEST: u64 = 2;

/// In place of a bucket that there is not.
const NO_BUCKET: u64 = 0xff;

impl Fact {
    /// The fact as one integer: its minute, then four fields of 8 bits. Stores write it, so the
    /// meaning of the fields stays.
    pub fn pack(self) -> i64 {
        let (kind, fields) = match self.kind {
            FactKind::Message { is_filtered } => (MESSAGE, [u64::from(is_filtered), 0, 0]),
            FactKind::Attempt { result, duration, elapsed, is_last } => {
                let result = u64::from(result.code()) << 1 | u64::from(is_last);
                let elapsed = elapsed.map_or(NO_BUCKET, |it| u64::from(it.number()));
                (ATTEMPT, [result, u64::from(duration.number()), elapsed])
            },
            FactKind::Request(result) => (REQUEST, [result.code(), 0, 0]),
        };
        let [first, second, third] = fields;
        let packed = u64::from(self.minute) << 32 | first << 24 | second << 16 | third << 8 | kind;
        packed.cast_signed()
    }

    /// Reverses [`Self::pack`]; `None` if a later version packed it.
    pub fn unpack(packed: i64) -> Option<Self> {
        let [minute @ .., first, second, third, kind] = packed.cast_unsigned().to_be_bytes();
        let kind = match u64::from(kind) {
            MESSAGE => FactKind::Message { is_filtered: first != 0 },
            ATTEMPT => FactKind::Attempt {
                result: AttemptResult::from_code(first >> 1)?,
                duration: Bucket::new(second)?,
                elapsed: Bucket::new(third),
                is_last: first & 1 != 0,
            },
            REQUEST => FactKind::Request(RequestResult::from_code(first)?),
            _ => return None,
        };
        Some(Self { minute: u32::from_be_bytes(minute), kind })
    }
}

impl RequestResult {
    const fn code(self) -> u64 {
        match self {
            Self::Accepted => 0,
            Self::Duplicate => 1,
            Self::Rejected => 2,
        }
    }

    const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Accepted),
            1 => Some(Self::Duplicate),
            2 => Some(Self::Rejected),
            _ => None,
        }
    }
}

/// What a fact is about, besides its application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CountedFor {
    /// A message.
    Application,
    /// An attempt.
    Endpoint(EndpointId),
    /// A request.
    Source(SourceId),
}

/// Equal facts and their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    pub application: ApplicationId,
    pub of: CountedFor,
    pub fact: Fact,
    pub count: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::Cause;

    #[test]
    fn a_packed_fact_is_unpacked_to_the_same() {
        let attempt = |result, elapsed, is_last| FactKind::Attempt {
            result,
            duration: Bucket::of(Duration::from_millis(300)),
            elapsed,
            is_last,
        };
        let kinds = [
            FactKind::Message { is_filtered: false },
            FactKind::Message { is_filtered: true },
            FactKind::Request(RequestResult::Accepted),
            FactKind::Request(RequestResult::Duplicate),
            FactKind::Request(RequestResult::Rejected),
            attempt(AttemptResult::Delivered, Some(Bucket::LAST), false),
            attempt(AttemptResult::Failed(Cause::Busy), None, true),
        ];
        for kind in kinds {
            for at in [0, 1_700_000_040_000, u64::MAX] {
                let fact = Fact::new(Timestamp::from_millis(at), kind);
                assert_eq!(Fact::unpack(fact.pack()), Some(fact), "{fact:?}");
            }
        }
        assert_eq!(Fact::unpack(0xff), None, "a fact of a later version");
    }

    #[test]
    fn the_time_to_delivery_is_counted_for_deliveries_that_nobody_requested() {
        let delivered = CountedAttempt {
            at: Timestamp::from_millis(1_000_000),
            accepted_at: Timestamp::from_millis(999_000),
            duration: Duration::from_millis(25),
            trigger: Trigger::Scheduled,
            outcome: Outcome::ACCEPTED,
            is_last: false,
        };
        let elapsed = |attempt: CountedAttempt| match attempt.fact().kind {
            FactKind::Attempt { elapsed, .. } => elapsed,
            FactKind::Message { .. } | FactKind::Request(_) => None,
        };
        assert_eq!(elapsed(delivered), Some(Bucket::of(Duration::from_millis(1_025))));
        assert_eq!(elapsed(CountedAttempt { trigger: Trigger::Manual, ..delivered }), None);
        let failed = Outcome::Answered { status: 500, retry_after: None };
        assert_eq!(elapsed(CountedAttempt { outcome: failed, ..delivered }), None);
    }
}
