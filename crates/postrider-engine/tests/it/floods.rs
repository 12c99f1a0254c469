//! Receivers that never stop sending: each attempt ends after a limited number of bytes, and does not
//! block calls to other receivers.

use std::sync::Arc;

use futures_util::future::{join, join_all};
use postrider::provider::KeyRequest;
use postrider_core::outcome::{Failure, Outcome};
use postrider_engine::{FetchError, HttpSender, Report, Sender, SenderOptions};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::mpsc,
    time::timeout,
};

use crate::{
    SECOND,
    calls::{OK, call, options},
    receiver::{Scripted, read_request},
    tls::{params, secure, self_signed, trusting},
};

/// Most bytes that a receiver can send: the limit of a response, and what the system buffers on both
/// sides of a connection.
const SENT_MAX: usize = 16 << 20;

/// Concurrent attempts.
const ATTEMPTS: usize = 8;

/// What a receiver sends once, what it then repeats, and the outcome: a status if there is one, and a
/// part of the note or the reason.
struct Flood {
    name: &'static str,
    first: Vec<u8>,
    again: Vec<u8>,
    expected: (Option<u16>, &'static str),
}

fn flood(
    name: &'static str,
    first: impl Into<Vec<u8>>,
    again: impl Into<Vec<u8>>,
    expected: (Option<u16>, &'static str),
) -> Flood {
    Flood { name, first: first.into(), again: again.into(), expected }
}

/// Sends until the other side closes the connection; returns the number of bytes.
async fn send_forever(stream: &mut (impl AsyncWrite + Unpin), first: &[u8], again: &[u8]) -> usize {
    let mut sent = 0;
    let mut part = first;
    while stream.write_all(part).await.is_ok() && stream.flush().await.is_ok() {
        sent += part.len();
        if sent > SENT_MAX {
            break;
        }
        part = again;
    }
    sent
}

/// Many of the parts at once.
fn packed(part: &[u8]) -> Vec<u8> {
    part.repeat((16 << 10) / part.len())
}

fn said(report: &Report) -> String {
    let note = report.response.clone().take_note().unwrap_or_default();
    let body = String::from_utf8_lossy(&report.response.body);
    format!("{note} {}", body.get(..300).unwrap_or(&body))
}

/// Calls the receiver and a healthy one, and waits until the receiver has seen that its connection
/// was closed.
async fn check(flood: &Flood, sender: HttpSender, url: &str, mut sent: mpsc::Receiver<usize>) {
    let healthy = Scripted::answering(OK).await;
    let name = flood.name;
    let attempts = join_all((0..ATTEMPTS).map(|_| sender.send(call(url))));
    let neighbours = async {
        for _ in 0..20 {
            let report = sender.send(call(&healthy.url())).await;
            assert_eq!(report.outcome.status(), Some(200), "{name}: a neighbour got {report:?}");
        }
    };
    let (reports, ()) = join(attempts, neighbours).await;
    for report in &reports {
        let (status, part) = flood.expected;
        assert_eq!(report.outcome.status(), status, "{name}: {}", said(report));
        assert!(said(report).contains(part), "{name}: {}", said(report));
        if status.is_none() {
            assert_eq!(report.outcome, Outcome::Unanswered(Failure::Protocol), "{name}");
        }
    }
    let bytes = timeout(20 * SECOND, sent.recv()).await;
    let bytes = bytes.unwrap_or_else(|_| panic!("{name}: the connection stayed open")).unwrap();
    assert!(bytes <= SENT_MAX, "{name}: {bytes} bytes were read");
}

fn patient() -> SenderOptions {
    SenderOptions { request_timeout: 60 * SECOND, ..options() }
}

fn over_http_1() -> Vec<Flood> {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let with = |more: &str| format!("{chunked}{more}");
    let (unread, incomplete) = ("could not be read completely", "the response is incomplete");
    let interim = "informational (1xx) responses (limits.informational_responses)";
    vec![
        flood("100", "", packed(b"HTTP/1.1 100 Continue\r\n\r\n"), (None, interim)),
        flood("100 one by one", "", "HTTP/1.1 100 Continue\r\n\r\n", (None, interim)),
        flood("103", "", packed(b"HTTP/1.1 103 E\nlink: </a>\n\n"), (None, interim)),
        flood("blank lines", "", packed(b"\r\n"), (None, "")),
        flood("headers", "HTTP/1.1 200 OK\r\n", packed(b"x: y\r\n"), (Some(200), unread)),
        flood("a header", "HTTP/1.1 200 OK\r\nx: ", packed(b"y"), (Some(200), unread)),
        flood("a header's bytes", "HTTP/1.1 200 OK\r\nx: ", "y", (Some(200), unread)),
        flood("no HTTP", "SSH-2.0-x\r\n", packed(b"y"), (None, "the response is not HTTP")),
        flood("a body", "HTTP/1.1 200 OK\r\n\r\n", packed(b"y"), (Some(200), "yyy")),
        flood("a body's bytes", "HTTP/1.1 200 OK\r\n\r\n", "y", (Some(200), "yyy")),
        flood("chunks", chunked, packed(b"1\r\ny\r\n"), (Some(200), "yyy")),
        flood("a chunk's size", chunked, packed(b"0"), (Some(200), "limits.response_bytes")),
        flood("chunk extensions", with("1;"), packed(b"a=b;"), (Some(200), incomplete)),
        flood("extensions", chunked, packed(b"1;a=b\r\ny\r\n"), (Some(200), "y")),
        flood("trailers", with("0\r\n"), packed(b"x: y\r\n"), (Some(200), incomplete)),
        flood("a trailer", with("0\r\nx: "), packed(b"y"), (Some(200), incomplete)),
    ]
}

#[tokio::test]
async fn an_endless_response_over_http_1_ends_within_limits() {
    for flood in over_http_1() {
        let (sent_to, sent) = mpsc::channel(ATTEMPTS);
        let (first, again) = (flood.first.clone(), flood.again.clone());
        let receiver = Scripted::start(move |mut stream| {
            let (first, again, sent_to) = (first.clone(), again.clone(), sent_to.clone());
            async move {
                stream.set_nodelay(true).unwrap();
                read_request(&mut stream).await.unwrap();
                let sent = send_forever(&mut stream, &first, &again).await;
                sent_to.send(sent).await.ok();
            }
        })
        .await;
        check(&flood, HttpSender::new(patient()), &receiver.url(), sent).await;
    }
}

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
}

const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;

fn over_http_2() -> Vec<Flood> {
    let status_103 = frame(1, END_HEADERS, 1, b"\x08\x03103");
    let status_200 = frame(1, END_HEADERS, 1, &[0x88]);
    let whole_200 = frame(1, END_HEADERS | 1, 1, &[0x88]);
    let setting = [0, 4, 0, 0, 0xff, 0xff];
    let (ping, padding) = (frame(6, 0, 0, &[0; 8]), frame(0, PADDED, 1, &[0]));
    let (bytes, incomplete) = ("limits.response_bytes", "the response is incomplete");
    vec![
        flood("103", "", packed(&status_103), (None, bytes)),
        flood("PING", "", packed(&ping), (None, bytes)),
        flood("SETTINGS", "", packed(&frame(4, 0, 0, &[])), (None, bytes)),
        flood("a setting", "", packed(&frame(4, 0, 0, &setting)), (None, bytes)),
        flood("WINDOW_UPDATE", "", packed(&frame(8, 0, 0, &[0, 0, 0, 1])), (None, bytes)),
        flood("PRIORITY", "", packed(&frame(2, 0, 1, &[0; 5])), (None, bytes)),
        flood("unknown frames", "", packed(&frame(0xfa, 0, 0, &[])), (None, bytes)),
        flood("GOAWAY", "", packed(&frame(7, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 0])), (None, bytes)),
        flood("RST_STREAM", "", packed(&frame(3, 0, 1, &[0, 0, 0, 2])), (None, "")),
        flood("CONTINUATION", frame(1, 0, 1, &[0x88]), packed(&frame(9, 0, 1, &[])), (None, "")),
        flood(
            "empty DATA",
            status_200.clone(),
            packed(&frame(0, 0, 1, &[])),
            (Some(200), incomplete),
        ),
        flood("padding", status_200.clone(), packed(&padding), (Some(200), incomplete)),
        flood("PING in a body", status_200.clone(), packed(&ping), (Some(200), incomplete)),
        flood("DATA", status_200, packed(&frame(0, 0, 1, b"yyy")), (Some(200), "yyy")),
        flood("PING after a response", whole_200, packed(&ping), (Some(200), "")),
    ]
}

