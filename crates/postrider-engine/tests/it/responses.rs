//! Responses that are odd, broken or late: a received status decides.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use postrider_core::outcome::{Failure, Outcome};
use postrider_engine::{Call, HttpSender, Report, Sender, SenderOptions};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    SECOND,
    calls::{OK, call, options},
    receiver::{Scripted, read_request},
};

/// What the receiver does after it has written its bytes.
#[derive(Clone, Copy, Debug)]
enum Then {
    /// Wait for the next request.
    Keep,
    Close,
    /// Close with a RST.
    Reset,
}
use Then::{Close, Keep, Reset};

/// The result of a response: status, body, whether the connection is reused, and a part of the
/// note.
type Expected = (u16, &'static str, bool, Option<&'static str>);

async fn answering(bytes: Bytes, then: Then) -> Scripted {
    Scripted::start(move |mut stream| {
        let bytes = bytes.clone();
        async move {
            while read_request(&mut stream).await.is_some() {
                drop(stream.write_all(&bytes).await);
                match then {
                    Keep => {},
                    Close => return,
                    Reset => return reset(stream),
                }
            }
        }
    })
    .await
}

/// Closes a connection with a RST.
fn reset(stream: TcpStream) {
    stream.set_zero_linger().unwrap();
    drop(stream);
}

fn patient() -> SenderOptions {
    SenderOptions { request_timeout: 20 * SECOND, ..options() }
}

fn note(report: &Report) -> Option<String> {
    report.response.clone().take_note()
}

async fn check(bytes: &[u8], then: Then, limit: Duration, (status, body, reused, why): Expected) {
    let shown = String::from_utf8_lossy(bytes.get(..90).unwrap_or(bytes)).into_owned();
    let receiver = answering(Bytes::copy_from_slice(bytes), then).await;
    let sender = HttpSender::new(SenderOptions { request_timeout: limit, ..options() });
    for _ in 0..2 {
        let report = sender.send(call(&receiver.url())).await;
        assert_eq!(report.outcome.status(), Some(status), "{shown:?} {report:?}");
        assert_eq!(report.response.body, body, "{shown:?}");
        assert_eq!(report.address, Some(receiver.address), "{shown:?}");
        let note = note(&report);
        assert_eq!(note.is_some(), why.is_some(), "{shown:?}: {note:?}");
        let note = note.unwrap_or_default();
        assert!(note.contains(why.unwrap_or_default()), "{shown:?}: {note}");
    }
    assert_eq!(receiver.connections(), if reused { 1 } else { 2 }, "{shown:?}");
}

