//! What the errors of a NATS server mean, and what to do about them.

use std::{error::Error as StdError, io};

use async_nats::{
    ConnectError, ConnectErrorKind, jetstream,
    jetstream::{
        ErrorCode,
        context::{GetStreamByNameError, GetStreamByNameErrorKind, PublishError, PublishErrorKind},
    },
};
use postrider_core::outcome::Failure;

use crate::failed::Failed;

pub(super) fn lost() -> Failed {
    Failed::unavailable(
        "the connection to the NATS server was lost before it confirmed; the message may have \
         been stored",
    )
}

pub(super) fn may_not_publish(subject: &str) -> Failed {
    Failed::misconfigured(format!(
        "the user may not publish to the subject {subject}; allow it on the NATS server"
    ))
}

/// The subject of an error about the permission to publish.
pub(super) fn refused_subject(text: &str) -> Option<&str> {
    let text = text.trim_matches('\'');
    let (_, subject) = text.split_once("Publish to \"")?;
    subject.split('"').next().filter(|_| text.starts_with("Permissions Violation"))
}

/// What ends a connection, from the server's words.
pub(super) fn server_error(text: &str) -> Failed {
    let text = text.trim_matches('\'').to_lowercase();
    let (failure, reason) = if text.contains("for subscription") {
        let reason = "the user may not subscribe to _INBOX.>, where confirmations arrive; allow \
                      it on the NATS server";
        (Failure::Misconfigured, reason)
    } else if text.contains("authorization") || text.contains("authentication") {
        let reason = "the NATS server refused the credentials, or they expired; check the user, \
                      the password, the token or the key";
        (Failure::Misconfigured, reason)
    } else if text.contains("maximum connections") || text.contains("maximum account") {
        let reason = "the NATS server has too many connections; raise its limit or close others";
        (Failure::Busy, reason)
    } else if text.contains("maximum payload") {
        (Failure::Rejected, "the message is larger than the NATS server's max_payload")
    } else {
        (Failure::Unavailable, "the NATS server closed the connection with an error")
    };
    Failed::new(failure, reason)
}

/// Why there is no connection.
pub(super) fn connect_error(error: &ConnectError) -> Failed {
    if let Some(cause) = tls_cause(error) {
        return Failed::new(Failure::Tls, format!("TLS could not be agreed on: {cause}"));
    }
    match error.kind() {
        ConnectErrorKind::AuthorizationViolation => server_error("authorization violation"),
        ConnectErrorKind::Authentication => {
            Failed::misconfigured("the key cannot sign; check `nkey` or `credentials`")
        },
        ConnectErrorKind::Tls => Failed::new(Failure::Tls, "TLS could not be agreed on"),
        ConnectErrorKind::TimedOut => {
            Failed::new(Failure::Connect, "the NATS server did not respond in time")
        },
        ConnectErrorKind::Io
        | ConnectErrorKind::Dns
        | ConnectErrorKind::ServerParse
        | ConnectErrorKind::MaxReconnects => Failed::new(
            Failure::Connect,
            format!("no connection to the NATS server{}", io_cause(error)),
        ),
    }
}

/// The operating system's words, which contain no credentials.
fn io_cause(error: &ConnectError) -> String {
    let cause = causes(error).find_map(|it| it.downcast_ref::<io::Error>());
    cause
        .and_then(io::Error::raw_os_error)
        .map_or_else(String::new, |code| format!(": {}", io::Error::from_raw_os_error(code)))
}

fn tls_cause(error: &ConnectError) -> Option<String> {
    let wrapped =
        |it: &io::Error| it.get_ref()?.downcast_ref::<rustls::Error>().map(ToString::to_string);
    causes(error).find_map(|it| it.downcast_ref::<io::Error>().and_then(wrapped))
}

fn causes<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}

/// Why a message was not confirmed.
pub(super) fn publish_error(error: &PublishError, subject: &str) -> Failed {
    match error.kind() {
        PublishErrorKind::StreamNotFound => no_stream(subject),
        PublishErrorKind::TimedOut => {
            Failed::new(Failure::Timeout, "the NATS server did not confirm in time")
        },
        PublishErrorKind::BrokenPipe => lost(),
        PublishErrorKind::MaxAckPending => {
            Failed::new(Failure::Busy, "too many messages wait for the NATS server's confirmation")
        },
        PublishErrorKind::MaxPayloadExceeded => {
            Failed::rejected("the message is larger than the NATS server's max_payload")
        },
        PublishErrorKind::WrongLastMessageId | PublishErrorKind::WrongLastSequence => {
            Failed::misconfigured("a header demands a last message that is not the last; remove it")
        },
        PublishErrorKind::Other => match api_error(error) {
            Some(error) => by_code(error.error_code(), error.code()),
            None => lost(),
        },
    }
}

fn api_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a jetstream::Error> {
    causes(error).find_map(|it| it.downcast_ref())
}

fn no_stream(subject: &str) -> Failed {
    Failed::misconfigured(format!(
        "no stream of JetStream stores the subject {subject}; create a stream with this subject, \
         or correct `subject`"
    ))
}

