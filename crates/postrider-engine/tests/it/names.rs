//! Host names, with name servers that answer, fail or never answer.

use std::{collections::BTreeSet, net::IpAddr, sync::Arc};

use postrider::{ApplicationId, provider::KeyRequest};
use postrider_core::{
    address::Policy,
    names::Ttls,
    outcome::{Failure, Outcome},
};
use postrider_engine::{Dns, FetchError, HttpSender, Report, Sender, SenderOptions};
use tokio::task::JoinSet;

use crate::{
    SECOND,
    calls::{OK, assert_failed, call_of, options},
    name_server::{NameServer, Reply},
    receiver::Scripted,
};

/// A sender that uses this name server, with long time limits.
fn patient(server: &NameServer) -> SenderOptions {
    let dns = Dns {
        servers: vec![server.address],
        timeout: 120 * SECOND,
        wait: 120 * SECOND,
        ..undisturbed()
    };
    SenderOptions { request_timeout: 120 * SECOND, dns, ..options() }
}

/// Ignores the configuration of this machine.
fn undisturbed() -> Dns {
    let missing = std::path::PathBuf::from("/nonexistent");
    Dns { resolv_conf: missing.clone(), hosts: missing, ..Dns::default() }
}

fn application(number: u128) -> ApplicationId {
    ApplicationId::from_u128(number)
}

async fn send(sender: &HttpSender, number: u128, url: &str) -> Report {
    sender.send(call_of(application(number), url)).await
}

fn addresses(addresses: &[&str], ttl: u32) -> Reply {
    Reply::Addresses(addresses.iter().map(|it| it.parse().unwrap()).collect(), ttl)
}

#[tokio::test]
async fn names_that_never_resolve_delay_no_other_application_and_no_other_zone() {
    let server = NameServer::start(|name, _| {
        if name.ends_with(".dead.test") { Reply::Silence } else { Reply::here() }
    })
    .await;
    let receiver = Scripted::answering(OK).await;
    let port = receiver.address.port();
    let sender = Arc::new(HttpSender::new(patient(&server)));
    let mut dead = JoinSet::new();
    for index in 0..1_500 {
        let sender = Arc::clone(&sender);
        let url = format!("http://{index}.dead.test:{port}/");
        dead.spawn(async move { send(&sender, 1, &url).await });
    }
    for number in 1..=40 {
        let url = format!("http://hooks.customer-{number}.test:{port}/");
        let report = send(&sender, number, &url).await;
        assert!(report.outcome.delivered(), "{number}: {report:?}");
    }
    let fetched = KeyRequest {
        url: format!("https://keys.example.test:{port}/"),
        headers: Vec::new(),
        body: None,
    };
    // The receiver does not speak TLS, but its name was found.
    let error = sender.fetch(&fetched).await.unwrap_err();
    assert!(matches!(&error, FetchError::Unreachable(it) if !it.contains("host name")), "{error}");
    assert!(dead.try_join_next().is_none(), "all of them still wait");
    let asked: BTreeSet<_> =
        server.asked().into_iter().map(|it| it.0).filter(|it| it.ends_with(".dead.test")).collect();
    assert_eq!(asked.len(), 32, "a quarter of the lookups that are possible at a time");
}

#[tokio::test]
async fn lookups_end_with_the_calls_that_wait_for_them() {
    let server =
        NameServer::start(
            |name, _| {
                if name.starts_with("dead") { Reply::Silence } else { Reply::here() }
            },
        )
        .await;
    let receiver = Scripted::answering(OK).await;
    let port = receiver.address.port();
    let dns = Dns { lookups: 1, ..patient(&server).dns };
    let sender = Arc::new(HttpSender::new(SenderOptions { dns, ..patient(&server) }));
    let mut first = JoinSet::new();
    let (dead, url) = (Arc::clone(&sender), format!("http://dead.one.test:{port}/"));
    first.spawn(async move { send(&dead, 1, &url).await });
    while server.asked().is_empty() {
        tokio::task::yield_now().await;
    }
    let mut second = JoinSet::new();
    let (live, url) = (Arc::clone(&sender), format!("http://live.one.test:{port}/"));
    second.spawn(async move { send(&live, 1, &url).await });
    tokio::task::yield_now().await;
    assert!(second.try_join_next().is_none(), "there is one place, and it is taken");
    first.shutdown().await;
    let report = second.join_next().await.unwrap().unwrap();
    assert!(report.outcome.delivered(), "{report:?}");
}

