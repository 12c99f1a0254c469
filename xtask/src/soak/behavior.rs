//! How the receivers respond: pure functions of the message, its earlier failures and the time.

use std::time::Duration;

use super::model::Role;

/// How long an endpoint with outages is away, how often, and after how many seconds first.
const OUTAGE: u64 = 40;
const OUTAGE_INTERVAL: u64 = 150;
const FIRST_OUTAGE: u64 = 30;

/// What a receiver does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Accept,
    Fail(u16),
    /// 429 with `Retry-After`, in seconds.
    Busy(u64),
    /// Closes the connection without a response.
    Hang,
}

/// When and how a receiver responds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) after: Duration,
    pub(crate) reply: Reply,
}

/// The response to a request whose first message has this number, and failed so often before, in
/// this second of the run.
pub(crate) fn respond(role: Role, number: u64, failures: u32, second: u64) -> Response {
    let draw = mixed(number);
    let now = |reply| Response { after: Duration::ZERO, reply };
    let fails_first = |one_of: u64, times: u32| draw.is_multiple_of(one_of) && failures < times;
    match role {
        Role::Slow => {
            let after = Duration::from_millis(100 + draw % 1_400);
            Response { after, reply: Reply::Accept }
        },
        Role::Flaky if failures < flaws(draw) => now(failure(draw >> 8)),
        Role::Outage if is_away(second) => now(Reply::Hang),
        Role::Ordered if fails_first(200, 2) => now(Reply::Fail(500)),
        Role::Batched if fails_first(100, 2) => now(Reply::Fail(503)),
        Role::Recovered if fails_first(20, 1) => now(Reply::Fail(500)),
        Role::Fast
        | Role::Filtered
        | Role::Nothing
        | Role::Flaky
        | Role::Outage
        | Role::Transformed
        | Role::Ordered
        | Role::Batched
        | Role::Recovered
        | Role::Limited
        | Role::Paused
        | Role::Dead
        | Role::Webhook => now(Reply::Accept),
    }
}

/// How often a message fails at a flaky endpoint: so rarely that the circuit breaker stays closed
/// most of the time.
const fn flaws(draw: u64) -> u32 {
    match draw % 16 {
        1 => 1,
        2 => 2,
        3 => 3,
        _ => 0,
    }
}

const fn is_away(second: u64) -> bool {
    second >= FIRST_OUTAGE && (second - FIRST_OUTAGE) % OUTAGE_INTERVAL < OUTAGE
}

fn failure(draw: u64) -> Reply {
    match draw % 5 {
        0 => Reply::Fail(500),
        1 => Reply::Fail(503),
        2 => Reply::Busy(1),
        3 => Reply::Hang,
        _ => Reply::Fail(404),
    }
}

/// A number that looks random and depends on this one alone.
pub(crate) fn mixed(number: u64) -> u64 {
    let x = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many requests for this message fail before one succeeds, outside of outages.
    fn failures(role: Role, number: u64) -> u32 {
        let accepts = |failures: &u32| respond(role, number, *failures, 0).reply == Reply::Accept;
        (0..10).find(accepts).expect("it succeeds in the end")
    }

    #[test]
    fn no_message_fails_more_often_than_its_retry_schedule_allows() {
        for role in Role::OF_APPLICATION {
            for number in 0..2_000 {
                assert!(failures(role, number) <= 3, "{role:?} {number}");
            }
        }
    }

    #[test]
    fn some_messages_fail_and_some_do_not() {
        for role in [Role::Flaky, Role::Ordered, Role::Batched, Role::Recovered] {
            let failing = (0..2_000).filter(|number| failures(role, *number) > 0).count();
            assert!((1..2_000).contains(&failing), "{role:?}: {failing}");
        }
    }

    #[test]
    fn an_outage_ends() {
        let replies: Vec<_> =
            (0..OUTAGE_INTERVAL).map(|at| respond(Role::Outage, 1, 0, at).reply).collect();
        assert_eq!(replies.iter().filter(|it| **it == Reply::Hang).count(), 40);
    }
}