/// Why the stream of a subject is not known.
pub(super) fn lookup_error(error: &GetStreamByNameError, subject: &str) -> Failed {
    match error.kind() {
        GetStreamByNameErrorKind::JetStream(error) => by_code(error.error_code(), error.code()),
        GetStreamByNameErrorKind::Request if causes(error).any(is_timeout) => {
            Failed::unavailable("the NATS server did not respond to a request of JetStream")
        },
        GetStreamByNameErrorKind::Request
        | GetStreamByNameErrorKind::NotFound
        | GetStreamByNameErrorKind::InvalidSubject => no_stream(subject),
    }
}

fn is_timeout(error: &(dyn StdError + 'static)) -> bool {
    let request = error.downcast_ref::<jetstream::context::RequestError>();
    request.is_some_and(|it| it.kind() == jetstream::context::RequestErrorKind::TimedOut)
}

/// Why a stream or a consumer cannot be used. `error` is what JetStream responded, if it did.
pub(super) fn queue_error(error: Option<&jetstream::Error>, stream: &str) -> Failed {
    match error {
        Some(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND => Failed::misconfigured(
            format!("there is no stream {stream}; create it, or correct `stream`"),
        ),
        Some(error) => by_code(error.error_code(), error.code()),
        None => Failed::unavailable(
            "the NATS server did not respond to a request of JetStream; is JetStream enabled for \
             the user's account?",
        ),
    }
}

/// The table of JetStream's errors: the error's code, and the status that comes with it.
fn by_code(code: ErrorCode, status: usize) -> Failed {
    let (failure, reason) = match code {
        ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM | ErrorCode::STREAM_HEADER_EXCEEDS_MAXIMUM => {
            (Failure::Rejected, "the message is larger than the stream accepts")
        },
        ErrorCode::JETSTREAM_NOT_ENABLED | ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT => {
            (Failure::Misconfigured, "JetStream is not enabled for the user's account; enable it")
        },
        ErrorCode::STREAM_SEALED => {
            (Failure::Misconfigured, "the stream is sealed; create one that accepts messages")
        },
        ErrorCode::ACCOUNT_RESOURCES_EXCEEDED
        | ErrorCode::STORAGE_RESOURCES_EXCEEDED
        | ErrorCode::MEMORY_RESOURCES_EXCEEDED
        | ErrorCode::INSUFFICIENT_RESOURCES
        | ErrorCode::NO_LIMITS
        | ErrorCode::STREAM_MAX_STREAM_BYTES_EXCEEDED
        | ErrorCode::STREAM_STORE_FAILED
        | ErrorCode::TEMP_STORAGE_FAILED => (
            Failure::Busy,
            "the stream is full, or the NATS server lacks memory or storage; make room",
        ),
        ErrorCode::STREAM_TOO_MANY_REQUESTS => {
            (Failure::Busy, "the NATS server has too many requests")
        },
        ErrorCode::STREAM_DUPLICATE_MESSAGE_CONFLICT => {
            (Failure::Unavailable, "the same message is being stored at this moment")
        },
        ErrorCode::STREAM_NOT_FOUND => {
            (Failure::Misconfigured, "no stream of JetStream stores the subject; create a stream")
        },
        _ if status >= 500 => (Failure::Unavailable, "JetStream is not available at the moment"),
        _ => {
            let reason = "JetStream refused the request; check the stream's settings and the \
                          endpoint's headers";
            (Failure::Misconfigured, reason)
        },
    };
    Failed::new(failure, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_server_are_told_apart() {
        let cases = [
            ("'Authorization Violation'", Failure::Misconfigured),
            ("user authentication expired", Failure::Misconfigured),
            ("Permissions Violation for Subscription to \"_INBOX.x.*\"", Failure::Misconfigured),
            ("maximum connections exceeded", Failure::Busy),
            ("Maximum Payload Violation", Failure::Rejected),
            ("Stale Connection", Failure::Unavailable),
        ];
        for (text, failure) in cases {
            assert_eq!(server_error(text).failure, failure, "{text}");
        }
    }

    #[test]
    fn a_violation_names_the_subject() {
        let text = "Permissions Violation for Publish to \"a.b\"";
        assert_eq!(refused_subject(text), Some("a.b"));
        assert_eq!(refused_subject("Stale Connection"), None);
    }

    #[test]
    fn codes_of_jetstream_are_told_apart() {
        let cases = [
            (ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM, 400, Failure::Rejected),
            (ErrorCode::JETSTREAM_NOT_ENABLED, 503, Failure::Misconfigured),
            (ErrorCode::STORAGE_RESOURCES_EXCEEDED, 500, Failure::Busy),
            (ErrorCode::STREAM_STORE_FAILED, 503, Failure::Busy),
            (ErrorCode::CLUSTER_NOT_AVAILABLE, 503, Failure::Unavailable),
            (ErrorCode::STREAM_SEALED, 400, Failure::Misconfigured),
            (ErrorCode::BAD_REQUEST, 400, Failure::Misconfigured),
        ];
        for (code, status, failure) in cases {
            assert_eq!(by_code(code, status).failure, failure, "{code:?}");
        }
    }
}