#[tokio::test]
async fn concurrent_calls_share_one_lookup() {
    let server = NameServer::start(|name, _| match name {
        "brief.test" => addresses(&["127.0.0.1"], 0),
        _ => Reply::here(),
    })
    .await;
    // Without idle connections, every call needs the addresses.
    let receiver = Scripted::start(|mut stream| async move {
        crate::receiver::read_request(&mut stream).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, OK.as_bytes()).await.unwrap();
    })
    .await;
    let port = receiver.address.port();
    let ttls = Ttls { min: std::time::Duration::ZERO, ..Dns::default().ttls };
    let dns = Dns { ttls, ..patient(&server).dns };
    let sender = Arc::new(HttpSender::new(SenderOptions { dns, ..patient(&server) }));
    let url = format!("http://Shop.Example.test:{port}/");
    let mut calls = JoinSet::new();
    for number in 0..50 {
        let (sender, url) = (Arc::clone(&sender), url.clone());
        calls.spawn(async move { send(&sender, number % 5, &url).await });
    }
    assert!(calls.join_all().await.iter().all(|it| it.outcome.delivered()));
    assert!(send(&sender, 9, &url).await.outcome.delivered());
    assert_eq!(server.asked().len(), 2, "{:?}", server.asked());
    for _ in 0..3 {
        assert!(send(&sender, 1, &format!("http://brief.test:{port}/")).await.outcome.delivered());
    }
    assert_eq!(server.asked().len(), 2 + 3 * 2, "what is valid for no time is asked for again");
}

#[tokio::test]
async fn every_failed_lookup_has_a_reason_and_is_cached_briefly() {
    let server = NameServer::start(|name, _| match name {
        "missing.test" => Reply::Code(3),
        "empty.test" => Reply::Addresses(Vec::new(), 0),
        "broken.test" => Reply::Code(2),
        "refused.test" => Reply::Code(5),
        _ => Reply::Silence,
    })
    .await;
    let dns = Dns { timeout: SECOND, ..patient(&server).dns };
    let sender = HttpSender::new(SenderOptions { dns, ..patient(&server) });
    for (host, reason) in [
        ("missing.test", "host name missing.test does not exist"),
        ("empty.test", "host name empty.test has no address"),
        ("broken.test", "host name broken.test could not be resolved: the name server reported"),
        ("refused.test", "host name refused.test could not be resolved: the name server reported"),
        (
            "silent.test",
            "host name silent.test could not be resolved: no answer from the name server within \
             1000 ms",
        ),
        ("does-not-exist.invalid", "host name does-not-exist.invalid does not exist"),
    ] {
        let report = send(&sender, 1, &format!("http://{host}/")).await;
        assert_failed(&report, Failure::Resolve, reason);
        let asked = server.asked().len();
        let again = send(&sender, 2, &format!("http://{host}/")).await;
        assert_failed(&again, Failure::Resolve, reason);
        assert_eq!(server.asked().len(), asked, "{host} is remembered");
    }
}

#[tokio::test]
async fn waiting_too_long_for_other_lookups_is_a_failure() {
    let server = NameServer::start(|_, _| Reply::Silence).await;
    let dns = Dns { lookups: 1, wait: SECOND / 10, ..patient(&server).dns };
    let sender = Arc::new(HttpSender::new(SenderOptions { dns, ..patient(&server) }));
    let mut first = JoinSet::new();
    let dead = Arc::clone(&sender);
    first.spawn(async move { send(&dead, 1, "http://a.dead.test/").await });
    while server.asked().is_empty() {
        tokio::task::yield_now().await;
    }
    let report = send(&sender, 1, "http://b.dead.test/").await;
    assert_failed(&report, Failure::Resolve, "b.dead.test was not looked up within 100 ms");
    assert!(first.try_join_next().is_none());
}

