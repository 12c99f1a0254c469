//! TLS to receivers: which certificates are accepted, and the reasons of failures.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use postrider::provider::KeyRequest;
use postrider_core::{address::Policy, outcome::Failure};
use postrider_engine::{Call, HttpSender, Report, Sender, SenderOptions, certificates};
use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{RootCertStore, ServerConfig, server::WebPkiClientVerifier};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    SECOND,
    calls::{OK, assert_failed, call, options},
    receiver::Scripted,
};

/// A certificate with its key.
pub(crate) struct Identity {
    certificate: Certificate,
    key: KeyPair,
}

pub(crate) fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, format!("{name} itself"));
    params
}

pub(crate) fn self_signed(params: &CertificateParams) -> Identity {
    let key = KeyPair::generate().unwrap();
    Identity { certificate: params.self_signed(&key).unwrap(), key }
}

/// Like a certificate from `openssl req -x509`.
pub(crate) fn authority(name: &str) -> CertificateParams {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

pub(crate) fn issued(
    by: &Identity,
    issuer: CertificateParams,
    params: &CertificateParams,
) -> Identity {
    let key = KeyPair::generate().unwrap();
    let issuer = Issuer::new(issuer, &by.key);
    Identity { certificate: params.signed_by(&key, &issuer).unwrap(), key }
}

impl Identity {
    pub(crate) fn der(&self) -> CertificateDer<'static> {
        self.certificate.der().clone()
    }

    /// The certificate and its key in PEM.
    pub(crate) fn pem(&self) -> String {
        self.certificate.pem() + &self.key.serialize_pem()
    }

    pub(crate) fn server(&self, client_authority: Option<&Self>) -> ServerConfig {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = match client_authority {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.der()).unwrap();
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            },
        };
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        builder.with_single_cert(vec![self.der()], key).unwrap()
    }
}

/// A receiver that responds within TLS to the first bytes of a request.
async fn responding(config: ServerConfig, bytes: &'static str) -> Scripted {
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    Scripted::start(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            while stream.read(&mut [0; 4_096]).await.is_ok_and(|it| it > 0) {
                drop(stream.write_all(bytes.as_bytes()).await);
                drop(stream.flush().await);
                if !bytes.contains("content-length") {
                    // Without close_notify.
                    return;
                }
            }
        }
    })
    .await
}

pub(crate) fn trusting(trusted: Vec<CertificateDer<'static>>) -> SenderOptions {
    let allow = vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
    let addresses = Policy { allow, ..Policy::default() };
    SenderOptions { trusted, request_timeout: 20 * SECOND, addresses, ..options() }
}

pub(crate) fn secure(receiver: &Scripted) -> String {
    format!("https://localhost:{}/hook", receiver.address.port())
}

async fn sent(receiver: &Scripted, trusted: Vec<CertificateDer<'static>>) -> Report {
    HttpSender::new(trusting(trusted)).send(call(&secure(receiver))).await
}

/// A call to an endpoint with its own trusted certificates.
fn pinned(url: &str, pem: &str) -> Call {
    crate::calls::call_trusting(url, Some(pem.to_owned()))
}

#[tokio::test]
async fn certificates_are_accepted_if_they_or_their_issuers_are_trusted() {
    let plain = self_signed(&params("localhost"));
    let own_authority = self_signed(&authority("localhost"));
    let root = self_signed(&authority("ca.example"));
    let leaf = issued(&root, authority("ca.example"), &params("localhost"));
    for (what, identity, trusted) in [
        ("self-signed", &plain, &plain),
        ("self-signed as by `openssl req -x509`", &own_authority, &own_authority),
        ("issued by an authority", &leaf, &root),
        ("issued by an authority, and trusted itself", &leaf, &leaf),
    ] {
        let receiver = responding(identity.server(None), OK).await;
        let report = sent(&receiver, vec![trusted.der()]).await;
        assert!(report.outcome.delivered(), "{what}: {report:?}");
        let sender = HttpSender::new(trusting(Vec::new()));
        let report = sender.send(pinned(&secure(&receiver), &trusted.certificate.pem())).await;
        assert!(report.outcome.delivered(), "{what}, named by the endpoint: {report:?}");
        let report = sender.send(call(&secure(&receiver))).await;
        assert_failed(&report, Failure::Tls, "not trusted");
        let wrong = self_signed(&params("localhost")).certificate.pem();
        let sender = HttpSender::new(trusting(vec![trusted.der()]));
        let report = sender.send(pinned(&secure(&receiver), &wrong)).await;
        assert_failed(&report, Failure::Tls, "not trusted");
    }
}

#[tokio::test]
async fn endpoints_with_different_trust_share_no_connection() {
    let identity = self_signed(&params("localhost"));
    let receiver = responding(identity.server(None), OK).await;
    let sender = HttpSender::new(trusting(vec![identity.der()]));
    let (url, pem) = (secure(&receiver), identity.certificate.pem());
    for call in [call(&url), call(&url), pinned(&url, &pem), pinned(&url, &pem)] {
        assert!(sender.send(call).await.outcome.delivered());
    }
    assert_eq!(receiver.connections(), 2);
}

