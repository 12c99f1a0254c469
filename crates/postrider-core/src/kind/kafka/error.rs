//! Error codes of Kafka's protocol, and what each means for what was requested.

use crate::outcome::Failure;

/// What follows from an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// It ends with this failure.
    Fail(Failure, &'static str),
    /// What is known of the topic is out of date: it is requested again, and tried once more. If
    /// that does not help, it ends with this failure.
    Refresh(Failure, &'static str),
    /// One of the records is at fault: each part of the batch is tried alone. A single record ends
    /// with this failure.
    Split(Failure, &'static str),
}

/// What follows from an error code.
pub const fn reaction(code: i16) -> Reaction {
    use Failure::{Busy, Misconfigured, Rejected, Timeout, Unavailable};
    use Reaction::{Fail, Refresh, Split};
    match code {
        3 => Refresh(
            Misconfigured,
            "the topic does not exist, or this client may not see it; create it, or correct `topic`",
        ),
        5 => Refresh(Unavailable, "the partition has no leader; the cluster may be electing one"),
        6 | 74 | 75 => Refresh(Unavailable, "the partition has moved to another broker"),
        8 | 9 | 13 => Refresh(Unavailable, "the broker is not available"),
        56 => {
            Refresh(Unavailable, "the broker has a problem with its storage, such as a full disk")
        },
        7 => Fail(
            Timeout,
            "the replicas did not confirm in time; the message may have been stored, and is sent \
             again",
        ),
        10 | 18 => Split(
            Rejected,
            "the message is larger than the topic accepts; raise `max.message.bytes` of the topic",
        ),
        2 | 32 | 87 => Split(Rejected, "the broker does not accept the record"),
        44 => Split(Rejected, "a policy of the cluster does not allow the record"),
        17 => Fail(Rejected, "the topic has an invalid name; correct `topic`"),
        19 => Fail(Busy, "too few replicas are in sync; nothing was stored"),
        20 => Fail(
            Busy,
            "too few replicas are in sync; the message may have been stored, and is sent again",
        ),
        89 => Fail(Busy, "a quota of the cluster is exceeded"),
        29 => Fail(
            Misconfigured,
            "this client may not use the topic; change the cluster's access list or `username`",
        ),
        31 => Fail(Misconfigured, "this client may not use the cluster; change its access list"),
        33 | 34 => {
            Fail(Misconfigured, "the broker does not support the SASL mechanism; set `mechanism`")
        },
        58 => {
            Fail(Misconfigured, "the broker rejected the credentials; correct them in the endpoint")
        },
        21 | 35 | 43 => Fail(Misconfigured, "the broker is too old; it must be 1.0 or newer"),
        76 => Fail(Misconfigured, "the broker does not support the compression; set it to `none`"),
        _ => Fail(Unavailable, "the broker reported an error"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_classified() {
        use Failure::{Busy, Misconfigured, Rejected, Timeout, Unavailable};
        let failure = |code| match reaction(code) {
            Reaction::Fail(failure, _) => ("fail", failure),
            Reaction::Refresh(failure, _) => ("refresh", failure),
            Reaction::Split(failure, _) => ("split", failure),
        };
        let cases = [
            (-1, ("fail", Unavailable)),
            (3, ("refresh", Misconfigured)),
            (5, ("refresh", Unavailable)),
            (6, ("refresh", Unavailable)),
            (7, ("fail", Timeout)),
            (10, ("split", Rejected)),
            (17, ("fail", Rejected)),
            (18, ("split", Rejected)),
            (19, ("fail", Busy)),
            (20, ("fail", Busy)),
            (29, ("fail", Misconfigured)),
            (56, ("refresh", Unavailable)),
            (58, ("fail", Misconfigured)),
            (87, ("split", Rejected)),
            (89, ("fail", Busy)),
            (999, ("fail", Unavailable)),
        ];
        for (code, expected) in cases {
            assert_eq!(failure(code), expected, "{code}");
        }
    }
}