#[tokio::test]
async fn cached_addresses_are_checked_like_new_ones() {
    let server = NameServer::start(|_, kind| match kind {
        "A" => addresses(&["127.0.0.1", "10.0.0.1"], 60),
        _ => addresses(&["::1"], 60),
    })
    .await;
    let receiver = Scripted::answering(OK).await;
    let url = format!("http://rebound.test:{}/", receiver.address.port());
    let strict = SenderOptions { addresses: Policy::default(), ..patient(&server) };
    let sender = HttpSender::new(strict);
    for _ in 0..3 {
        let report = send(&sender, 1, &url).await;
        assert_failed(&report, Failure::Forbidden, "the address of the host is not allowed");
        assert_eq!(report.address, None, "it would tell how names resolve here");
    }
    assert_eq!(server.asked().len(), 2);
    assert_eq!(receiver.connections(), 0);
    // Only what is allowed is tried.
    let sender = HttpSender::new(patient(&server));
    let report = send(&sender, 1, &url).await;
    assert_eq!(report.address.map(|it| it.ip()), Some(IpAddr::from([127, 0, 0, 1])));
}

#[tokio::test]
async fn an_address_family_without_an_answer_or_a_listener_does_not_matter() {
    let server = NameServer::start(|name, kind| match (name, kind) {
        ("four.test", "A") => addresses(&["127.0.0.1"], 60),
        ("both.test", _) => addresses(&["::1", "127.0.0.1"], 60),
        _ => Reply::Silence,
    })
    .await;
    let receiver = Scripted::answering(OK).await;
    let allow = vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
    let addresses = Policy { allow, ..Policy::default() };
    let sender = HttpSender::new(SenderOptions { addresses, ..patient(&server) });
    for host in ["four.test", "both.test"] {
        let url = format!("http://{host}:{}/", receiver.address.port());
        let report = send(&sender, 1, &url).await;
        assert_eq!(report.outcome, Outcome::Answered { status: 200, retry_after: None }, "{host}");
    }
}

#[tokio::test]
async fn only_the_first_of_very_many_addresses_are_used() {
    let at = |position: u8| {
        let all: Vec<_> =
            (1..=20).map(|it| format!("127.0.{}.1", u8::from(it != position))).collect();
        addresses(&all.iter().map(String::as_str).collect::<Vec<_>>(), 60)
    };
    let server = NameServer::start(move |name, kind| match (name, kind) {
        ("near.test", "A") => at(16),
        ("far.test", "A") => at(17),
        _ => addresses(&[], 60),
    })
    .await;
    let receiver = Scripted::answering(OK).await;
    let sender = HttpSender::new(patient(&server));
    for (host, delivered) in [("near.test", true), ("far.test", false)] {
        let url = format!("http://{host}:{}/", receiver.address.port());
        let report = send(&sender, 1, &url).await;
        assert_eq!(report.outcome.delivered(), delivered, "{host}: {report:?}");
    }
}

#[tokio::test]
async fn short_names_are_completed_and_the_hosts_file_comes_first() {
    let server = NameServer::start(|name, _| match name {
        "db.corp.test" => Reply::here(),
        _ => Reply::Code(3),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let of = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let dns = Dns {
        resolv_conf: of("resolv.conf", "nameserver 192.0.2.1\nsearch none.test corp.test\n"),
        hosts: of("hosts", "127.0.0.1 Pinned.example.com\n"),
        ..patient(&server).dns
    };
    let receiver = Scripted::answering(OK).await;
    let sender = HttpSender::new(SenderOptions { dns, ..patient(&server) });
    for host in ["db", "pinned.example.com", "PINNED.example.com", "localhost"] {
        let report = send(&sender, 1, &format!("http://{host}:{}/", receiver.address.port())).await;
        assert!(report.outcome.delivered(), "{host}: {report:?}");
    }
    let asked: BTreeSet<_> = server.asked().into_iter().map(|it| it.0).collect();
    assert_eq!(asked, ["db.corp.test", "db.none.test"].map(str::to_owned).into());
    let report = send(&sender, 1, "http://xn--bcher-kva.example/").await;
    assert_failed(&report, Failure::Resolve, "host name xn--bcher-kva.example does not exist");
}
