//! Calls over real sockets: the outcome for every kind of receiver.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::HeaderValue;
use postrider::{
    ApplicationId, EndpointId, MessageId,
    provider::KeyRequest,
    signature::{Headers, Verifier},
};
use postrider_core::{
    address::Policy,
    catalog::Endpoint,
    message::{Format, Message},
    outcome::{Failure, Outcome},
    proxy::NoProxy,
    request::SignatureHeaders,
    target::Target,
    time::Timestamp,
    vault::Vault,
};
use postrider_engine::{
    Call, Dns, FetchError, HttpSender, Proxy, ProxyProtocol, Report, ResponseLimits, Sender,
    SenderOptions,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::TcpStream,
};

use crate::{
    SECOND,
    receiver::{Scripted, read_request},
    world,
};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-kept: yes\r\n\r\nok";

pub(crate) fn options() -> SenderOptions {
    SenderOptions {
        request_timeout: SECOND / 4,
        addresses: Policy { allow: vec!["127.0.0.0/8".parse().unwrap()], ..Policy::default() },
        dns: Dns::default(),
        proxy: None,
        no_proxy: NoProxy::default(),
        responses: ResponseLimits::default(),
        idle_connections: 10,
        idle_timeout: 60 * SECOND,
        trusted: Vec::new(),
    }
}

pub(crate) fn call(url: &str) -> Call {
    call_to(ApplicationId::from_u128(1), url, None)
}

/// A call to an endpoint with its own trusted certificates.
pub(crate) fn call_trusting(url: &str, trusted_certificates: Option<String>) -> Call {
    call_to(ApplicationId::from_u128(1), url, trusted_certificates)
}

/// A call of an application to a URL.
pub(crate) fn call_of(application: ApplicationId, url: &str) -> Call {
    call_to(application, url, None)
}

fn call_to(application: ApplicationId, url: &str, trusted_certificates: Option<String>) -> Call {
    let vault = Vault::new("main");
    let endpoint: Endpoint = Endpoint {
        url: url.to_owned(),
        trusted_certificates,
        ..world::endpoint(application, 0, None, &vault)
    };
    let agent = HeaderValue::from_static("Postrider/test");
    let target = Target::new(&endpoint, &vault, SignatureHeaders::Standard, &agent).unwrap();
    let body = Bytes::from_static(br#"{"n":1}"#);
    let message = Message {
        id: MessageId::from_u128(7),
        application,
        event_type: "user.created".parse().unwrap(),
        event_id: None,
        channels: Vec::new(),
        tags: Vec::new(),
        body: Some(body.clone()),
        format: Format::Json,
        deliver_at: None,
        body_until: Timestamp::MAX,
        trace: None,
    };
    let at = Timestamp::from_millis(1_700_000_000_000);
    Call {
        target: Arc::new(target),
        message: Arc::new(message),
        batch: Vec::new(),
        body,
        at,
        trace: None,
    }
}

async fn send(options: SenderOptions, url: &str) -> Report {
    HttpSender::new(options).send(call(url)).await
}

#[track_caller]
pub(crate) fn assert_failed(report: &Report, failure: Failure, reason: &str) {
    assert_eq!(report.outcome, Outcome::Unanswered(failure));
    let said = String::from_utf8_lossy(&report.response.body);
    assert!(said.contains(reason), "{said}");
}

#[tokio::test]
async fn a_delivery_is_signed_and_its_response_is_stored() {
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&requests);
    let receiver = Scripted::start(move |mut stream| {
        let seen = Arc::clone(&seen);
        async move {
            let request = read_request(&mut stream).await.unwrap();
            seen.lock().unwrap().push(request);
            stream.write_all(OK.as_bytes()).await.unwrap();
        }
    })
    .await;
    let report = send(options(), &receiver.url()).await;
    assert_eq!(report.outcome, Outcome::Answered { status: 200, retry_after: None });
    assert_eq!(report.response.body, "ok");
    assert!(report.response.headers.contains(&("x-kept".to_owned(), "yes".to_owned())));
    assert_eq!(report.address, Some(receiver.address));
    let request = requests.lock().unwrap().pop().unwrap();
    assert!(request.starts_with("POST /hook HTTP/1.1\r\n"), "{request}");
    let header =
        |name: &str| request.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
    let headers = Headers::find(header).unwrap();
    let verifier = Verifier::new([SECRET]).unwrap();
    let body = request.split("\r\n\r\n").nth(1).unwrap();
    verifier.verify(&headers, body.as_bytes(), 1_700_000_000, Duration::from_secs(300)).unwrap();
}