/// Bytes, what follows them, and the result.
type Case = (&'static str, Then, Expected);

const ORDINARY: &[Case] = &[
    ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", Keep, (200, "ok", true, None)),
    ("HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nok", Keep, (200, "ok", true, None)),
    ("HTTP/1.1 204 No Content\r\n\r\n", Keep, (204, "", true, None)),
];

/// Odd headers are skipped or accepted, but the connection is not reused.
const ODD_HEADERS: &[Case] = &[
    ("HTTP/1.1 200 OK\r\nx: a\x01b\r\ncontent-length: 2\r\n\r\nok", Keep, (200, "ok", false, None)),
    (
        "HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 2\r\n\r\nok",
        Close,
        (200, "ok", false, Some("invalid")),
    ),
    (
        "HTTP/1.1 200 OK\r\nbad name: x\r\ncontent-length: 2\r\n\r\nok",
        Keep,
        (200, "ok", false, None),
    ),
    ("HTTP/1.1 200 OK\r\n: x\r\ncontent-length: 2\r\n\r\nok", Keep, (200, "ok", false, None)),
    ("HTTP/1.1 200 OK\r\nno colon\r\ncontent-length: 2\r\n\r\nok", Keep, (200, "ok", false, None)),
    ("HTTP/1.1 200 OK\r\ncontent-length : 2\r\n\r\nok", Keep, (200, "ok", false, None)),
    (
        "HTTP/1.1 200 OK\r\nx: a\r\n b\r\ncontent-length: 2\r\n\r\nok",
        Keep,
        (200, "ok", false, None),
    ),
    ("HTTP/1.1 200 OK\ncontent-length: 2\n\nok", Keep, (200, "ok", false, None)),
];

/// Where the response ends.
const ENDS: &[Case] = &[
    ("HTTP/1.0 200 OK\r\n\r\nok", Close, (200, "ok", false, None)),
    ("HTTP/1.1 200 OK\r\n\r\nok", Close, (200, "ok", false, None)),
    (
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        Keep,
        (200, "ok", false, None),
    ),
    (
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok",
        Keep,
        (200, "ok", false, None),
    ),
    (
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok",
        Keep,
        (200, "ok", false, Some("content-length")),
    ),
    (
        "HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\nok",
        Keep,
        (200, "ok", false, Some("content-length")),
    ),
    (
        "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\nok",
        Keep,
        (200, "ok", false, Some("transfer-encoding")),
    ),
    ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok, and more", Keep, (200, "ok", false, None)),
];

/// Interim responses come before the response.
const INTERIM: &[Case] = &[
    (
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
        Keep,
        (200, "ok", true, None),
    ),
    (
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\nx",
        Close,
        (202, "", false, Some("could not be read completely")),
    ),
];

/// Cut off.
const CUT_OFF: &[Case] = &[
    (
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nok",
        Close,
        (200, "ok", false, Some("incomplete")),
    ),
    (
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nok",
        Reset,
        (200, "ok", false, Some("incomplete")),
    ),
    (
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n",
        Close,
        (200, "ok", false, Some("incomplete")),
    ),
    (
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\nzz\r\n",
        Keep,
        (200, "ok", false, Some("incomplete")),
    ),
    ("HTTP/1.1 200 OK\r\nx: ", Close, (200, "", false, Some("could not be read completely"))),
    ("HTTP/1.1 200 OK\r\nx: ", Reset, (200, "", false, Some("could not be read completely"))),
    ("HTTP/1.1 204", Close, (204, "", false, Some("could not be read completely"))),
    (
        "HTTP/1.1 500 Oops\r\nx: \x01\r\ncontent-length: 9\r\n\r\noops",
        Close,
        (500, "oops", false, Some("incomplete")),
    ),
];

/// Not quite HTTP/1.1.
const NOT_QUITE_HTTP: &[Case] = &[
    ("HTTP/1.2 200 OK\r\n\r\nok", Close, (200, "ok", false, Some("version"))),
    (
        "HTTP/1.1  200 OK\r\ncontent-length: 2\r\n\r\nok",
        Close,
        (200, "ok", false, Some("could not be read completely")),
    ),
];

#[tokio::test]
async fn a_received_status_decides_whatever_follows() {
    for &(bytes, then, expected) in
        [ORDINARY, ODD_HEADERS, ENDS, INTERIM, CUT_OFF, NOT_QUITE_HTTP].into_iter().flatten()
    {
        check(bytes.as_bytes(), then, 20 * SECOND, expected).await;
    }
}

#[tokio::test]
async fn many_and_large_headers_are_accepted_within_a_limit() {
    for (count, length, reused, note) in [
        (400, 10, true, None),
        (1_000, 10, false, Some("could not be read completely")),
        (1, 60_000, true, None),
        (3, 60_000, false, Some("could not be read completely")),
    ] {
        let line = format!("x: {}\r\n", "y".repeat(length)).repeat(count);
        let bytes = format!("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n{line}\r\n");
        check(bytes.as_bytes(), Keep, 20 * SECOND, (200, "", reused, note)).await;
    }
}

#[tokio::test]
async fn a_received_status_decides_after_a_timeout() {
    for (bytes, body, part) in [
        ("HTTP/1.1 200 OK\r\nx: ", "", "could not be read completely: no complete response within"),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nok",
            "ok",
            "incomplete: no complete response within",
        ),
        ("HTTP/1.1 200 OK\r\n\r\nok", "ok", "incomplete: no complete response within"),
    ] {
        check(bytes.as_bytes(), Keep, SECOND / 4, (200, body, false, Some(part))).await;
    }
}

#[tokio::test]
async fn retry_after_is_read_from_a_response_that_is_otherwise_unreadable() {
    let bytes =
        "HTTP/1.1 429 Slow\r\nretry-after: 7\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n";
    let receiver = answering(Bytes::from(bytes), Keep).await;
    let report = HttpSender::new(patient()).send(call(&receiver.url())).await;
    let retry_after = Some(7 * SECOND);
    assert_eq!(report.outcome, Outcome::Answered { status: 429, retry_after });
    assert!(report.response.headers.contains(&("retry-after".to_owned(), "7".to_owned())));
}