#[tokio::test]
async fn an_endless_response_over_http_2_ends_within_limits() {
    let identity = self_signed(&params("localhost"));
    let mut config = identity.server(None);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    for flood in over_http_2() {
        let (sent_to, sent) = mpsc::channel(ATTEMPTS);
        let (first, again) = (flood.first.clone(), flood.again.clone());
        let acceptor = acceptor.clone();
        let receiver = Scripted::start(move |stream| {
            let (first, again, sent_to) = (first.clone(), again.clone(), sent_to.clone());
            let acceptor = acceptor.clone();
            async move {
                let (mut read, mut write) =
                    tokio::io::split(acceptor.accept(stream).await.unwrap());
                write.write_all(&frame(4, 0, 0, &[])).await.unwrap();
                until_request(&mut read).await;
                let flooding = send_forever(&mut write, &first, &again);
                let (sent, _) =
                    join(flooding, tokio::io::copy(&mut read, &mut tokio::io::sink())).await;
                sent_to.send(sent).await.ok();
            }
        })
        .await;
        let options =
            SenderOptions { request_timeout: 60 * SECOND, ..trusting(vec![identity.der()]) };
        check(&flood, HttpSender::new(options), &secure(&receiver), sent).await;
    }
}

/// Reads until the request is complete: it ends with its body.
async fn until_request(stream: &mut (impl AsyncRead + Unpin)) {
    let (mut received, mut part) = (Vec::new(), [0; 4_096]);
    while !received.windows(7).any(|it| it == br#"{"n":1}"#) {
        let count = stream.read(&mut part).await.unwrap();
        assert!(count > 0, "the connection was closed before the request came");
        received.extend_from_slice(&part[..count]);
    }
}

#[tokio::test]
async fn a_key_is_not_fetched_from_a_server_that_never_stops_sending() {
    let identity = self_signed(&params("localhost"));
    for (protocol, first, again, reason) in [
        ("http/1.1", Vec::new(), packed(b"HTTP/1.1 100 Continue\r\n\r\n"), "informational"),
        ("h2", frame(4, 0, 0, &[]), packed(&frame(6, 0, 0, &[0; 8])), "limits.response_bytes"),
    ] {
        let mut config = identity.server(None);
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let receiver = Scripted::start(move |stream| {
            let (first, again, acceptor) = (first.clone(), again.clone(), acceptor.clone());
            async move {
                let mut stream = acceptor.accept(stream).await.unwrap();
                let _read = stream.read(&mut [0; 4_096]).await.unwrap();
                send_forever(&mut stream, &first, &again).await;
            }
        })
        .await;
        let sender = HttpSender::new(trusting(vec![identity.der()]));
        let request = KeyRequest { url: secure(&receiver), headers: Vec::new(), body: None };
        let error = sender.fetch(&request).await.unwrap_err();
        assert!(matches!(error, FetchError::Unreachable(_)), "{protocol}: {error}");
        assert!(error.to_string().contains(reason), "{protocol}: {error}");
    }
}
