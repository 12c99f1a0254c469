//! What proxies receive, byte for byte, and the outcome if they refuse.

use std::sync::{Arc, Mutex};

use http::HeaderValue;
use postrider::ApplicationId;
use postrider_core::{
    address::Policy,
    outcome::{Failure, Outcome},
};
use postrider_engine::{Dns, HttpSender, Proxy, ProxyProtocol, Report, Sender, SenderOptions};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::{
    SECOND,
    calls::{OK, assert_failed, call_of, options, proxy_at, relay},
    name_server::{NameServer, Reply},
    receiver::{Scripted, read_request},
};

const SECRET: &str = "Basic c2VjcmV0OnNlY3JldA==";

fn http(always_connects: bool) -> ProxyProtocol {
    let authorization = Some(HeaderValue::from_static(SECRET));
    ProxyProtocol::Http { authorization, always_connects }
}

async fn send(proxy: Proxy, dns: Dns, url: &str) -> Report {
    let options =
        SenderOptions { proxy: Some(proxy), dns, request_timeout: 20 * SECOND, ..options() };
    HttpSender::new(options).send(call_of(ApplicationId::from_u128(1), url)).await
}

/// A server that records the first request of each connection, and sends this response to all.
async fn keeping(answer: &'static str) -> (Scripted, Arc<Mutex<Vec<String>>>) {
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&requests);
    let server = Scripted::start(move |mut stream| {
        let seen = Arc::clone(&seen);
        async move {
            let Some(request) = read_request(&mut stream).await else { return };
            seen.lock().unwrap().push(request);
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    })
    .await;
    (server, requests)
}

/// A name server that knows every name, and settings that use it.
async fn names() -> (NameServer, Dns) {
    let server = NameServer::start(|_, _| Reply::here()).await;
    let dns = Dns { servers: vec![server.address], ..Dns::default() };
    (server, dns)
}

