//! Receivers that never stop sending.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use http::Method;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::json;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    runtime::Runtime,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    attack_time, is_long,
    memory::{Growth, MIB},
    neighbour::Neighbour,
    server::Server,
};

/// Most bytes that a receiver can send on one connection: the limit of one response, and the
/// buffers of the system on both sides.
const SENT_MAX: u64 = 16 * MIB;

/// A receiver that sends something once, and something else endlessly.
struct Flood {
    address: SocketAddr,
    certificate: Option<String>,
    counts: Arc<Counts>,
    runtime: Option<Runtime>,
}

impl Drop for Flood {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[derive(Default)]
struct Counts {
    connections: AtomicU64,
    /// Most bytes that were sent on one of them.
    most: AtomicU64,
}

#[derive(Clone)]
struct Script {
    first: Vec<u8>,
    again: Vec<u8>,
    counts: Arc<Counts>,
}

impl Script {
    async fn run(self, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
        self.counts.connections.fetch_add(1, Relaxed);
        if stream.read(&mut [0; 4_096]).await.is_err() {
            return;
        }
        let (mut part, mut sent) = (&self.first, 0);
        while sent <= SENT_MAX && stream.write_all(part).await.is_ok() {
            sent += part.len() as u64;
            self.counts.most.fetch_max(sent, Relaxed);
            part = &self.again;
        }
    }
}

impl Flood {
    fn start(first: &[u8], again: &[u8], is_http2: bool) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (acceptor, certificate) = is_http2.then(tls).unzip();
        let counts = Arc::new(Counts::default());
        let script =
            Script { first: first.to_vec(), again: again.to_vec(), counts: Arc::clone(&counts) };
        // A thread of its own: the neighbour's calls are measured on the test's.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        runtime.spawn(accept(listener, script, acceptor));
        Self { address, certificate, counts, runtime: Some(runtime) }
    }

    /// Creates an application with an endpoint at this receiver.
    async fn add_endpoint(&self, server: &Server, application: &str) {
        server.application(application).await;
        let mut body = json!({ "url": format!("http://{}/", self.address) });
        if let Some(certificate) = &self.certificate {
            body = json!({
                "url": format!("https://localhost:{}/", self.address.port()),
                "trustedCertificates": certificate,
            });
        }
        server.must(Method::POST, &format!("/app/{application}/endpoint"), Some(body)).await;
    }
}

async fn accept(listener: std::net::TcpListener, script: Script, acceptor: Option<TlsAcceptor>) {
    let listener = TcpListener::from_std(listener).unwrap();
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (script, acceptor) = (script.clone(), acceptor.clone());
        stream.set_nodelay(true).unwrap();
        connections.spawn(async move {
            let Some(acceptor) = acceptor else { return script.run(stream).await };
            if let Ok(stream) = acceptor.accept(stream).await {
                script.run(stream).await;
            }
        });
    }
}

/// A server's side of TLS that speaks HTTP/2, and its certificate.
fn tls() -> (TlsAcceptor, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    (TlsAcceptor::from(Arc::new(config)), made.cert.pem())
}

fn floods() -> Vec<Flood> {
    let many = |part: &[u8]| part.repeat((16 << 10) / part.len());
    let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let trailers = [&chunked[..], b"0\r\n"].concat();
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    let ping = [0, 0, 8, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    vec![
        Flood::start(b"", &many(b"HTTP/1.1 100 Continue\r\n\r\n"), false),
        Flood::start(b"HTTP/1.1 200 OK\r\n", &many(b"x: y\r\n"), false),
        Flood::start(chunked, &many(b"0"), false),
        Flood::start(&trailers, &many(b"x: y\r\n"), false),
        Flood::start(b"HTTP/1.1 200 OK\r\nx: ", b"y", false),
        Flood::start(&settings, &many(&ping), true),
        Flood::start(&settings, &many(&settings), true),
    ]
}

#[tokio::test]
async fn receivers_that_never_stop_sending_are_disconnected_and_delay_no_other() {
    // Failed attempts are retried on the default schedule.
    let server = Server::with_variables(&[("POSTRIDER_RETRY_SCHEDULE", "5s")]);
    let neighbour = Neighbour::of(&server).await;
    let floods = floods();
    for (index, flood) in floods.iter().enumerate() {
        flood.add_endpoint(&server, &attacker(index)).await;
    }
    let growth = Growth::of(&server);
    neighbour.endures(publish(&server, floods.len())).await;
    for (index, flood) in floods.iter().enumerate() {
        let Counts { connections, most } = &*flood.counts;
        assert!(connections.load(Relaxed) > 0, "flood {index} got no call");
        let most = most.load(Relaxed);
        assert!(most <= SENT_MAX, "flood {index} sent {most} bytes on a connection");
    }
    growth.is_below(128 * MIB);
}

/// Time between two events. A build without optimization takes ten times as long for each call.
fn pace() -> Duration {
    Duration::from_millis(if is_long() { 10 } else { 150 })
}

fn attacker(index: usize) -> String {
    format!("attacker-{index}")
}

/// Publishes an event to one receiver after the other.
#[expect(clippy::disallowed_methods, reason = "the attack lasts for a time")]
async fn publish(server: &Server, attackers: usize) {
    let begin = Instant::now();
    for turn in 0.. {
        // Each receiver gets an event, however slow the machine is.
        if turn >= attackers && begin.elapsed() >= attack_time() {
            return;
        }
        server.publish(&attacker(turn % attackers), json!({})).await;
        tokio::time::sleep(pace()).await;
    }
}
