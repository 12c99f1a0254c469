//! Receivers that require client certificates.

use std::sync::Arc;

use http::HeaderValue;
use postrider::ApplicationId;
use postrider_core::{
    catalog::{Authentication, Endpoint, StoredIdentity},
    outcome::Failure,
    request::SignatureHeaders,
    target::Target,
    vault::Vault,
};
use postrider_engine::{Call, HttpSender, Sender, certificates::identity};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    calls::{assert_failed, call},
    receiver::Scripted,
    tls::{Identity, authority, issued, params, secure, self_signed, trusting},
    world,
};

/// A call to an endpoint with this client certificate.
fn call_as(url: &str, index: usize, client: Option<&Identity>) -> Call {
    let vault = Vault::new("main");
    let identity = client.map(|client| {
        let identity = identity::check(&client.pem()).unwrap().identity;
        let key = vault.seal_text(&identity.key, [7; 24]);
        StoredIdentity { certificates: identity.certificates, key }
    });
    let authentication = Authentication { identity, ..Authentication::default() };
    let endpoint = Endpoint {
        url: url.to_owned(),
        authentication,
        ..world::endpoint(ApplicationId::from_u128(1), index, None, &vault)
    };
    let agent = HeaderValue::from_static("Postrider/test");
    let target = Target::new(&endpoint, &vault, SignatureHeaders::Standard, &agent).unwrap();
    Call { target: Arc::new(target), ..call(url) }
}

/// A receiver that requires certificates of the authority, and responds with the name in the one
/// that it got.
async fn receiver(server: &Identity, clients: &Identity, versions: &[&str]) -> Scripted {
    let mut config = server.server(Some(clients));
    config.alpn_protocols = versions.iter().map(|it| it.as_bytes().to_vec()).collect();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    Scripted::start(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            let presented = stream.get_ref().1.peer_certificates().unwrap()[0].clone();
            let subject = presented.windows(5).rfind(|it| it.starts_with(b"cli-"));
            let body = String::from_utf8(subject.unwrap().to_vec()).unwrap();
            if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                let mut connection = h2::server::handshake(stream).await.unwrap();
                while let Some(Ok((_, mut respond))) = connection.accept().await {
                    let mut stream = respond.send_response(http::Response::new(()), false).unwrap();
                    stream.send_data(body.clone().into(), true).unwrap();
                }
                return;
            }
            let mut buffer = [0; 4_096];
            while stream.read(&mut buffer).await.is_ok_and(|it| it > 0) {
                let response = format!("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n{body}");
                drop(stream.write_all(response.as_bytes()).await);
            }
        }
    })
    .await
}

#[tokio::test]
async fn each_identity_has_connections_of_its_own() {
    let server = self_signed(&params("localhost"));
    let ca = self_signed(&authority("clients"));
    let clients = ["cli-a", "cli-b"].map(|name| issued(&ca, authority("clients"), &params(name)));
    for versions in [&["h2"][..], &["http/1.1"]] {
        let receiver = receiver(&server, &ca, versions).await;
        let (url, sender) = (secure(&receiver), HttpSender::new(trusting(vec![server.der()])));
        for _ in 0..3 {
            for (index, client) in clients.iter().enumerate() {
                let report = sender.send(call_as(&url, index, Some(client))).await;
                let expected = ["cli-a", "cli-b"][index];
                assert_eq!(report.response.body, expected, "{report:?}");
            }
        }
        // Another endpoint with the same certificate shares its connection.
        let report = sender.send(call_as(&url, 2, Some(&clients[0]))).await;
        assert_eq!(report.response.body, "cli-a");
        assert_eq!(receiver.connections(), 2);
        let report = sender.send(call_as(&url, 3, None)).await;
        assert_failed(&report, Failure::Tls, "requires a client certificate; set one");
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_accepted_is_explained() {
    let server = self_signed(&params("localhost"));
    let ca = self_signed(&authority("clients"));
    let receiver = receiver(&server, &ca, &["http/1.1"]).await;
    let sender = HttpSender::new(trusting(vec![server.der()]));
    let stranger = self_signed(&params("cli-x"));
    let report = sender.send(call_as(&secure(&receiver), 0, Some(&stranger))).await;
    assert_failed(&report, Failure::Tls, "does not accept the endpoint's client certificate");
    let mut old = params("cli-o");
    old.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let expired = issued(&ca, authority("clients"), &old);
    let report = sender.send(call_as(&secure(&receiver), 0, Some(&expired))).await;
    assert_failed(&report, Failure::Tls, "which has expired");
}