#[tokio::test]
async fn a_proxy_that_resolves_names_forwards_plain_http_by_name() {
    let (proxy, requests) = keeping(OK).await;
    let (server, dns) = names().await;
    let through = Proxy { resolves: true, ..proxy_at(proxy.address, http(false)) };
    let report = send(through, dns, "http://hooks.example.test:8080/a?b=c").await;
    assert_eq!(report.outcome, Outcome::Answered { status: 200, retry_after: None });
    assert_eq!(report.address, Some(proxy.address));
    let request = requests.lock().unwrap().pop().unwrap();
    assert!(
        request.starts_with("POST http://hooks.example.test:8080/a?b=c HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(request.contains("\r\nhost: hooks.example.test:8080\r\n"), "{request}");
    assert!(request.contains(&format!("\r\nproxy-authorization: {SECRET}\r\n")), "{request}");
    assert!(server.asked().is_empty(), "names are the proxy's business");
}

#[tokio::test]
async fn a_proxy_that_does_not_resolve_names_gets_checked_addresses() {
    let (receiver, requests) = keeping(OK).await;
    let (target, asked) = (receiver.address, Arc::new(Mutex::new(Vec::new())));
    let seen = Arc::clone(&asked);
    let proxy = Scripted::start(move |mut stream| {
        let seen = Arc::clone(&seen);
        async move {
            let request = read_request(&mut stream).await.unwrap();
            seen.lock().unwrap().push(request);
            relay(stream, target, b"HTTP/1.0 200 Connection established\r\n\r\n").await;
        }
    })
    .await;
    let (_server, dns) = names().await;
    let url = format!("http://hooks.example.test:{}/", target.port());
    let report = send(proxy_at(proxy.address, http(false)), dns.clone(), &url).await;
    assert!(report.outcome.delivered(), "{report:?}");
    assert_eq!(report.address, Some(target));
    let expected = format!(
        "CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nProxy-Authorization: {SECRET}\r\n\r\n"
    );
    assert_eq!(*asked.lock().unwrap(), [expected]);
    let request = requests.lock().unwrap().pop().unwrap();
    assert!(request.starts_with("POST / HTTP/1.1\r\n"), "{request}");
    assert!(!request.to_ascii_lowercase().contains("proxy-"), "{request}");
    // A URL that contains the address can be forwarded; a setting prefers the tunnel.
    let url = format!("http://{target}/hook");
    let (forwarder, requests) = keeping(OK).await;
    let report = send(proxy_at(forwarder.address, http(false)), dns.clone(), &url).await;
    assert!(report.outcome.delivered(), "{report:?}");
    let request = requests.lock().unwrap().pop().unwrap();
    assert!(request.starts_with(&format!("POST {url} HTTP/1.1\r\n")), "{request}");
    let report = send(proxy_at(proxy.address, http(true)), dns, &url).await;
    assert!(report.outcome.delivered(), "{report:?}");
    assert_eq!(proxy.connections(), 2);
}

#[tokio::test]
async fn addresses_in_urls_are_checked_even_if_the_proxy_resolves_names() {
    let (proxy, _) = keeping(OK).await;
    for url in [
        "http://127.0.0.1/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "http://10.0.0.1/",
        "https://example.com:22/",
    ] {
        let through = Proxy { resolves: true, ..proxy_at(proxy.address, http(false)) };
        let strict =
            SenderOptions { proxy: Some(through), addresses: Policy::default(), ..options() };
        let call = call_of(ApplicationId::from_u128(1), url);
        let report = HttpSender::new(strict).send(call).await;
        assert_failed(&report, Failure::Forbidden, "is not allowed");
    }
    assert_eq!(proxy.connections(), 0);
}

#[tokio::test]
async fn refusals_name_the_proxy_without_its_credentials() {
    const NAME: &str = "https://hooks.example.test/";
    let (_server, dns) = names().await;
    let refused = |protocol: ProxyProtocol, answer: &'static str, url: &'static str| {
        let dns = dns.clone();
        async move {
            let (proxy, _) = keeping(answer).await;
            let through = Proxy { resolves: true, ..proxy_at(proxy.address, protocol) };
            let report = send(through, dns, url).await;
            (report, format!("proxy http://{} ", proxy.address))
        }
    };
    let unnamed = ProxyProtocol::Http { authorization: None, always_connects: false };
    for (protocol, answer, url, reason) in [
        (
            http(false),
            "HTTP/1.1 407 No\r\n\r\n",
            NAME,
            "does not accept the user name and password",
        ),
        (unnamed, "HTTP/1.1 407 No\r\n\r\n", NAME, "requires a user name and password"),
        (
            http(false),
            "HTTP/1.1 407 No\r\ncontent-length: 0\r\n\r\n",
            "http://hooks.example.test/",
            "does not accept the user name and password",
        ),
        (
            http(false),
            "HTTP/1.0 403 Forbidden by policy\r\nx: y\r\n\r\nbody",
            NAME,
            "refused to connect to hooks.example.test:443: 403 Forbidden by policy",
        ),
        (http(false), "SSH-2.0-OpenSSH_9.2\r\n", NAME, "does not respond as an HTTP proxy does"),
        (http(false), "HTTP/1.1 200", NAME, "closed the connection without a response"),
    ] {
        let (report, name) = refused(protocol, answer, url).await;
        assert_failed(&report, Failure::Connect, &format!("{name}{reason}"));
        let said = String::from_utf8_lossy(&report.response.body).into_owned();
        assert!(!said.contains("c2Vj") && !said.contains("secret"), "{said}");
    }
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let report = send(proxy_at(closed, http(true)), dns.clone(), "http://127.0.0.1/").await;
    let reason = format!("proxy http://{closed} cannot be reached: Connection refused");
    assert_failed(&report, Failure::Connect, &reason);
    let unknown = Proxy { host: "proxy.invalid".to_owned(), ..proxy_at(closed, http(true)) };
    let report = send(unknown, dns, "http://127.0.0.1/").await;
    let reason = "cannot be reached: host name proxy.invalid does not exist";
    assert_failed(&report, Failure::Connect, reason);
}

/// A SOCKS5 proxy that requires a user name and password, and replies to the request with this code.
async fn socks5(code: u8) -> (Scripted, Arc<Mutex<Vec<Vec<u8>>>>) {
    let said = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&said);
    let proxy = Scripted::start(move |mut stream| {
        let seen = Arc::clone(&seen);
        async move {
            for answer in [&[5, 2][..], &[1, 0], &[5, code, 0, 1, 0, 0, 0, 0, 0, 0]] {
                let mut bytes = vec![0; 300];
                let length = stream.read(&mut bytes).await.unwrap();
                seen.lock().unwrap().push(bytes[..length].to_vec());
                stream.write_all(answer).await.unwrap();
            }
            if code == 0 {
                read_request(&mut stream).await;
                stream.write_all(OK.as_bytes()).await.unwrap();
            }
        }
    })
    .await;
    (proxy, said)
}

#[tokio::test]
async fn a_socks5_proxy_gets_credentials_and_the_name() {
    let credentials = Some(("m:e".to_owned(), "p@ü".to_owned()));
    let (server, dns) = names().await;
    let through = |address| Proxy {
        resolves: true,
        ..proxy_at(address, ProxyProtocol::Socks5 { credentials: credentials.clone() })
    };
    let (proxy, said) = socks5(0).await;
    let report = send(through(proxy.address), dns.clone(), "http://hooks.test:8080/").await;
    assert!(report.outcome.delivered(), "{report:?}");
    let name = [&[5, 1, 0, 3, 10][..], b"hooks.test", &8080_u16.to_be_bytes()].concat();
    let login = [&[1, 3][..], b"m:e", &[4], "p@ü".as_bytes()].concat();
    assert_eq!(*said.lock().unwrap(), [vec![5, 1, 2], login, name]);
    assert!(server.asked().is_empty());
    let (proxy, _) = socks5(2).await;
    let report = send(through(proxy.address), dns, "https://hooks.test/").await;
    let reason = format!("proxy socks5://{} did not connect to hooks.test:443: ", proxy.address);
    assert_failed(&report, Failure::Connect, &reason);
    assert!(!String::from_utf8_lossy(&report.response.body).contains("p@"));
}
