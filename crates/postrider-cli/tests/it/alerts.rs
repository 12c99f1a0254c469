//! Built-in alerts: what is sent where, by whom, and how often.

use std::{fs, sync::Arc};

use http::Method;
use postrider_testing::ExternalServer;
use serde_json::{Value, json};

use crate::{
    receive,
    receiver::{Behavior, Call, Receiver},
    schema::Schema,
    server::{Server, postrider, until_async},
};

const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// The alerts of a message: the state and the kind of each.
pub(crate) fn alerts(call: &Call) -> Vec<(String, String)> {
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    let text = |alert: &Value, name: &str| alert[name].as_str().unwrap().to_owned();
    let all = body["data"]["alerts"].as_array().unwrap().iter();
    all.map(|alert| (text(alert, "state"), text(alert, "kind"))).collect()
}

pub(crate) fn is(state: &str, kind: &str) -> Vec<(String, String)> {
    vec![(state.to_owned(), kind.to_owned())]
}

/// Without a receiver, alerts are listed, and one that is configured later gets them.
#[tokio::test]
async fn alerts_are_listed_without_a_receiver_and_sent_to_one_that_is_configured_later() {
    let receiver = Receiver::start().await;
    // The disk of the machine may be nearly full.
    let kinds = [("POSTRIDER_ALERTS__KINDS", "endpoint_disabled")];
    let mut server = Server::with_variables(&kinds);
    let shown = |server: &Server| {
        let output =
            postrider(&["alerts", "--url", &server.url, "--token", &server.token]).output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    let nothing = shown(&server);
    assert!(nothing.starts_with("no results\nno receiver of alerts is configured"), "{nothing}");
    assert!(nothing.contains("`alerts.webhook_url`"), "{nothing}");
    let endpoint = disable_an_endpoint(&server, &receiver).await;
    let listed = until_async(|| server.get("/alerts"), |it| it["data"][0].is_object()).await;
    assert_eq!(listed["configured"], false);
    assert_eq!(listed["data"][0]["endpointId"], endpoint.as_str(), "{listed}");
    let list = shown(&server);
    assert!(list.contains("endpoint_disabled") && list.contains("only listed here"), "{list}");

    assert!(server.terminate().success());
    let url = receiver.url("alerts");
    server.set("POSTRIDER_ALERTS__WEBHOOK_URL", &url);
    server.restart();
    let calls = receiver.until("alerts", |calls| !calls.is_empty()).await;
    assert_eq!(alerts(&calls[0]), is("firing", "endpoint_disabled"));
    assert_eq!(server.get("/alerts").await["configured"], true);
    assert!(!shown(&server).contains("only listed here"));
}

/// Publishes a message to an endpoint that wants no more, and waits until it is disabled.
async fn disable_an_endpoint(server: &Server, receiver: &Receiver) -> String {
    receiver.set_behavior("gone", Behavior::Status(410));
    server.application("acme").await;
    let (endpoint, _) = server.endpoint("acme", &receiver.url("gone")).await;
    server.publish("acme", json!({ "n": 1 })).await;
    receiver.until("gone", |calls| !calls.is_empty()).await;
    endpoint
}

#[tokio::test]
async fn a_disabled_endpoint_is_announced_once_and_resolved() {
    let receiver = Receiver::start().await;
    let url = receiver.url("alerts");
    let mut server = Server::with_variables(&[
        ("POSTRIDER_ALERTS__WEBHOOK_URL", &url),
        ("POSTRIDER_ALERTS__WEBHOOK_SECRET", SECRET),
        ("POSTRIDER_ALERTS__INTERVAL", "0s"),
        ("POSTRIDER_ALERTS__KINDS", "endpoint_disabled"),
    ]);
    let endpoint = disable_an_endpoint(&server, &receiver).await;
    let calls = receiver.until("alerts", |calls| !calls.is_empty()).await;
    assert_eq!(alerts(&calls[0]), is("firing", "endpoint_disabled"));
    assert!(calls[0].is_verified(SECRET));
    let body: Value = serde_json::from_slice(&calls[0].body).unwrap();
    assert_eq!(body["data"]["alerts"][0]["endpointId"], endpoint.as_str());
    let firing = server.get("/alerts").await;
    assert_eq!(firing["data"][0]["endpointId"], endpoint.as_str(), "{firing}");
    // A restart repeats nothing.
    assert!(server.terminate().success());
    server.restart();
    let path = format!("/app/acme/endpoint/{endpoint}");
    receiver.set_behavior("gone", Behavior::Status(200));
    let enabled = json!({ "disabled": false });
    let (status, _) = server.call(Method::PATCH, &path, Some(enabled)).await.unwrap();
    assert_eq!(status, 200);
    let calls = receiver.until("alerts", |calls| calls.len() >= 2).await;
    assert_eq!(alerts(&calls[1]), is("resolved", "endpoint_disabled"));
    assert_eq!(calls.len(), 2);
    assert_eq!(server.get("/alerts").await, json!({ "configured": true, "data": [] }));
    assert!(!server.log().contains(&url), "the URL is secret");
}

#[tokio::test]
async fn of_several_nodes_one_sends_an_alert() {
    let receiver = Receiver::start().await;
    let url = receiver.url("alerts");
    let schema = Arc::new(Schema::create());
    let variables = [
        ("POSTRIDER_ALERTS__WEBHOOK_URL", url.as_str()),
        ("POSTRIDER_ALERTS__INTERVAL", "0s"),
        ("POSTRIDER_ALERTS__KINDS", "endpoint_disabled"),
    ];
    let one = Server::on_database(&schema, &variables);
    // It has the same secrets.
    let other = Server::on_store(&one.folder, Some(&schema), &variables);
    let endpoint = disable_an_endpoint(&one, &receiver).await;
    receiver.until("alerts", |calls| !calls.is_empty()).await;
    let path = format!("/app/acme/endpoint/{endpoint}");
    one.call(Method::DELETE, &path, None).await.unwrap();
    // The end is announced once, too, so both nodes have had the occasion to send twice.
    let calls = receiver.until("alerts", |calls| calls.len() >= 2).await;
    let states: Vec<_> = calls.iter().flat_map(alerts).map(|(state, _)| state).collect();
    assert_eq!(states, ["firing", "resolved"]);
    drop((one, other));
}

#[tokio::test]
async fn a_source_that_rejects_many_requests_is_announced() {
    let receiver = Receiver::start().await;
    let url = receiver.url("alerts");
    let server = Server::with_variables(&[
        ("POSTRIDER_ALERTS__WEBHOOK_URL", &url),
        ("POSTRIDER_ALERTS__REJECTIONS", "3"),
        ("POSTRIDER_ALERTS__KINDS", "source_rejecting"),
    ]);
    let ask = json!({ "name": "A", "type": "stripe", "secrets": [{ "key": "whsec_right" }] });
    let source = server.ingest("/source", ask).await;
    let inbound = source["ingestUrl"].as_str().unwrap();
    for _ in 0..3 {
        let (request, body) = receive::signed("stripe", "whsec_wrong", inbound, "{}");
        assert_eq!(receive::send(request, body).await.status, 401);
    }
    let calls = receiver.until("alerts", |calls| !calls.is_empty()).await;
    assert_eq!(alerts(&calls[0]), is("firing", "source_rejecting"));
    let body = String::from_utf8_lossy(&calls[0].body).into_owned();
    assert!(body.contains(source["id"].as_str().unwrap()), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_alert_goes_to_all_receivers_and_says_what_failed() {
    let receiver = Receiver::start().await;
    let smtp = ExternalServer::start("smtp", &[]);
    let folder = tempfile::tempdir().unwrap();
    let webhook = folder.path().join("webhook");
    fs::write(&webhook, receiver.url("hook")).unwrap();
    let run = |slack: &str| {
        let output = postrider(&["alert", "test"])
            .current_dir(folder.path())
            .env("POSTRIDER_ALERTS__ALLOW_NETWORKS", "127.0.0.0/8")
            .env("POSTRIDER_ALERTS__EMAIL_TO", "ops@example.com")
            .env("POSTRIDER_ALERTS__EMAIL_FROM", "postrider@example.com")
            .env("POSTRIDER_ALERTS__SMTP_URL", format!("smtp://localhost:{}?tls=none", smtp.port()))
            .env("POSTRIDER_ALERTS__SLACK_URL", receiver.url(slack))
            .env("POSTRIDER_ALERTS__WEBHOOK_URL_FILE", &webhook)
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let run =
        |slack: &'static str| std::thread::scope(|it| it.spawn(|| run(slack)).join().unwrap());
    let (code, said, error) = tokio::task::block_in_place(|| run("slack"));
    assert_eq!(code, Some(0), "{said} {error}");
    for channel in ["email: sent to smtp://localhost:", "slack: sent to ", "webhook: sent to "] {
        assert!(said.contains(channel), "{said}");
    }
    let secret = receiver.url("slack");
    assert!(!said.contains(&secret), "the URL is secret: {said}");
    let posted = receiver.calls("slack");
    assert!(String::from_utf8_lossy(&posted[0].body).contains("This is a test"), "{posted:?}");
    let hooked: Value = serde_json::from_slice(&receiver.calls("hook")[0].body).unwrap();
    assert_eq!(hooked["type"], "postrider.alert");
    let mail = fs::read_dir(smtp.key("mail")).unwrap().next().unwrap().unwrap().path();
    let mail = fs::read_to_string(mail).unwrap();
    assert!(mail.contains("Subject: [Postrider] ALERT: test"), "{mail}");
    receiver.set_behavior("broken", Behavior::Status(500));
    let (code, said, error) = tokio::task::block_in_place(|| run("broken"));
    assert_eq!(code, Some(1));
    assert!(said.contains("slack: not sent to ") && said.contains("webhook: sent to"), "{said}");
    assert!(error.contains("1 receivers did not get the test alert"), "{error}");
}

#[test]
fn a_receiver_that_cannot_work_is_refused_with_its_key() {
    let folder = tempfile::tempdir().unwrap();
    for (variables, expected) in [
        (vec![], "no receiver of alerts is configured"),
        (vec![("EMAIL_TO", "ops@example.com")], "`alerts.smtp_url`"),
        (vec![("EMAIL_TO", "no-address")], "`alerts.email_to`"),
        (vec![("SLACK_URL", "ftp://example.com/x")], "alerts.slack_url cannot be used"),
        (vec![("KINDS", "everything")], "`alerts.kinds`"),
        (vec![("WEBHOOK_SECRET", "short")], "`alerts.webhook_secret`"),
    ] {
        let mut command = postrider(&["alert", "test"]);
        command.current_dir(folder.path());
        for (name, value) in &variables {
            command.env(format!("POSTRIDER_ALERTS__{name}"), value);
        }
        let output = command.output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && error.contains(expected), "{variables:?}: {error}");
    }
}