#[tokio::test]
async fn every_certificate_failure_has_a_reason() {
    let valid = |year, mut it: CertificateParams| {
        it.not_before = rcgen::date_time_ymd(year, 1, 1);
        it.not_after = rcgen::date_time_ymd(year, 1, 2);
        it
    };
    let expired = |it| valid(2000, it);
    let early = |it| valid(3000, it);
    let root = self_signed(&authority("ca.example"));
    let leaf = |params| issued(&root, authority("ca.example"), &params);
    let mut unnamed = authority("localhost");
    unnamed.subject_alt_names.clear();
    for (identity, is_trusted, expected) in [
        (leaf(expired(params("localhost"))), false, "the certificate expired at 2000-01-02"),
        (
            self_signed(&expired(authority("localhost"))),
            true,
            "the certificate expired at 2000-01-02",
        ),
        (leaf(early(params("localhost"))), false, "is not valid before 3000-01-01"),
        (self_signed(&early(authority("localhost"))), true, "is not valid before 3000-01-01"),
        (leaf(params("other.example")), false, "is not valid for localhost, only for"),
        (self_signed(&authority("other.example")), true, "other.example"),
        (self_signed(&unnamed), true, "needs a subjectAltName with localhost"),
        (
            self_signed(&params("localhost")),
            false,
            "self-signed (by CN=localhost itself) and not trusted",
        ),
        (self_signed(&authority("localhost")), false, "add it to tls_roots"),
    ] {
        let receiver = responding(identity.server(None), OK).await;
        let trusted = if is_trusted { identity.der() } else { root.der() };
        assert_failed(&sent(&receiver, vec![trusted]).await, Failure::Tls, expected);
    }
    let receiver = responding(leaf(params("localhost")).server(None), OK).await;
    let report = sent(&receiver, Vec::new()).await;
    assert_failed(&report, Failure::Tls, "issued by CN=ca.example itself, which is not trusted");
}

#[tokio::test]
async fn a_required_client_certificate_is_reported() {
    let identity = self_signed(&params("localhost"));
    let receiver = responding(identity.server(Some(&identity)), OK).await;
    let report = sent(&receiver, vec![identity.der()]).await;
    assert_failed(&report, Failure::Tls, "requires a client certificate");
}

#[tokio::test]
async fn a_missing_close_notify_is_accepted() {
    let identity = self_signed(&params("localhost"));
    for (bytes, body, has_note) in [
        ("HTTP/1.1 200 OK\r\n\r\nok", "ok", false),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", "ok", true),
        ("HTTP/1.1 200 OK\r\nx: ", "", true),
    ] {
        let receiver = responding(identity.server(None), bytes).await;
        let mut report = sent(&receiver, vec![identity.der()]).await;
        assert_eq!(report.outcome.status(), Some(200), "{bytes:?}: {report:?}");
        assert_eq!(report.response.body, body, "{bytes:?}");
        assert_eq!(report.response.take_note().is_some(), has_note, "{bytes:?}");
    }
}

#[tokio::test]
async fn https_to_a_port_with_plain_http_is_reported() {
    let refusing = Scripted::start(|mut stream: TcpStream| async move {
        drop(stream.read(&mut [0; 4_096]).await);
        drop(stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await);
        drop(stream.read(&mut [0; 4_096]).await);
    })
    .await;
    let closing = Scripted::start(|mut stream: TcpStream| async move {
        drop(stream.read(&mut [0; 4_096]).await);
    })
    .await;
    let waiting = Scripted::start(|mut stream: TcpStream| async move {
        while stream.read(&mut [0; 4_096]).await.is_ok_and(|it| it > 0) {}
    })
    .await;
    for (receiver, limit, expected) in [
        (refusing, 20 * SECOND, "did not respond in TLS; does this port speak plain http?"),
        (closing, 20 * SECOND, "closed the connection during the TLS handshake; does this port"),
        (waiting, SECOND, "did not complete a TLS handshake within 500 ms; does this port"),
    ] {
        let options = SenderOptions { request_timeout: limit, ..trusting(Vec::new()) };
        let report = HttpSender::new(options).send(call(&secure(&receiver))).await;
        assert_failed(&report, Failure::Tls, expected);
    }
}

/// `openssl s_server`, which ends with the test.
struct OpenSsl {
    server: Child,
    port: u16,
}

impl OpenSsl {
    fn start(folder: &Path) -> Self {
        let mut server = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-cert", "cert", "-key", "key", "-www"])
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines().map(Result::unwrap);
        let port =
            lines.find_map(|it| Some(it.strip_prefix("ACCEPT 127.0.0.1:")?.parse().unwrap()));
        Self { server, port: port.unwrap() }
    }
}

impl Drop for OpenSsl {
    fn drop(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }
}

#[tokio::test]
async fn certificates_created_by_the_openssl_command_work_if_they_are_trusted() {
    for kind in [
        &["rsa:2048"][..],
        &["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"],
        &["ec", "-pkeyopt", "ec_paramgen_curve:secp384r1"],
        &["ec", "-pkeyopt", "ec_paramgen_curve:secp521r1"],
        &["ed25519"],
    ] {
        let folder = tempfile::tempdir().unwrap();
        let made = Command::new("openssl")
            .args(["req", "-x509", "-nodes", "-subj", "/CN=localhost", "-days", "2"])
            .args(["-addext", "subjectAltName=DNS:localhost"])
            .args(["-keyout", "key", "-out", "cert", "-newkey"])
            .args(kind)
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(made.status.success(), "{kind:?}: {}", String::from_utf8_lossy(&made.stderr));
        let server = OpenSsl::start(folder.path());
        let trusted = certificates::load(&[folder.path().join("cert")]).unwrap();
        let request = KeyRequest {
            url: format!("https://localhost:{}/", server.port),
            headers: Vec::new(),
            body: None,
        };
        let page = HttpSender::new(trusting(trusted)).fetch(&request).await;
        let page = page.unwrap_or_else(|error| panic!("{kind:?}: {error}"));
        assert!(String::from_utf8_lossy(&page).contains("TLSv1.3"), "{kind:?}");
        let error = HttpSender::new(trusting(Vec::new())).fetch(&request).await.unwrap_err();
        assert!(error.to_string().contains("self-signed (by CN=localhost)"), "{kind:?}: {error}");
    }
}
