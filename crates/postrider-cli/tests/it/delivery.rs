//! Deliveries: signatures, retries, failures and rate limits.

use std::{collections::HashSet, time::Duration};

use http::Method;
use serde_json::{Value, json};

use crate::{
    receiver::{Behavior, Receiver},
    server::{Server, until_async},
};

#[tokio::test]
async fn an_event_is_delivered_signed_and_byte_for_byte() {
    let receiver = Receiver::start().await;
    let server = Server::start();
    server.application("acme").await;
    let (_, secret) = server.endpoint("acme", &receiver.url("ok")).await;
    // The order of members, the whitespace and the numbers of the payload must not change.
    let payload = r#"{ "b": 1.50,  "a": "\u00e9" }"#;
    let body = format!(r#"{{"eventType": "test.event", "payload": {payload}}}"#);
    let message = server.post_text("/app/acme/msg", &body).await;
    let calls = receiver.until("ok", |calls| !calls.is_empty()).await;
    let call = &calls[0];
    assert_eq!(call.id(), message["id"].as_str().unwrap());
    assert_eq!(call.body, payload);
    assert!(call.is_verified(&secret));
    assert!(!call.is_verified("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));
    assert!(call.header("user-agent").to_lowercase().contains("postrider/"));
    assert_eq!(call.header("content-type"), "application/json");
}

#[tokio::test]
async fn a_failed_delivery_is_retried_until_it_succeeds_and_each_attempt_is_listed() {
    let receiver = Receiver::start().await;
    let server = Server::start();
    server.application("acme").await;
    let (_, secret) = server.endpoint("acme", &receiver.url("flaky")).await;
    receiver.set_behavior("flaky", Behavior::FailFirst(2));
    let id = server.publish("acme", json!({ "n": 1 })).await;
    let calls = receiver.until("flaky", |calls| calls.len() == 3).await;
    assert!(calls.iter().all(|call| call.id() == id && call.is_verified(&secret)));
    let path = format!("/app/acme/attempt/msg/{id}");
    let attempts =
        until_async(|| server.get(&path), |it| it["data"].as_array().unwrap().len() == 3).await;
    let statuses: Vec<_> = attempts["data"].as_array().unwrap().iter().map(status).collect();
    assert_eq!(statuses, [200, 500, 500], "newest first");
}

fn status(attempt: &Value) -> u64 {
    attempt["responseStatusCode"].as_u64().unwrap()
}

#[tokio::test]
async fn a_delivery_fails_when_its_retries_are_exhausted_and_a_resend_is_one_attempt() {
    let receiver = Receiver::start().await;
    let server = Server::with_variables(&[("POSTRIDER_RETRY_SCHEDULE", "50ms")]);
    server.application("acme").await;
    let (endpoint, _) = server.endpoint("acme", &receiver.url("down")).await;
    receiver.set_behavior("down", Behavior::Status(500));
    let id = server.publish("acme", json!({})).await;
    receiver.until("down", |calls| calls.len() == 2).await;
    let path = format!("/app/acme/msg/{id}/endpoint");
    until_async(|| server.get(&path), |it| it["data"][0]["status"] == 2).await;
    let resend = format!("/app/acme/msg/{id}/endpoint/{endpoint}/resend");
    let triggers = async |count| {
        let attempts = format!("/app/acme/attempt/msg/{id}");
        let made = |it: &Value| it["data"].as_array().unwrap().len() == count;
        let listed = until_async(|| server.get(&attempts), made).await;
        // The delivery has failed again, so no attempt follows.
        let delivery = server.get(&path).await;
        assert_eq!(delivery["data"][0]["status"], 2, "{delivery}");
        let listed = listed["data"].as_array().unwrap().iter();
        listed.map(|it| it["triggerType"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    server.post(&resend, json!({})).await;
    assert_eq!(triggers(3).await, [1, 0, 0], "newest first");
    let since = json!({ "since": "2020-01-01T00:00:00Z" });
    server.post(&format!("/app/acme/endpoint/{endpoint}/recover"), since).await;
    assert_eq!(triggers(4).await, [1, 1, 0, 0]);
    server.post(&format!("{resend}?retry=true"), json!({})).await;
    assert_eq!(triggers(6).await, [0, 1, 1, 1, 0, 0]);
    receiver.set_behavior("down", Behavior::Status(204));
    server.post(&resend, json!({})).await;
    until_async(|| server.get(&path), |it| it["data"][0]["status"] == 0).await;
    assert_eq!(receiver.calls("down").len(), 7);
}

/// During a failing attempt that takes two seconds, lists, filters and counts agree about the
/// delivery; and so does the message after the endpoint is deleted.
#[tokio::test]
async fn lists_agree_about_a_delivery_between_two_attempts() {
    let receiver = Receiver::start().await;
    let server = Server::with_variables(&[
        ("POSTRIDER_REQUEST_TIMEOUT", "2s"),
        ("POSTRIDER_RETRY_SCHEDULE", "1h"),
    ]);
    server.application("acme").await;
    let (endpoint, _) = server.endpoint("acme", &receiver.url("slow")).await;
    receiver.set_behavior("slow", Behavior::Hang);
    let id = server.publish("acme", json!({})).await;
    let messages = format!("/app/acme/endpoint/{endpoint}/msg");
    let sending = format!("{messages}?status=3");
    let found = until_async(|| server.get(&sending), |it| it["data"][0]["id"] == id.as_str()).await;
    assert_eq!(found["data"][0]["statusText"], "sending");
    assert!(found["data"][0]["nextAttempt"].is_string());
    for status in [0, 1, 2, 4] {
        assert_eq!(server.get(&format!("{messages}?status={status}")).await["data"], json!([]));
    }
    let stats = server.get(&format!("/app/acme/endpoint/{endpoint}/stats")).await;
    assert_eq!((&stats["pending"], &stats["sending"]), (&json!(0), &json!(1)));

    let attempts = format!("/app/acme/attempt/endpoint/{endpoint}");
    let attempt = server.get(&attempts).await["data"][0].clone();
    assert!(attempt["responseDurationMs"].as_u64().unwrap() >= 1_900, "{attempt}");
    let began: jiff::Timestamp = attempt["timestamp"].as_str().unwrap().parse().unwrap();
    for (bound, micros, count) in [
        ("after", -1, 1),
        ("after", 0, 1),
        ("after", 1, 0),
        ("after", 1_500_000, 0),
        ("before", -1, 0),
        ("before", 0, 0),
        ("before", 1, 1),
        ("before", 1_500_000, 1),
    ] {
        let moment = began + jiff::SignedDuration::from_micros(micros);
        let page = server.get(&format!("{attempts}?{bound}={moment}")).await;
        assert_eq!(page["data"].as_array().unwrap().len(), count, "{bound} {micros}");
    }

    let one = format!("/app/acme/endpoint/{endpoint}");
    server.call(Method::DELETE, &one, None).await.unwrap();
    let left = server.get(&format!("/app/acme/msg/{id}/endpoint")).await["data"][0].clone();
    assert_eq!((&left["id"], &left["disabled"]), (&json!(endpoint), &json!(true)));
    assert_eq!(left["url"], receiver.url("slow"));
}

#[tokio::test]
async fn a_resend_between_retries_does_not_change_the_schedule() {
    let receiver = Receiver::start().await;
    let server = Server::with_variables(&[("POSTRIDER_RETRY_SCHEDULE", "1h")]);
    server.application("acme").await;
    let (endpoint, _) = server.endpoint("acme", &receiver.url("down")).await;
    receiver.set_behavior("down", Behavior::Status(500));
    let id = server.publish("acme", json!({})).await;
    let attempts = format!("/app/acme/attempt/msg/{id}");
    let made = |count| move |it: &Value| it["data"].as_array().unwrap().len() == count;
    until_async(|| server.get(&attempts), made(1)).await;
    let path = format!("/app/acme/msg/{id}/endpoint");
    let next = async || server.get(&path).await["data"][0]["nextAttempt"].clone();
    let planned = next().await;
    assert!(planned.is_string(), "{planned}");
    server.post(&format!("{path}/{endpoint}/resend"), json!({})).await;
    until_async(|| server.get(&attempts), made(2)).await;
    assert_eq!(next().await, planned);
}

#[tokio::test]
async fn a_410_disables_the_endpoint_which_keeps_its_backlog_until_it_is_enabled() {
    let receiver = Receiver::start().await;
    let schedule = "100ms,1s,1s,1s,1s,1s,1s,1s,1s,1s";
    let server = Server::with_variables(&[("POSTRIDER_RETRY_SCHEDULE", schedule)]);
    server.application("acme").await;
    let (endpoint, _) = server.endpoint("acme", &receiver.url("gone")).await;
    receiver.set_behavior("gone", Behavior::Status(500));
    let mut published = HashSet::new();
    for n in 0..6 {
        published.insert(server.publish("acme", json!({ "n": n })).await);
    }
    receiver.set_behavior("gone", Behavior::Status(410));
    let path = format!("/app/acme/endpoint/{endpoint}");
    until_async(|| server.get(&path), |it| it["disabled"] == true).await;
    let messages = format!("{path}/msg");
    let all = |status: u64| {
        move |it: &Value| {
            let rows = it["data"].as_array().unwrap();
            rows.len() == 6 && rows.iter().all(|row| row["status"] == status)
        }
    };
    until_async(|| server.get(&messages), all(3)).await;
    // Messages published meanwhile are not for the endpoint.
    server.publish("acme", json!({})).await;
    let calls = receiver.calls("gone").len();
    receiver.set_behavior("gone", Behavior::Status(200));
    server.must(Method::PATCH, &path, Some(json!({ "disabled": false }))).await;
    until_async(|| server.get(&messages), all(0)).await;
    let later = receiver.calls("gone").split_off(calls);
    let arrived: HashSet<_> = later.iter().map(|call| call.id().to_owned()).collect();
    assert_eq!(arrived, published);
}

#[tokio::test]
async fn an_endpoint_that_never_responds_does_not_delay_others() {
    let receiver = Receiver::start().await;
    // Longer than the test: a hanging attempt lasts from the first message to the last.
    let server = Server::with_variables(&[("POSTRIDER_REQUEST_TIMEOUT", "100s")]);
    server.application("acme").await;
    server.application("other").await;
    receiver.set_behavior("hangs", Behavior::Hang);
    server.endpoint("acme", &receiver.url("hangs")).await;
    server.endpoint("acme", &receiver.url("same-application")).await;
    server.endpoint("other", &receiver.url("other-application")).await;
    let count = 300;
    for n in 0..count {
        server.publish("acme", json!({ "n": n })).await;
        server.publish("other", json!({ "n": n })).await;
    }
    for path in ["same-application", "other-application"] {
        let calls = receiver.until(path, |calls| calls.len() == count).await;
        let ids: HashSet<_> = calls.iter().map(crate::receiver::Call::id).collect();
        assert_eq!(ids.len(), count, "{path}");
    }
    // No more are sent while these hang.
    assert!(receiver.calls("hangs").len() < count);
}

#[tokio::test]
async fn private_addresses_are_rejected_unless_allowed() {
    let receiver = Receiver::start().await;
    let server = Server::with_variables(&[("POSTRIDER_ALLOW_NETWORKS", "")]);
    server.application("acme").await;
    let url = format!("http://localhost:{}/private", receiver.address.port());
    let body = json!({ "url": url });
    let (status, response) =
        server.call(Method::POST, "/app/acme/endpoint", Some(body)).await.unwrap();
    if status == 201 {
        // The name is resolved at the attempt, which records the rejection with its reason.
        let id = server.publish("acme", json!({})).await;
        let path = format!("/app/acme/attempt/msg/{id}");
        let attempts =
            until_async(|| server.get(&path), |it| !it["data"].as_array().unwrap().is_empty())
                .await;
        assert_eq!(attempts["data"][0]["status"], 2, "{attempts}");
    } else {
        assert_eq!(status, 422, "{response}");
    }
    assert!(receiver.calls("private").is_empty());
}

#[tokio::test]
async fn a_rotated_secret_and_the_new_one_both_verify() {
    let receiver = Receiver::start().await;
    let server = Server::start();
    server.application("acme").await;
    let (endpoint, old) = server.endpoint("acme", &receiver.url("rotated")).await;
    let path = format!("/app/acme/endpoint/{endpoint}/secret");
    server.post(&format!("{path}/rotate"), json!({})).await;
    let new = server.get(&path).await["key"].as_str().unwrap().to_owned();
    assert_ne!(old, new);
    server.publish("acme", json!({})).await;
    let calls = receiver.until("rotated", |calls| !calls.is_empty()).await;
    assert!(calls[0].is_verified(&old) && calls[0].is_verified(&new));
}

#[tokio::test]
async fn both_names_of_the_signature_headers_can_be_enabled() {
    let receiver = Receiver::start().await;
    let server = Server::with_variables(&[("POSTRIDER_SIGNATURE_HEADERS", "both")]);
    server.application("acme").await;
    server.endpoint("acme", &receiver.url("both")).await;
    let id = server.publish("acme", json!({})).await;
    let calls = receiver.until("both", |calls| !calls.is_empty()).await;
    for name in ["webhook-id", "svix-id"] {
        assert_eq!(calls[0].header(name), id);
    }
    assert_eq!(calls[0].header("svix-signature"), calls[0].header("webhook-signature"));
}

#[tokio::test]
async fn retry_after_lengthens_the_wait() {
    let receiver = Receiver::start().await;
    let server = Server::start();
    server.application("acme").await;
    server.endpoint("acme", &receiver.url("busy")).await;
    receiver.set_behavior("busy", Behavior::Busy { seconds: 1 });
    server.publish("acme", json!({})).await;
    let calls = receiver.until("busy", |calls| calls.len() == 2).await;
    let waited = calls[1].at - calls[0].at;
    assert!(waited >= Duration::from_secs(1), "{waited:?}");
}

#[tokio::test]
async fn deliveries_can_be_divided_among_several_shards() {
    let receiver = Receiver::start().await;
    let mut server = Server::with_variables(&[("POSTRIDER_SHARDS", "3")]);
    for n in 0..12 {
        let application = format!("app{n}");
        server.application(&application).await;
        server.endpoint(&application, &receiver.url("all")).await;
    }
    receiver.set_behavior("all", Behavior::FailFirst(5));
    let mut ids = HashSet::new();
    for n in 0..120 {
        ids.insert(server.publish(&format!("app{}", n % 12), json!({ "n": n })).await);
    }
    receiver
        .until("all", |calls| {
            let arrived: HashSet<_> = calls.iter().skip(5).map(crate::receiver::Call::id).collect();
            ids.iter().all(|id| arrived.contains(id.as_str()))
        })
        .await;
    assert!(server.terminate().success(), "{}", server.log());
}