#[tokio::test]
async fn without_a_status_the_reason_describes_what_was_received() {
    for (bytes, expected) in [
        ("", "the connection ended without a response"),
        ("HTTP/1.1 103 Early Hints\r\n\r\n", "the connection ended without a response"),
        (
            "SSH-2.0-OpenSSH_9.2\r\n",
            r#"the response is not HTTP; it begins with "SSH-2.0-OpenSSH_9.2\r\n""#,
        ),
        ("HTTP/1.1 2x0 OK\r\n\r\n", "the response is not HTTP"),
        (
            "\x15\x03\x01\0\x02\x02\x32",
            "the server speaks TLS on this port: change the URL to https",
        ),
    ] {
        for then in [Close, Reset] {
            let receiver = answering(Bytes::from(bytes), then).await;
            let report = HttpSender::new(patient()).send(call(&receiver.url())).await;
            assert_eq!(report.outcome, Outcome::Unanswered(Failure::Protocol), "{bytes:?}");
            let said = String::from_utf8_lossy(&report.response.body);
            assert!(said.starts_with(expected), "{bytes:?}: {said}");
        }
    }
}

/// A call that is larger than all socket buffers.
fn large(url: &str) -> Call {
    Call { body: Bytes::from(vec![b'x'; 16 << 20]), ..call(url) }
}

#[tokio::test]
async fn a_response_counts_even_if_the_request_was_not_sent_completely() {
    for (bytes, status) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", 200),
        ("HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok", 413),
        ("HTTP/1.1 429 Slow\r\n\r\nok", 429),
    ] {
        for then in [Keep, Close, Reset] {
            let receiver = Scripted::start(move |mut stream| async move {
                stream.read_exact(&mut [0; 100]).await.unwrap();
                stream.write_all(bytes.as_bytes()).await.unwrap();
                match then {
                    Keep => std::future::pending().await,
                    Close => drop(stream),
                    Reset => reset(stream),
                }
            })
            .await;
            // A body without a length ends with the connection.
            let limit = if status == 429 { SECOND } else { 20 * SECOND };
            let sender = HttpSender::new(SenderOptions { request_timeout: limit, ..options() });
            for connections in 1..=2 {
                let report = sender.send(large(&receiver.url())).await;
                assert_eq!(report.outcome.status(), Some(status), "{then:?}: {report:?}");
                assert_eq!(report.response.body, "ok", "{then:?}");
                assert_eq!(receiver.connections(), connections, "{bytes:?} {then:?}");
            }
        }
    }
}

/// Responds to each first request on a connection, and with `second` to each second one.
async fn changing(second: &'static str) -> (Scripted, Arc<AtomicUsize>) {
    let requests = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&requests);
    let receiver = Scripted::start(move |mut stream| {
        let count = Arc::clone(&count);
        async move {
            for bytes in [OK, second] {
                if read_request(&mut stream).await.is_none() {
                    return;
                }
                count.fetch_add(1, Ordering::Relaxed);
                stream.write_all(bytes.as_bytes()).await.unwrap();
            }
        }
    })
    .await;
    (receiver, requests)
}

#[tokio::test]
async fn a_used_connection_is_replaced_only_if_there_was_no_response() {
    for (second, delivered, requests) in [
        // Closed when the request arrives.
        ("", true, 3),
        // The server's idle timeout.
        ("HTTP/1.1 408 Request Timeout\r\nconnection: close\r\n\r\n", true, 3),
        // The request was read, so it is not sent again.
        ("garbage\r\n\r\n", false, 2),
        ("HTTP/1.1 103 Early Hints\r\n\r\n", false, 2),
        ("HTTP/1.1 500 Oops\r\n\r\n", false, 2),
        ("HTTP/1.1 200 OK\r\nx", true, 2),
    ] {
        let (receiver, count) = changing(second).await;
        let sender = HttpSender::new(patient());
        assert!(sender.send(call(&receiver.url())).await.outcome.delivered());
        let report = sender.send(call(&receiver.url())).await;
        assert_eq!(report.outcome.delivered(), delivered, "{second:?}: {report:?}");
        assert_eq!(count.load(Ordering::Relaxed), requests, "{second:?}");
    }
}
