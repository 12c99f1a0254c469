//! The conditions of built-in alerts, and the list of the alerts that are firing.

use std::{
    fs,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use http::Method;
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};

use crate::{
    alerts::{alerts, is},
    database::Database,
    port::free_port,
    receiver::{Behavior, Receiver},
    schema::Schema,
    server::{Server, postrider, until_async},
};

/// Variables of a server that sends only alerts of this kind, to this URL.
fn only(kind: &'static str, url: &str) -> Vec<(&'static str, String)> {
    let variables = [
        ("POSTRIDER_ALERTS__WEBHOOK_URL", url),
        ("POSTRIDER_ALERTS__INTERVAL", "0s"),
        ("POSTRIDER_ALERTS__KINDS", kind),
    ];
    variables.map(|(name, value)| (name, value.to_owned())).to_vec()
}

fn texts<'a>(variables: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    variables.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

/// What the API lists; an error while the server cannot know it.
async fn list(server: &Server) -> Value {
    server.call(Method::GET, "/alerts", None).await.unwrap().1
}

/// Waits until the list of the API has an alert, and returns it.
async fn firing(server: &Server) -> Value {
    let listed = until_async(|| list(server), |it| it["data"][0].is_object()).await;
    listed["data"][0].clone()
}

/// A certificate and its key that expire in three days.
fn expiring() -> (String, String) {
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    // The server's clock is that of the system.
    #[expect(clippy::disallowed_methods, reason = "certificates have real times")]
    let now = std::time::SystemTime::now();
    let now = rcgen::date_time_ymd(1970, 1, 1) + now.duration_since(UNIX_EPOCH).unwrap();
    params.not_before = now - Duration::from_secs(60 * 60);
    params.not_after = now + Duration::from_secs(3 * 24 * 60 * 60 + 60 * 60);
    let key = KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

#[tokio::test]
async fn a_nearly_full_disk_is_announced_and_listed() {
    let receiver = Receiver::start().await;
    let mut variables = only("disk_nearly_full", &receiver.url("alerts"));
    // Every disk that contains a data folder has less than this.
    variables.push(("POSTRIDER_ALERTS__DISK_FREE", "1".to_owned()));
    let server = Server::embedded(&texts(&variables));
    let calls = receiver.until("alerts", |calls| !calls.is_empty()).await;
    assert_eq!(alerts(&calls[0]), is("firing", "disk_nearly_full"));
    let alert = firing(&server).await;
    assert_eq!(alert["kind"], "disk_nearly_full");
    assert!(alert["summary"].as_str().unwrap().contains("MiB are free on the disk"), "{alert}");
    let list = postrider(&["alerts", "--url", &server.url, "--token", &server.token]).output();
    let said = String::from_utf8(list.unwrap().stdout).unwrap();
    assert!(said.contains("disk_nearly_full") && said.contains("are free on the disk"), "{said}");
}

#[tokio::test]
async fn without_receivers_of_alerts_the_list_says_that_none_are_configured() {
    let server = Server::embedded(&[("POSTRIDER_ALERTS__DISK_FREE", "1")]);
    assert_eq!(server.get("/alerts").await, json!({ "configured": false, "data": [] }));
}

#[tokio::test]
async fn a_client_certificate_that_expires_soon_is_announced_to_its_organization() {
    let receiver = Receiver::start().await;
    let variables = only("certificate_expiring", &receiver.url("alerts"));
    let server = Server::with_variables(&texts(&variables));
    server.application("acme").await;
    // The certificate is looked at before the connection, which fails.
    let (endpoint, _) =
        server.endpoint("acme", &format!("https://127.0.0.1:{}/", free_port())).await;
    let (certificate, key) = expiring();
    let identity = json!({ "identity": format!("{certificate}{key}") });
    let path = format!("/app/acme/endpoint/{endpoint}/mtls");
    let (status, response) = server.call(Method::PUT, &path, Some(identity)).await.unwrap();
    assert_eq!(status, 204, "{response}");
    server.publish("acme", json!({})).await;
    let calls = receiver.until("alerts", |calls| !calls.is_empty()).await;
    assert_eq!(alerts(&calls[0]), is("firing", "certificate_expiring"));
    let alert = firing(&server).await;
    assert_eq!(alert["subject"], endpoint.as_str());
    assert!(alert["summary"].as_str().unwrap().contains("expires in 3 days"), "{alert}");
    let other = crate::server::token(server.folder.path(), &["--org", "org_other"]);
    let other = server.caller().with_token(other);
    let (_, listed) = other.call(Method::GET, "/alerts", None).await.unwrap();
    assert_eq!(listed["data"], json!([]), "it concerns another organization");
}

#[tokio::test]
async fn a_server_certificate_that_expires_soon_is_announced() {
    let receiver = Receiver::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (certificate, key) = (path("certificate.pem"), path("key.pem"));
    let (certificate_pem, key_pem) = expiring();
    fs::write(&certificate, certificate_pem).unwrap();
    fs::write(&key, key_pem).unwrap();
    let mut variables = only("certificate_expiring", &receiver.url("alerts"));
    variables.push(("POSTRIDER_TLS_CERTIFICATE", certificate));
    variables.push(("POSTRIDER_TLS_KEY", key));
    let server = Server::on_folder(folder, &texts(&variables));
    let calls = receiver.until("alerts", |calls| !calls.is_empty()).await;
    assert_eq!(alerts(&calls[0]), is("firing", "certificate_expiring"));
    let body = String::from_utf8_lossy(&calls[0].body).into_owned();
    assert!(body.contains("The certificate in `tls_certificate` expires in 3 days"), "{body}");
    drop(server);
}

#[tokio::test]
async fn late_deliveries_are_announced() {
    let receiver = Receiver::start().await;
    receiver.set_behavior("dead", Behavior::Status(500));
    let mut variables = only("deliveries_late", &receiver.url("alerts"));
    // The first failure pauses the endpoint, whose other deliveries are due and wait.
    for (name, value) in [
        ("POSTRIDER_ALERTS__LATE_AFTER", "1s"),
        ("POSTRIDER_BREAKER__FAILURES", "1"),
        ("POSTRIDER_BREAKER__REST", "1h"),
        ("POSTRIDER_BREAKER__REST_MAX", "1h"),
    ] {
        variables.push((name, value.to_owned()));
    }
    let server = Server::with_variables(&texts(&variables));
    server.application("acme").await;
    server.endpoint("acme", &receiver.url("dead")).await;
    server.publish("acme", json!({ "n": 0 })).await;
    receiver.until("dead", |calls| !calls.is_empty()).await;
    for n in 1..10 {
        server.publish("acme", json!({ "n": n })).await;
    }
    let calls = receiver.until("alerts", |calls| !calls.is_empty()).await;
    assert_eq!(alerts(&calls[0]), is("firing", "deliveries_late"));
    assert_eq!(firing(&server).await["subject"], "deliveries");
}

#[tokio::test]
async fn a_failing_store_is_announced_listed_and_resolved() {
    let database = Database::new();
    let url = database.script("start", &["fsync=off", "full_page_writes=off"]);
    let schema = Arc::new(Schema::on_server(url));
    let receiver = Receiver::start().await;
    let mut variables = only("store_unavailable", &receiver.url("alerts"));
    variables.push(("POSTRIDER_ALERTS__UNAVAILABLE_AFTER", "0s".to_owned()));
    let server = Server::on_database(&schema, &texts(&variables));
    // Tokens that were verified before need no store.
    let none = json!({ "configured": true, "data": [] });
    assert_eq!(server.get("/alerts").await, none);
    database.script("stop", &["immediate"]);
    let calls = receiver.until("alerts", |calls| !calls.is_empty()).await;
    assert_eq!(alerts(&calls[0]), is("firing", "store_unavailable"));
    assert_eq!(firing(&server).await["kind"], "store_unavailable");
    database.script("start", &[]);
    let calls = receiver.until("alerts", |calls| calls.len() >= 2).await;
    assert_eq!(alerts(&calls[1]), is("resolved", "store_unavailable"));
    until_async(|| list(&server), |listed| *listed == none).await;
}
