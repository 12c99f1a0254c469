//! E-mail, against servers that misbehave.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use postrider::api::EndpointKind;
use postrider_core::{outcome::Failure, target::Target};
use postrider_engine::{EmailSender, Sender};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::fixtures::{self, BODY, assert_delivered, assert_failed};

/// A server that runs a script on each connection.
struct Server {
    port: u16,
    connections: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Server {
    async fn start<F>(script: impl Fn(TcpStream, usize) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let (mut tasks, count) = (JoinSet::new(), Arc::clone(&connections));
        tasks.spawn(async move {
            let mut scripts = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                scripts.spawn(script(stream, count.fetch_add(1, Ordering::Relaxed)));
            }
        });
        Self { port, connections, _tasks: tasks }
    }

    fn target(&self, tls: &str) -> Arc<Target> {
        let config = json!({
            "host": "127.0.0.1",
            "port": self.port,
            "tls": tls,
            "from": "shop@example.com",
            "to": ["ada@example.com"],
        });
        fixtures::target(EndpointKind::Email, config)
    }
}

/// Accepts e-mails until the connection ends, or until there were so many.
async fn accept(stream: TcpStream, mut mails: usize) {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 test\r\n").await.unwrap();
    let (mut line, mut is_content) = (String::new(), false);
    while mails > 0 {
        line.clear();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return;
        }
        let reply = match line.trim_end() {
            "." => {
                (is_content, mails) = (false, mails - 1);
                "250 stored\r\n"
            },
            _ if is_content => continue,
            "DATA" => {
                is_content = true;
                "354 go on\r\n"
            },
            _ => "250 fine\r\n",
        };
        stream.write_all(reply.as_bytes()).await.unwrap();
    }
}

#[tokio::test]
async fn idle_connections_are_used_again_unless_the_server_closed_them() {
    let server = Server::start(|stream, number| accept(stream, 2 + 98 * number)).await;
    let (target, sender) = (server.target("none"), EmailSender::new(fixtures::http().guard()));
    for (number, connections) in [(1, 1), (2, 1), (3, 2), (4, 2), (5, 2)] {
        assert_delivered(&sender.send(fixtures::call(&target, number, BODY)).await);
        assert_eq!(server.connections.load(Ordering::Relaxed), connections, "{number}");
    }
}

#[tokio::test]
async fn servers_that_do_not_speak_smtp_are_described() {
    let endless = vec![b'2'; 1 << 20];
    for (greeting, failure, reason) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], Failure::Protocol, "is not SMTP"),
        (b"554 5.7.1 go away\r\n", Failure::Misconfigured, "554 5.7.1 go away; check host"),
        (b"421 4.7.0 Too many connections\r\n", Failure::Busy, "421 4.7.0"),
        (&endless, Failure::Unavailable, "the reply is too long"),
    ] {
        let greeting = greeting.to_vec();
        let server = Server::start(move |mut stream, _| {
            let greeting = greeting.clone();
            async move {
                // The client may have read enough.
                stream.write_all(&greeting).await.ok();
                stream.read_to_end(&mut Vec::new()).await.ok();
            }
        })
        .await;
        let sender = EmailSender::new(fixtures::http().guard());
        let report = sender.send(fixtures::call(&server.target("none"), 1, BODY)).await;
        assert_failed(&report, failure, reason);
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_is_given_up_after_a_time_limit() {
    let server = Server::start(|mut stream, _| async move {
        stream.read_to_end(&mut Vec::new()).await.ok();
    })
    .await;
    let sender = EmailSender::new(fixtures::http().guard());
    let report = sender.send(fixtures::call(&server.target("none"), 1, BODY)).await;
    assert_failed(&report, Failure::Timeout, "no response to the connection within 30 s");
}

#[tokio::test]
async fn what_was_received_before_tls_does_not_count_afterwards() {
    // An attacker in between can add replies in plain text, but not in TLS.
    let server = Server::start(|stream, _| async move {
        let mut stream = BufReader::new(stream);
        stream.write_all(b"220 test\r\n").await.unwrap();
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        stream.write_all(b"250-test\r\n250 STARTTLS\r\n").await.unwrap();
        stream.read_line(&mut line).await.unwrap();
        let added = b"220 go\r\n250 fine\r\n250 fine\r\n250 fine\r\n354 go\r\n250 stored\r\n";
        stream.write_all(added).await.unwrap();
        stream.read_to_end(&mut Vec::new()).await.ok();
    })
    .await;
    let sender = EmailSender::new(fixtures::http().guard());
    let report = sender.send(fixtures::call(&server.target("starttls"), 1, BODY)).await;
    assert!(!report.outcome.delivered(), "{report:?}");
}

#[tokio::test]
async fn the_address_guard_applies_to_smtp() {
    let server = Server::start(|stream, _| accept(stream, 9)).await;
    let strict = postrider_engine::SenderOptions {
        addresses: postrider_core::address::Policy::default(),
        ..fixtures::options()
    };
    let guard = postrider_engine::HttpSender::new(strict).guard();
    let report =
        EmailSender::new(guard).send(fixtures::call(&server.target("none"), 1, BODY)).await;
    assert_failed(&report, Failure::Forbidden, "not allowed");
    assert_eq!(server.connections.load(Ordering::Relaxed), 0);
}
