//! What the errors of a RabbitMQ server mean, and what to do about them.

use lapin::{Error, ErrorKind};
use postrider_core::outcome::Failure;

use crate::failed::Failed;

pub(super) fn lost() -> Failed {
    Failed::unavailable(
        "the connection to the RabbitMQ server was lost before it confirmed; the message may have \
         been stored",
    )
}

pub(super) fn blocked() -> Failed {
    Failed::new(
        Failure::Busy,
        "the RabbitMQ server accepts no messages, because it lacks memory or disk space; free \
         some, or raise its limits",
    )
}

pub(super) fn not_taken() -> Failed {
    Failed::new(
        Failure::Busy,
        "the RabbitMQ server did not take the message; a queue may have reached its length limit",
    )
}

pub(super) fn unroutable(exchange: &str, key: &str) -> Failed {
    let name = if exchange.is_empty() { "the default exchange" } else { exchange };
    Failed::misconfigured(format!(
        "no queue receives messages of {name} with the routing key `{key}`; create a queue and \
         bind it, correct `routingKey`, or set `mandatory` to false to drop such messages"
    ))
}

/// The cause of the errors of a channel or a connection: what the server said, if it did.
pub(super) fn first_cause<'a>(errors: impl Iterator<Item = &'a Error>) -> Option<Failed> {
    let mut first = None;
    for found in errors {
        if matches!(found.kind(), ErrorKind::ProtocolError(_)) {
            return Some(error(found));
        }
        first = first.or(Some(found));
    }
    first.map(error)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the library adds errors")]
pub(super) fn error(error: &Error) -> Failed {
    match error.kind() {
        ErrorKind::ProtocolError(error) => by_code(error.get_id()),
        ErrorKind::ChannelsLimitReached => by_code(RESOURCE_ERROR),
        _ => lost(),
    }
}

/// Why there is no connection. The server closes it at once if it does not like the first bytes.
#[expect(clippy::wildcard_enum_match_arm, reason = "the library adds errors")]
pub(super) fn connect_error(error: &Error) -> Failed {
    match error.kind() {
        ErrorKind::ProtocolError(error) if error.get_id() == ACCESS_REFUSED => {
            Failed::misconfigured(
                "the RabbitMQ server refused the user or the password; correct `url`",
            )
        },
        ErrorKind::ProtocolError(error) => by_code(error.get_id()),
        ErrorKind::InvalidProtocolVersion(_) | ErrorKind::ParsingError(_) => Failed::new(
            Failure::Protocol,
            "the server does not speak AMQP 0-9-1; check the host and the port",
        ),
        _ => Failed::new(
            Failure::Connect,
            "the server closed the connection; check the host, the port and the server's log",
        ),
    }
}

/// What an error for which the broker closes the channel can be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blame {
    /// One message of those that were sent.
    Message,
    /// One message, because of its routing key, or all, because of the user's permissions.
    MessageOrUser,
}

/// Whether one message may be at fault for the failure of others on the same channel.
pub(super) fn blame(failed: &Failed) -> Option<Blame> {
    if failed.failure == Failure::Rejected {
        return Some(Blame::Message);
    }
    (*failed == by_code(ACCESS_REFUSED)).then_some(Blame::MessageOrUser)
}

const ACCESS_REFUSED: u16 = 403;
const RESOURCE_ERROR: u16 = 506;

/// The table of AMQP's reply codes. The server's texts are not repeated, because they can contain
/// what was sent.
fn by_code(code: u16) -> Failed {
    let (failure, reason) = match code {
        311 | 406 => (
            Failure::Rejected,
            "the RabbitMQ server does not accept the message; it may exceed max_message_size",
        ),
        312 | 313 => (Failure::Misconfigured, "no queue receives the message; bind one"),
        320 => (Failure::Unavailable, "the RabbitMQ server is shutting down"),
        ACCESS_REFUSED => (
            Failure::Misconfigured,
            "the user has no permission for the exchange, the queue or the routing key; grant it",
        ),
        402 | 530 => (
            Failure::Misconfigured,
            "the virtual host does not exist, or the user may not use it; correct the path of \
             `url`, or grant access",
        ),
        404 => (
            Failure::Misconfigured,
            "the exchange or the queue does not exist; create it, or correct the configuration",
        ),
        405 => (
            Failure::Misconfigured,
            "the queue belongs to another connection alone; use one that is not exclusive",
        ),
        RESOURCE_ERROR => (
            Failure::Busy,
            "the RabbitMQ server has no resources left; raise its limits for connections and \
             channels",
        ),
        540 => (Failure::Misconfigured, "the RabbitMQ server does not support the operation"),
        541 => (Failure::Unavailable, "the RabbitMQ server had an internal error"),
        _ => (Failure::Protocol, "the RabbitMQ server closed the connection with an error"),
    };
    Failed::new(failure, format!("{reason} ({code})"))
}

#[cfg(test)]
mod tests {
    use lapin::protocol::{AMQPError, AMQPErrorKind};

    use super::*;

    #[test]
    fn codes_of_the_server_are_told_apart() {
        let cases = [
            (311, Failure::Rejected),
            (320, Failure::Unavailable),
            (403, Failure::Misconfigured),
            (404, Failure::Misconfigured),
            (405, Failure::Misconfigured),
            (406, Failure::Rejected),
            (501, Failure::Protocol),
            (506, Failure::Busy),
            (530, Failure::Misconfigured),
            (541, Failure::Unavailable),
        ];
        for (code, failure) in cases {
            assert_eq!(by_code(code).failure, failure, "{code}");
        }
    }

    #[test]
    fn a_message_can_be_at_fault_for_the_failure_of_others() {
        assert_eq!(blame(&by_code(406)), Some(Blame::Message));
        assert_eq!(blame(&by_code(403)), Some(Blame::MessageOrUser));
        for code in [404, 320, 530] {
            assert_eq!(blame(&by_code(code)), None, "{code}");
        }
    }

    #[test]
    fn what_the_server_said_explains_the_other_errors() {
        let kind = AMQPErrorKind::from_id(404).unwrap();
        let said = Error::from(ErrorKind::ProtocolError(AMQPError::new(kind, "text".into())));
        let other = Error::from(ErrorKind::MissingHeartbeatError);
        let cause = first_cause([&other, &said, &other].into_iter()).unwrap();
        assert_eq!(cause, by_code(404));
        assert_eq!(first_cause([&other].into_iter()).unwrap(), lost());
        assert_eq!(first_cause(std::iter::empty()), None);
    }
}
