//! Receivers with unusual responses, or with certificates that no public authority issued.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinSet,
};

use crate::server::{Server, until_async};

/// The first attempt of the first message to an endpoint with these fields.
async fn attempt(server: &Server, endpoint: Value) -> Value {
    server.application("acme").await;
    server.post("/app/acme/endpoint", endpoint).await;
    let id = server.publish("acme", json!({ "n": 1 })).await;
    let path = format!("/app/acme/attempt/msg/{id}");
    let is_there = |it: &Value| !it["data"].as_array().unwrap().is_empty();
    until_async(|| server.get(&path), is_there).await["data"]
        .as_array()
        .unwrap()
        .last()
        .unwrap()
        .clone()
}

#[tokio::test]
async fn a_received_status_decides_and_later_errors_are_recorded() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let mut receiver = JoinSet::new();
    receiver.spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            drop(stream.read(&mut [0; 4_096]).await);
            let odd = b"HTTP/1.1 200 OK\r\nx-odd: \x01\r\ncontent-length: 9\r\n\r\nok";
            stream.write_all(odd).await.unwrap();
        }
    });
    let attempt = attempt(&Server::start(), json!({ "url": url })).await;
    assert_eq!((&attempt["status"], &attempt["responseStatusCode"]), (&json!(0), &json!(200)));
    assert_eq!(attempt["response"], "ok");
    let note = attempt["responseNote"].as_str().unwrap();
    assert!(note.starts_with("the response is incomplete: "), "{note}");
}

/// `openssl s_server`, which sends each line back reversed.
struct TlsServer {
    server: Child,
    url: String,
}

impl TlsServer {
    /// Starts it with a new certificate in `folder`.
    fn start(folder: &Path) -> Self {
        let made = Command::new("openssl")
            .args(["req", "-x509", "-nodes", "-subj", "/CN=receiver", "-days", "2"])
            .args(["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key", "-out", "cert"])
            .args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
            .current_dir(folder)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut server = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-cert", "cert", "-key", "key", "-rev"])
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines().map(Result::unwrap);
        let address = lines.find_map(|it| it.strip_prefix("ACCEPT ").map(str::to_owned));
        Self { server, url: format!("https://{}/", address.unwrap()) }
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }
}

#[tokio::test]
async fn certificates_of_the_operator_and_of_the_endpoint_are_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = TlsServer::start(folder.path());
    let cert = folder.path().join("cert");
    let (roots, pem) = (cert.to_str().unwrap(), std::fs::read_to_string(&cert).unwrap());
    let plain = json!({ "url": receiver.url });
    let naming = json!({ "url": receiver.url, "trustedCertificates": pem });
    let trusted = "begins with \"1.1/PTTH";
    for (setting, endpoint, expected) in [
        ("", plain.clone(), "self-signed (by CN=receiver) and not trusted; add it to tls_roots"),
        (roots, plain, trusted),
        ("", naming, trusted),
    ] {
        let server = Server::with_variables(&[("POSTRIDER_TLS_ROOTS", setting)]);
        let attempt = attempt(&server, endpoint).await;
        let said = attempt["response"].as_str().unwrap();
        assert!(said.contains(expected), "{said}");
    }
}
