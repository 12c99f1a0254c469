//! Sources that are set up on the command line, and the webhooks that they receive.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use postrider::provider::{self, Settings, UnsignedRequest};
use serde_json::{Value, json};

use crate::{
    receiver::Receiver,
    server::{Server, postrider},
};

const SECRET: &str = "whsec_a_secret_of_stripe";

const EVENT: &str = r#"{"id": "evt_1",  "type": "charge.succeeded"}"#;

/// Runs a command against a server; returns whether it succeeded, and its output.
fn run(server: &Server, arguments: &[&str]) -> (bool, String) {
    let mut command = postrider(arguments);
    command.env("POSTRIDER_URL", &server.url).env("POSTRIDER_TOKEN", &server.token);
    let output = command.output().unwrap();
    let text = if output.status.success() { output.stdout } else { output.stderr };
    (output.status.success(), String::from_utf8(text).unwrap())
}

#[track_caller]
fn run_ok(server: &Server, arguments: &[&str]) -> String {
    let (succeeded, text) = run(server, arguments);
    assert!(succeeded, "{arguments:?}: {text}");
    text
}

#[track_caller]
fn json_of(server: &Server, arguments: &[&str]) -> Value {
    serde_json::from_str(&run_ok(server, &[arguments, &["--json"]].concat())).unwrap()
}

/// Posts an event as Stripe does; returns the status of the response.
#[expect(clippy::disallowed_methods, reason = "a provider has its own clock")]
async fn post_as_stripe(url: &str, secret: &str) -> u16 {
    let stripe = provider::find("stripe").unwrap();
    let draft =
        UnsignedRequest { url: url.to_owned(), body: EVENT.into(), ..UnsignedRequest::default() };
    let now = jiff::Timestamp::now().as_second().try_into().unwrap();
    let signed = provider::sign(stripe, &Settings::new([secret]), draft, now).unwrap();
    let mut request = Request::post(url);
    for (name, value) in &signed.headers {
        request = request.header(name, value);
    }
    let client = Client::builder(TokioExecutor::new()).build_http();
    let body = Full::new(Bytes::from(signed.body));
    client.request(request.body(body).unwrap()).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_source_accepts_genuine_webhooks_until_its_token_is_rotated() {
    let receiver = Receiver::start().await;
    let server = Server::start();
    let forward = receiver.url("ok");
    let create = ["source", "create", "--provider", "stripe", "--secret", SECRET, "--uid", "pay"];
    let url = run_ok(&server, &[&create[..], &["--forward", &forward]].concat());
    let url = url.trim_end();
    assert!(url.starts_with(&format!("{}/in/", server.url)), "{url}");
    assert_eq!(post_as_stripe(url, SECRET).await, 200);
    let calls = receiver.until("ok", |calls| calls.len() == 1).await;
    assert_eq!(calls[0].body, EVENT, "byte for byte");
    assert_eq!(post_as_stripe(url, "whsec_another").await, 401);

    let rotated = run_ok(&server, &["source", "rotate-token", "pay"]);
    assert_ne!(rotated.trim_end(), url);
    assert_eq!(post_as_stripe(url, SECRET).await, 404);
    assert_eq!(json_of(&server, &["source", "get", "pay"])["ingestUrl"], rotated.trim_end());

    run_ok(&server, &["source", "rotate-secret", "pay", "--secret", "whsec_new", "--grace", "0s"]);
    let secrets = json_of(&server, &["source", "secret", "pay"]);
    assert_eq!(secrets, json!({ "secrets": [{ "key": "whsec_new" }] }));
    run_ok(&server, &["source", "update", "pay", "disabled:=true"]);
    let list = run_ok(&server, &["source", "list"]);
    assert!(list.contains("stripe") && list.contains("disabled"), "{list}");
    run_ok(&server, &["source", "delete", "pay"]);
    assert_eq!(run_ok(&server, &["source", "list"]), "no results\n");
    assert_eq!(run_ok(&server, &["app", "list"]), "no results\n");
}

#[tokio::test]
async fn rejected_requests_are_listed_with_the_reason() {
    let server = Server::start();
    let create = ["source", "create", "--provider", "stripe", "--secret", SECRET, "--uid", "pay"];
    let url = run_ok(&server, &create);
    assert_eq!(post_as_stripe(url.trim_end(), "whsec_another").await, 401);
    let logged = async {
        loop {
            let log = json_of(&server, &["source", "log", "pay"]);
            if log["data"] != json!([]) {
                return log["data"][0].clone();
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    let logged = tokio::time::timeout(crate::server::MAX_WAIT, logged).await.unwrap();
    assert_eq!(logged["error_text"], "no signature matches");
    assert_eq!((&logged["status_code"], &logged["payload"]), (&json!(401), &json!(EVENT)));
    assert!(run_ok(&server, &["source", "log", "pay"]).contains("no signature matches"));
}

#[test]
fn a_source_that_cannot_be_set_up_is_rejected_and_leaves_nothing_behind() {
    let server = Server::start();
    let create = |more: &[&str]| run(&server, &[&["source", "create"], more].concat());
    let (succeeded, text) = create(&["--provider", "strip"]);
    assert!(!succeeded && text.contains("did you mean stripe"), "{text}");
    let (succeeded, text) = create(&["--provider", "salesforce"]);
    assert!(!succeeded && text.contains("set verification to none"), "{text}");
    let (succeeded, text) =
        create(&["--provider", "stripe", "--secret", "s", "--forward", "http://10.0.0.1/"]);
    assert!(!succeeded && text.contains("the source was deleted again"), "{text}");
    assert_eq!(run_ok(&server, &["source", "list"]), "no results\n");
    let (succeeded, text) = create(&["--provider", "salesforce", "--no-verification"]);
    assert!(succeeded, "{text}");
    let meta = ["--provider", "meta", "--secret", "s", "--parameter", "verify_token=v"];
    let (succeeded, text) = create(&meta);
    assert!(succeeded, "{text}");
    let list = json_of(&server, &["source", "list"]);
    for source in list["data"].as_array().unwrap() {
        assert_eq!(source["status"], "ready");
    }
}
