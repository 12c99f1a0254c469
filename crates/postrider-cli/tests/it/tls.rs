//! TLS on the API's listener, and the listener for metrics.

use std::{fs, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{io::AsyncReadExt, net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::server::{MAX_WAIT, Server, postrider, until};

/// A certificate for this machine, written to the files that the server reads.
struct Certificate(CertifiedKey<KeyPair>);

impl Certificate {
    fn new() -> Self {
        Self(generate_simple_self_signed(["localhost".to_owned()]).unwrap())
    }

    fn write(&self, folder: &Path) {
        fs::write(folder.join("key.pem"), self.0.signing_key.serialize_pem()).unwrap();
        fs::write(folder.join("certificate.pem"), self.0.cert.pem()).unwrap();
    }

    fn der(&self) -> CertificateDer<'static> {
        self.0.cert.der().clone()
    }
}

fn server(folder: TempDir, more: &[(&'static str, &str)]) -> Server {
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (certificate, key) = (path("certificate.pem"), path("key.pem"));
    let mut settings =
        vec![("POSTRIDER_TLS_CERTIFICATE", certificate.as_str()), ("POSTRIDER_TLS_KEY", &key)];
    settings.extend(more);
    Server::on_folder(folder, &settings)
}

fn host(server: &Server) -> &str {
    server.url.strip_prefix("https://").unwrap()
}

/// Connects, trusting only this certificate.
async fn connect(
    server: &Server,
    trusted: &Certificate,
    protocol: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.into()];
    let socket = TcpStream::connect(host(server)).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, socket).await
}

/// Whether the server uses this certificate.
async fn uses(server: &Server, certificate: &Certificate) -> bool {
    connect(server, certificate, "h2").await.is_ok()
}

async fn until_it_uses(server: &Server, certificate: &Certificate) {
    let waiting = async {
        while !uses(server, certificate).await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(MAX_WAIT, waiting).await.expect("the new certificate comes into use");
}

#[expect(clippy::disallowed_methods, reason = "the connection ends with the test")]
async fn get(server: &Server, trusted: &Certificate, protocol: &str, path: &str) -> Value {
    let stream = connect(server, trusted, protocol).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(protocol.as_bytes()));
    let request = Request::get(format!("{}{path}", server.url))
        .header("host", host(server))
        .header("authorization", format!("Bearer {}", server.token))
        .body(Empty::<Bytes>::new())
        .unwrap();
    let response = if protocol == "h2" {
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .unwrap();
        tokio::spawn(connection);
        sender.send_request(request).await.unwrap()
    } else {
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        sender.send_request(request).await.unwrap()
    };
    assert_eq!(response.status(), StatusCode::OK);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&body).unwrap()
}

#[tokio::test]
async fn the_api_is_served_over_tls_and_its_certificate_can_be_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second, third) = (Certificate::new(), Certificate::new(), Certificate::new());
    first.write(folder.path());
    let server = server(folder, &[]);
    for protocol in ["h2", "http/1.1"] {
        assert_eq!(get(&server, &first, protocol, "/api/v1/app").await["data"], json!([]));
    }
    assert!(!uses(&server, &second).await);

    // A key that does not belong to the certificate changes nothing.
    let folder = server.folder.path();
    fs::write(folder.join("key.pem"), second.0.signing_key.serialize_pem()).unwrap();
    until("the mistake is logged", || server.log().contains("TLS certificate was not replaced"));
    assert!(uses(&server, &first).await);
    fs::write(folder.join("certificate.pem"), second.0.cert.pem()).unwrap();
    until_it_uses(&server, &second).await;
    assert!(!uses(&server, &first).await);

    third.write(folder);
    server.signal("HUP");
    until_it_uses(&server, &third).await;
    fs::remove_file(folder.join("key.pem")).unwrap();
    server.signal("HUP");
    until("the missing file is logged", || server.log().contains("key.pem cannot be read"));
    assert!(uses(&server, &third).await);
}

#[tokio::test]
async fn connections_in_handshake_count_and_give_way() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = Certificate::new();
    certificate.write(folder.path());
    let settings = [
        ("POSTRIDER_LIMITS__CONNECTIONS", "20"),
        ("POSTRIDER_LIMITS__RESERVED_CONNECTIONS", "1"),
        ("POSTRIDER_LIMITS__HEADER_TIMEOUT", "3s"),
    ];
    let server = server(folder, &settings);
    let mut silent = Vec::new();
    for _ in 0..60 {
        silent.push(TcpStream::connect(host(&server)).await.unwrap());
    }
    assert_eq!(get(&server, &certificate, "h2", "/api/v1/app").await["done"], true);
    for mut stream in silent {
        let ended = timeout(MAX_WAIT, stream.read_u8()).await.expect("the handshake times out");
        assert!(ended.is_err());
    }
}

#[tokio::test]
async fn links_begin_with_https() {
    let folder = tempfile::tempdir().unwrap();
    Certificate::new().write(folder.path());
    let server = server(folder, &[]);
    let output = postrider(&["token", "create", "--data"])
        .arg(server.folder.path().join("data"))
        .output()
        .unwrap();
    assert!(output.status.success());
    assert!(server.url.starts_with("https://127.0.0.1:"), "{}", server.url);
}

#[test]
fn unusable_certificates_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    Certificate::new().write(folder.path());
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("other.pem"), Certificate::new().0.signing_key.serialize_pem()).unwrap();
    fs::write(path("empty.pem"), "").unwrap();
    for (certificate, key, expected) in [
        ("certificate.pem", "other.pem", "other.pem cannot be used with the certificate in "),
        ("certificate.pem", "empty.pem", "empty.pem holds no private key in PEM"),
        ("certificate.pem", "missing.pem", "missing.pem cannot be read"),
        ("key.pem", "key.pem", "key.pem holds no certificate in PEM"),
        ("certificate.pem", "", "`tls_key` is not set, expected a path"),
    ] {
        let key = if key.is_empty() { String::new() } else { path(key) };
        let output = postrider(&["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(folder.path().join("data"))
            .env("POSTRIDER_TLS_CERTIFICATE", path(certificate))
            .env("POSTRIDER_TLS_KEY", key)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(expected), "{expected}: {said}");
    }
}

#[tokio::test]
async fn metrics_have_an_address_of_their_own() {
    let server = Server::with_variables(&[("POSTRIDER_METRICS_LISTEN", "127.0.0.1:0")]);
    let (status, _) = server.call(http::Method::GET, "/../../metrics", None).await.unwrap();
    assert_eq!(status, 404);
    let log = server.log();
    assert!(!log.contains("panicked"), "{log}");
    let output = postrider(&["config", "--set", "metrics=false"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("`metrics` no longer exists; metrics have an address"), "{said}");
}