#[tokio::test]
async fn connections_are_reused() {
    let receiver = Scripted::answering(OK).await;
    let sender = HttpSender::new(options());
    for _ in 0..5 {
        assert!(sender.send(call(&receiver.url())).await.outcome.delivered());
    }
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn a_connection_that_was_closed_while_idle_is_replaced() {
    let receiver = Scripted::start(|mut stream| async move {
        read_request(&mut stream).await.unwrap();
        stream.write_all(OK.as_bytes()).await.unwrap();
    })
    .await;
    let sender = HttpSender::new(options());
    for _ in 0..5 {
        assert!(sender.send(call(&receiver.url())).await.outcome.delivered());
    }
    assert_eq!(receiver.connections(), 5);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let target = Scripted::answering(OK).await;
    let url: &'static str = target.url().leak();
    let receiver = Scripted::start(move |mut stream| async move {
        read_request(&mut stream).await.unwrap();
        let answer = format!("HTTP/1.1 302 Found\r\nlocation: {url}\r\ncontent-length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
    })
    .await;
    let report = send(options(), &receiver.url()).await;
    assert_eq!(report.outcome.status(), Some(302));
    assert_eq!(target.connections(), 0);
}

#[tokio::test]
async fn retry_after_is_read() {
    let answer = "HTTP/1.1 429 Too Many Requests\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n";
    let receiver = Scripted::answering(answer).await;
    let report = send(options(), &receiver.url()).await;
    let retry_after = Some(7 * SECOND);
    assert_eq!(report.outcome, Outcome::Answered { status: 429, retry_after });
}

#[tokio::test]
async fn an_endless_body_is_truncated_and_its_connection_closed() {
    let receiver = Scripted::start(|mut stream| async move {
        read_request(&mut stream).await.unwrap();
        drop(stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n").await);
        while stream.write_all(&[b'x'; 8_192]).await.is_ok() {}
    })
    .await;
    let sender = HttpSender::new(options());
    for _ in 0..2 {
        let report = sender.send(call(&receiver.url())).await;
        assert_eq!(report.outcome.status(), Some(200));
        assert_eq!(report.response.body.len(), 16 << 10);
    }
    assert_eq!(receiver.connections(), 2);
}

#[tokio::test]
async fn the_time_limit_covers_everything() {
    let silent = Scripted::start(|mut stream| async move {
        read_request(&mut stream).await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let dripping = Scripted::start(|mut stream| async move {
        read_request(&mut stream).await.unwrap();
        drop(stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n").await);
        let mut interval = tokio::time::interval(SECOND / 50);
        while stream.write_all(b"x").await.is_ok() {
            interval.tick().await;
        }
    })
    .await;
    let half_a_status = Scripted::answering("HTTP/1.1 20").await;
    for receiver in [silent, half_a_status] {
        let report = send(options(), &receiver.url()).await;
        assert_failed(&report, Failure::Timeout, "250 ms");
    }
    // What was received in time decides.
    let mut report = send(options(), &dripping.url()).await;
    assert_eq!(report.outcome.status(), Some(200));
    assert!(report.response.take_note().unwrap().contains("250 ms"));
}

#[tokio::test]
async fn every_failure_has_a_reason() {
    let garbage = Scripted::answering("SSH-2.0-OpenSSH_9.2\r\n").await;
    assert_failed(&send(options(), &garbage.url()).await, Failure::Protocol, "begins with \"SSH");
    let hanging_up = Scripted::start(|stream| async move { drop(stream) }).await;
    assert_failed(&send(options(), &hanging_up.url()).await, Failure::Protocol, "without");
    // The socket is bound, so that no other process can take the port, but does not listen.
    let deaf = tokio::net::TcpSocket::new_v4().unwrap();
    deaf.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let report = send(options(), &format!("http://{}/", deaf.local_addr().unwrap())).await;
    assert_failed(&report, Failure::Connect, "refused");
    let plain = Scripted::start(|mut stream| async move {
        stream.write_all(b"220 at your service\r\n").await.unwrap();
        read_request(&mut stream).await;
    })
    .await;
    let report = send(options(), &plain.url().replace("http:", "https:")).await;
    assert_failed(&report, Failure::Tls, "TLS");
    let report = send(options(), "http://does-not-exist.invalid/").await;
    assert_failed(&report, Failure::Resolve, "does-not-exist.invalid");
}

#[tokio::test]
async fn forbidden_addresses_are_not_connected_to() {
    let receiver = Scripted::answering(OK).await;
    let strict = SenderOptions { addresses: Policy::default(), ..options() };
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("http://{host}:{}/", receiver.address.port());
        let report = send(strict.clone(), &url).await;
        assert_failed(&report, Failure::Forbidden, "the address of the host is not allowed");
        let shown = format!("{:?} {:?}", report.response, report.address);
        assert!(!shown.contains("127.0.0.1"), "{host}: {shown}");
    }
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn networks_and_ports_that_are_not_allowed_are_not_connected_to() {
    let receiver = Scripted::answering(OK).await;
    let addresses = options().addresses;
    let denied = Policy { deny: vec!["127.0.0.1/32".parse().unwrap()], ..addresses.clone() };
    let elsewhere = Policy { ports: "80,443".parse().unwrap(), ..addresses };
    let port = format!("port {} is not allowed", receiver.address.port());
    for (addresses, reason) in [(denied, "the address of the host"), (elsewhere, &port)] {
        let report = send(SenderOptions { addresses, ..options() }, &receiver.url()).await;
        assert_failed(&report, Failure::Forbidden, reason);
        assert_eq!(report.address, None);
    }
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn a_proxy_gets_the_checked_address() {
    let receiver = Scripted::answering(OK).await;
    let target = receiver.address;
    let proxy = Scripted::start(move |mut stream| async move {
        let request = read_request(&mut stream).await.unwrap();
        assert!(request.starts_with(&format!("CONNECT {target} HTTP/1.1\r\n")), "{request}");
        assert!(
            request.to_ascii_lowercase().contains("proxy-authorization: basic ea=="),
            "{request}"
        );
        relay(stream, target, b"HTTP/1.1 200 OK\r\n\r\n").await;
    })
    .await;
    let authorization = Some(HeaderValue::from_static("basic eA=="));
    let always_connects = true;
    let through = proxy_at(proxy.address, ProxyProtocol::Http { authorization, always_connects });
    let proxied = SenderOptions { proxy: Some(through), ..options() };
    assert!(send(proxied.clone(), &receiver.url()).await.outcome.delivered());
    assert_eq!(proxy.connections(), 1);
    let direct =
        SenderOptions { no_proxy: NoProxy::parse(["127.0.0.1"]).unwrap(), ..proxied.clone() };
    assert!(send(direct, &receiver.url()).await.outcome.delivered());
    assert_eq!(proxy.connections(), 1, "a host of no_proxy is called directly");
    let strict = SenderOptions { addresses: Policy::default(), ..proxied };
    assert_failed(&send(strict, &receiver.url()).await, Failure::Forbidden, "");
    assert_eq!(proxy.connections(), 1, "a proxy does not get around the guard");
}

#[tokio::test]
async fn a_socks5_proxy_works_too() {
    let receiver = Scripted::answering(OK).await;
    let target = receiver.address;
    let proxy = Scripted::start(move |mut stream| async move {
        let mut greeting = [0; 3];
        stream.read_exact(&mut greeting).await.unwrap();
        stream.write_all(&[5, 0]).await.unwrap();
        let mut request = [0; 10];
        stream.read_exact(&mut request).await.unwrap();
        assert_eq!(request[..8], [5, 1, 0, 1, 127, 0, 0, 1]);
        relay(stream, target, &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await;
    })
    .await;
    let proxy_option = Some(proxy_at(proxy.address, ProxyProtocol::Socks5 { credentials: None }));
    let report = send(SenderOptions { proxy: proxy_option, ..options() }, &receiver.url()).await;
    assert!(report.outcome.delivered(), "{report:?}");
    assert_eq!(proxy.connections(), 1);
}

/// A proxy that gets addresses.
pub(crate) fn proxy_at(address: SocketAddr, protocol: ProxyProtocol) -> Proxy {
    Proxy { host: address.ip().to_string(), port: address.port(), protocol, resolves: false }
}

pub(crate) async fn relay(mut stream: TcpStream, target: SocketAddr, answer: &[u8]) {
    let mut upstream = TcpStream::connect(target).await.unwrap();
    stream.write_all(answer).await.unwrap();
    drop(copy_bidirectional(&mut stream, &mut upstream).await);
}

/// The target and the form of the request.
fn host(request: &http::Request<hyper::body::Incoming>) -> String {
    let named = request.headers().get("host").map(|it| it.to_str().unwrap().to_owned());
    let host = named.unwrap_or_else(|| request.uri().authority().unwrap().to_string());
    let key = request.headers().get("x-key").map_or("", |it| it.to_str().unwrap());
    format!("{} {host} {} {key}", request.method(), request.uri().query().unwrap_or_default())
}

/// A receiver that speaks TLS, and HTTP/2 if the client offers it.
async fn tls_receiver(versions: &[&str]) -> (Scripted, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let certificate = made.cert.der().clone();
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    config.alpn_protocols = versions.iter().map(|it| it.as_bytes().to_vec()).collect();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let receiver = Scripted::start(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service = hyper::service::service_fn(async |request: http::Request<_>| {
                let _: &http::Request<hyper::body::Incoming> = &request;
                let (status, body) = match request.uri().path() {
                    "/gone" => (404, String::new()),
                    "/moved" => (302, String::new()),
                    "/busy" => (503, String::new()),
                    "/large" => (200, "x".repeat(70_000)),
                    "/host" => (200, host(&request)),
                    _ => (200, format!("{:?}", request.version())),
                };
                let mut response =
                    http::Response::new(http_body_util::Full::new(Bytes::from(body)));
                *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
                Ok::<_, std::convert::Infallible>(response)
            });
            let executor = hyper_util::rt::TokioExecutor::new();
            let io = hyper_util::rt::TokioIo::new(stream);
            let builder = hyper_util::server::conn::auto::Builder::new(executor);
            drop(builder.serve_connection(io, service).await);
        }
    })
    .await;
    (receiver, certificate)
}

#[tokio::test]
async fn http_2_is_spoken_where_the_receiver_offers_it() {
    for (versions, expected) in [(&["h2", "http/1.1"][..], "HTTP/2.0"), (&["http/1.1"], "HTTP/1.1")]
    {
        let (receiver, certificate) = tls_receiver(versions).await;
        let url = format!("https://localhost:{}/hook", receiver.address.port());
        let trusting = SenderOptions {
            trusted: vec![certificate],
            request_timeout: 5 * SECOND,
            addresses: Policy {
                allow: vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()],
                https_only: true,
                ..Policy::default()
            },
            ..options()
        };
        let sender = HttpSender::new(trusting.clone());
        for _ in 0..3 {
            let report = sender.send(call(&url)).await;
            assert_eq!(report.response.body, expected, "{:?}", report.outcome);
        }
        assert_eq!(receiver.connections(), 1);
        let untrusting = SenderOptions { trusted: Vec::new(), ..trusting };
        assert_failed(&send(untrusting, &url).await, Failure::Tls, "certificate");
    }
}

/// The result of fetching this path from a receiver that the options allow.
async fn fetched(versions: &[&str], path: &str) -> Result<String, FetchError> {
    let (receiver, certificate) = tls_receiver(versions).await;
    let addresses = Policy {
        allow: vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()],
        ..Policy::default()
    };
    let options = SenderOptions { trusted: vec![certificate], addresses, ..options() };
    let request = KeyRequest {
        url: format!("https://localhost:{}{path}", receiver.address.port()),
        headers: vec![("x-key".to_owned(), "k".to_owned())],
        body: None,
    };
    let body = HttpSender::new(options).fetch(&request).await?;
    let port = format!(":{}", receiver.address.port());
    Ok(String::from_utf8(body.to_vec()).unwrap().replace(&port, ""))
}

#[tokio::test]
async fn keys_are_fetched_over_https_within_limits() {
    for versions in [&["h2"][..], &["http/1.1"]] {
        assert_eq!(fetched(versions, "/host?a=b#c").await.unwrap(), "GET localhost a=b k");
        for (path, is_refused) in
            [("/gone", true), ("/moved", true), ("/large", true), ("/busy", false)]
        {
            let error = fetched(versions, path).await.unwrap_err();
            assert_eq!(matches!(error, FetchError::Refused(_)), is_refused, "{path}: {error}");
        }
    }
}

#[tokio::test]
async fn keys_are_not_fetched_from_forbidden_addresses() {
    let guarded = SenderOptions { addresses: Policy::default(), ..options() };
    let sender = HttpSender::new(guarded);
    for (url, reason) in [
        ("https://127.0.0.1/key", "is not allowed"),
        ("https://[::1]/key", "is not allowed"),
        ("https://example.com:22/key", "port 22 is not allowed"),
        ("http://example.com/key", "not https"),
        ("https://me:pass@example.com/key", "password"),
        ("key", "does not parse"),
    ] {
        let request = KeyRequest { url: url.to_owned(), headers: Vec::new(), body: None };
        let error = sender.fetch(&request).await.unwrap_err();
        assert!(matches!(&error, FetchError::Refused(it) if it.contains(reason)), "{url}: {error}");
    }
}

#[tokio::test]
async fn endpoints_of_one_host_share_only_its_connections() {
    let id = EndpointId::from_u128(1);
    let receiver = Scripted::answering(OK).await;
    let sender = HttpSender::new(options());
    let other = format!("http://{}/other", receiver.address);
    assert!(sender.send(call(&receiver.url())).await.outcome.delivered(), "{id}");
    assert!(sender.send(call(&other)).await.outcome.delivered());
    assert_eq!(receiver.connections(), 1, "one host, one connection");
}
