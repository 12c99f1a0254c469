//! Filters of endpoints.

use axum::body::Body;
use http::{Method, Request};
use postrider_core::catalog::Endpoint;
use postrider_store::IdOrUid;
use serde_json::{Value, json};

use crate::world::{OPERATOR, ORGANIZATION, World, token};

const ONE: &str = "/api/v1/app/a/endpoint/e";
const EPOCH: &str = "2020-01-01T00:00:00Z";

/// An application with one endpoint that has this filter.
async fn world(filter: &str) -> World {
    let world = World::new();
    let app = json!({ "name": "A", "uid": "a", "metadata": { "plan": "pro" } });
    world.post("/api/v1/app", app).await.expect(201);
    let endpoint = json!({ "url": "https://example.com/hook", "uid": "e", "filter": filter });
    world.post("/api/v1/app/a/endpoint", endpoint).await.expect(201);
    world
}

async fn publish(world: &World, event_id: &str, payload: Value) {
    let message = json!({ "eventType": "order", "eventId": event_id, "payload": payload });
    world.post("/api/v1/app/a/msg", message).await.expect(202);
}

/// The event ids of the endpoint's messages, the newest first, after this many were delivered.
async fn received(world: &World, count: usize) -> Vec<String> {
    world.until(&format!("{ONE}/stats"), |it| it["success"] == count).await;
    let list = world.get(&format!("{ONE}/msg")).await.expect(200);
    let ids = list["data"].as_array().unwrap().iter();
    ids.map(|it| it["eventId"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_gets_the_messages_for_which_its_filter_is_true() {
    let world = world("payload.amount > 100 && metadata.plan == 'pro'").await;
    publish(&world, "small", json!({ "amount": 100 })).await;
    publish(&world, "large", json!({ "amount": 100.5 })).await;
    publish(&world, "other", json!({ "total": 500 })).await;
    publish(&world, "text", json!({ "amount": "500" })).await;
    publish(&world, "last", json!({ "amount": 500 })).await;
    assert_eq!(received(&world, 2).await, ["last", "large"]);
    let bodies: Vec<_> =
        world.receiver.calls.lock().unwrap().iter().map(|it| it.body().clone()).collect();
    assert_eq!(bodies, [r#"{"amount":100.5}"#, r#"{"amount":500}"#]);
}

#[tokio::test(start_paused = true)]
async fn a_filter_is_kept_by_clients_that_do_not_know_it() {
    let world = world("type == 'order'").await;
    assert_eq!(world.get(ONE).await.expect(200)["filter"], "type == 'order'");
    let put = json!({ "url": "https://example.com/x", "uid": "e" });
    assert_eq!(world.put(ONE, put.clone()).await.expect(200)["filter"], "type == 'order'");
    assert_eq!(world.patch(ONE, json!({})).await.expect(200)["filter"], "type == 'order'");
    let changed = json!({ "url": "https://example.com/x", "uid": "e", "filter": "true" });
    assert_eq!(world.put(ONE, changed).await.expect(200)["filter"], "true");
    let removed = json!({ "url": "https://example.com/x", "uid": "e", "filter": "" });
    assert_eq!(world.put(ONE, removed).await.expect(200).get("filter"), None);
    assert_eq!(world.patch(ONE, json!({ "filter": "false" })).await.expect(200)["filter"], "false");
    assert_eq!(world.patch(ONE, json!({ "filter": null })).await.expect(200).get("filter"), None);
}

#[tokio::test(start_paused = true)]
async fn a_filter_is_checked_when_it_is_saved() {
    let world = world("true").await;
    for (filter, reason) in [
        (
            "paylod.amount > 1",
            "line 1, column 1: there is no variable `paylod`; did you mean `payload`?",
        ),
        (
            "true &&\n type.startWith('a')",
            "line 2, column 7: there is no function `startWith`; did you mean `startsWith`?",
        ),
    ] {
        let body = json!({ "url": "https://example.com/2", "uid": "e", "filter": filter });
        let ingest = "/api/v1/operational-webhook/endpoint";
        for reply in [
            world.post("/api/v1/app/a/endpoint", body.clone()).await,
            world.put(ONE, body.clone()).await,
            world.patch(ONE, json!({ "filter": filter })).await,
            world.post(&format!("{ONE}/filter/test"), json!({ "filter": filter })).await,
            world.post(ingest, body.clone()).await,
        ] {
            let error = reply.expect(422);
            assert_eq!(error["detail"][0]["loc"], json!(["body", "filter"]));
            assert_eq!(error["detail"][0]["msg"], reason);
        }
    }
    let long = format!("type == '{}'", "a".repeat(2_000));
    world.patch(ONE, json!({ "filter": long })).await.expect(422);
    assert_eq!(world.get(ONE).await.expect(200)["filter"], "true");
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_of_an_older_version_has_no_filter() {
    let world = world("true").await;
    world.patch(ONE, json!({ "filter": null })).await.expect(200);
    let (organization, uid) = (ORGANIZATION.parse().unwrap(), "a".parse().unwrap());
    let entry = world.engine.directory().find(&organization, &IdOrUid::Uid(uid)).await;
    let entry = entry.unwrap().unwrap();
    let stored = serde_json::to_value(&*entry.endpoints[0]).unwrap();
    assert_eq!(stored.get("filter"), None);
    assert_eq!(serde_json::from_value::<Endpoint>(stored).unwrap(), *entry.endpoints[0]);
    publish(&world, "one", json!({})).await;
    assert_eq!(received(&world, 1).await, ["one"]);
}

#[tokio::test(start_paused = true)]
async fn a_received_webhook_is_filtered_by_its_headers_and_payload() {
    let world = World::new();
    let source = json!({ "name": "S", "uid": "s", "type": "generic-webhook" });
    let source = world.post("/ingest/api/v1/source", source).await.expect(201);
    let path = source["ingestUrl"].as_str().unwrap();
    let path = path.split_once("/in/").map(|(_, token)| format!("/in/{token}")).unwrap();
    let filter = "headers['x-kind'] == 'push' && payload.ref.endsWith('/main')";
    let endpoint = json!({ "url": "https://example.com/", "uid": "e", "filter": filter });
    let endpoints = "/ingest/api/v1/source/s/endpoint";
    let created = world.post(endpoints, endpoint).await.expect(201);
    assert_eq!(created["filter"], filter);
    for (kind, body) in [
        ("push", r#"{"ref":"refs/heads/main","n":1}"#),
        ("pull", r#"{"ref":"refs/heads/main","n":2}"#),
        ("push", r#"{"ref":"refs/heads/other","n":3}"#),
        ("push", "ref=refs/heads/main"),
        ("push", r#"{"ref":"refs/heads/main","n":5}"#),
    ] {
        let request =
            Request::post(&path).header("X-Kind", kind).header("content-type", "application/json");
        let reply = world.send(request.body(Body::from(body)).unwrap()).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
    }
    for _ in 0..1_000 {
        if world.receiver.calls.lock().unwrap().len() >= 2 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let calls = world.receiver.calls.lock().unwrap();
    let bodies: Vec<_> = calls.iter().map(|it| it.body().clone()).collect();
    assert_eq!(
        bodies,
        [r#"{"ref":"refs/heads/main","n":1}"#, r#"{"ref":"refs/heads/main","n":5}"#]
    );
}

#[tokio::test(start_paused = true)]
async fn operational_messages_are_filtered() {
    let world = World::new();
    let operator = token(&world.engine, OPERATOR, None);
    let inbox = json!({ "name": "Inbox", "uid": ORGANIZATION });
    world.call_as(&operator, Method::POST, "/api/v1/app", Some(&inbox)).await.expect(201);
    let endpoint = json!({ "url": "https://example.com/ops", "uid": "ops",
        "filter": "payload.data.endpointUid == 'e'" });
    let path = format!("/api/v1/app/{ORGANIZATION}/endpoint");
    world.call_as(&operator, Method::POST, &path, Some(&endpoint)).await.expect(201);
    world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await.expect(201);
    for uid in ["d", "e", "f"] {
        let endpoint = json!({ "url": "https://example.com", "uid": uid });
        world.post("/api/v1/app/a/endpoint", endpoint).await.expect(201);
    }
    for _ in 0..1_000 {
        if !world.receiver.calls.lock().unwrap().is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let calls = world.receiver.calls.lock().unwrap();
    let uids: Vec<Value> = calls
        .iter()
        .map(|it| {
            serde_json::from_slice::<Value>(it.body()).unwrap()["data"]["endpointUid"].clone()
        })
        .collect();
    assert_eq!(uids, ["e"]);
}

#[tokio::test(start_paused = true)]
async fn a_replay_sends_the_missing_messages_that_match_now() {
    let world = world("payload.amount > 100").await;
    publish(&world, "50", json!({ "amount": 50 })).await;
    publish(&world, "10", json!({ "amount": 10 })).await;
    publish(&world, "200", json!({ "amount": 200 })).await;
    assert_eq!(received(&world, 1).await, ["200"]);
    world.patch(ONE, json!({ "filter": "payload.amount > 20" })).await.expect(200);
    let replay = json!({ "since": EPOCH });
    let started = world.post(&format!("{ONE}/replay-missing"), replay).await.expect(202);
    let path = format!("/api/v1/background-task/{}", started["id"].as_str().unwrap());
    let ended = world.until(&path, |it| it["status"] == "finished").await;
    assert_eq!(ended["data"]["messagesSent"], 1);
    let mut received = received(&world, 2).await;
    received.sort_unstable();
    assert_eq!(received, ["200", "50"]);
}

#[tokio::test(start_paused = true)]
async fn a_precheck_counts_endpoints_with_filters() {
    let world = world("false").await;
    let path = "/api/v1/app/a/msg/precheck/active";
    let checked = world.post(path, json!({ "eventType": "order" })).await.expect(200);
    assert_eq!(checked["active"], true);
}

#[tokio::test(start_paused = true)]
async fn filtered_endpoints_of_a_message_are_listed_on_request() {
    let world = world("payload.amount > 100").await;
    for (uid, filter) in [("f", "payload.total > 1"), ("g", ""), ("h", "payload.amount == 7")] {
        let endpoint = json!({ "url": "https://example.com/", "uid": uid, "filter": filter });
        world.post("/api/v1/app/a/endpoint", endpoint).await.expect(201);
    }
    let other = json!({ "url": "https://example.com/", "uid": "i", "channels": ["x"],
        "filter": "false" });
    world.post("/api/v1/app/a/endpoint", other).await.expect(201);
    publish(&world, "m", json!({ "amount": 7 })).await;
    let list = async |query: &str| {
        let path = format!("/api/v1/app/a/msg/m/endpoint?{query}");
        let list = world.get(&path).await.expect(200);
        let row = |it: &Value| (it["uid"].as_str().unwrap().to_owned(), it["filtered"].clone());
        let rows: Vec<_> = list["data"].as_array().unwrap().iter().map(row).collect();
        (rows, list["iterator"].as_str().unwrap_or_default().to_owned(), list["done"] == true)
    };
    let uid = |text: &str| text.to_owned();
    let (rows, _, _) = list("").await;
    assert_eq!(rows, [(uid("g"), Value::Null), (uid("h"), Value::Null)]);
    let expected = [
        (uid("e"), json!("the filter is false for this message")),
        (
            uid("f"),
            json!(
                "the filter cannot be evaluated for this message: line 1, column 1: `payload` has \
                 no field `total`"
            ),
        ),
        (uid("g"), Value::Null),
        (uid("h"), Value::Null),
    ];
    let (rows, _, _) = list("with_filtered=true").await;
    assert_eq!(rows, expected);
    let (mut all, mut query) = (Vec::new(), "with_filtered=true&limit=1".to_owned());
    for _ in 0..10 {
        let (rows, iterator, is_done) = list(&query).await;
        all.extend(rows);
        query = format!("with_filtered=true&limit=1&iterator={iterator}");
        if is_done {
            break;
        }
    }
    assert_eq!(all, expected);
}

#[tokio::test(start_paused = true)]
async fn an_explanation_names_the_state_or_the_reason() {
    let world = world("payload.amount > 100").await;
    publish(&world, "small", json!({ "amount": 1 })).await;
    publish(&world, "none", json!({})).await;
    publish(&world, "large", json!({ "amount": 101 })).await;
    assert_eq!(received(&world, 1).await, ["large"]);
    let check = async |message: &str, result: &str, reason: &str| {
        let path = format!("{ONE}/msg/{message}/explanation");
        let shown = world.get(&path).await.expect(200);
        assert_eq!((&shown["result"], &shown["reason"]), (&json!(result), &json!(reason)));
    };
    check("small", "filter", "the filter is false for this message").await;
    check(
        "none",
        "filterNotEvaluated",
        "the filter cannot be evaluated for this message: line 1, column 1: `payload` has no field \
         `amount`",
    )
    .await;
    check("large", "delivered", "the message was delivered after 1 attempt").await;
    tokio::time::advance(std::time::Duration::from_secs(1)).await;
    world.patch(ONE, json!({ "filter": null })).await.expect(200);
    check(
        "small",
        "notSent",
        "the endpoint would get the message now, but the endpoint was changed after the message \
         was accepted; it can be resent",
    )
    .await;
    world.patch(ONE, json!({ "channels": ["eu", "us"] })).await.expect(200);
    check(
        "small",
        "channels",
        "the endpoint receives only the channels `eu`, `us`, and the message has no channels",
    )
    .await;
    world.event_types(&["other"]).await;
    world.patch(ONE, json!({ "eventTypes": ["other"] })).await.expect(200);
    check("small", "eventType", "the endpoint does not receive the event type `order`").await;
    world.patch(ONE, json!({ "disabled": true })).await.expect(200);
    check("small", "disabled", "the endpoint is disabled").await;
    check("large", "delivered", "the message was delivered after 1 attempt").await;
    world.get(&format!("{ONE}/msg/absent/explanation")).await.expect(404);
}

#[tokio::test(start_paused = true)]
async fn an_explanation_shows_deliveries_that_have_not_succeeded() {
    let world = world("").await;
    world.receiver.answer(500);
    publish(&world, "m", json!({})).await;
    let path = format!("{ONE}/msg/m/explanation");
    let shown = world.until(&path, |it| it["result"] == "sending").await;
    assert!(shown["reason"].as_str().unwrap().contains("failed, and the next one is due at"));
    assert!(shown["nextAttempt"].is_string());
    let shown = world.until(&path, |it| it["result"] == "failed").await;
    assert_eq!(shown["reason"], "the delivery failed after 4 attempts; it can be resent");
    assert_eq!(shown["attempts"], 4);
}

#[tokio::test(start_paused = true)]
async fn a_filter_can_be_tried_on_the_latest_messages() {
    let world = world("payload.amount > 100").await;
    for amount in 0..20 {
        publish(&world, &format!("m{amount}"), json!({ "amount": amount * 10 })).await;
    }
    publish(&world, "other", json!({ "total": 1 })).await;
    let path = format!("{ONE}/filter/test");
    let counts = |it: &Value| {
        ["messages", "matching", "notMatching", "notEvaluated", "excluded"]
            .map(|name| it[name].as_u64().unwrap())
    };
    let own = world.post(&path, json!({})).await.expect(200);
    assert_eq!(counts(&own), [21, 9, 11, 1, 0]);
    let ids = |list: &Value| -> Vec<Value> {
        list.as_array().unwrap().iter().map(|it| it["eventId"].clone()).collect()
    };
    let examples = &own["examples"];
    assert_eq!(ids(&examples["matching"]), ["m19", "m18", "m17", "m16", "m15"]);
    assert_eq!(ids(&examples["notMatching"]), ["m10", "m9", "m8", "m7", "m6"]);
    assert_eq!(ids(&examples["notEvaluated"]), ["other"]);
    assert_eq!(
        examples["notEvaluated"][0]["reason"],
        "line 1, column 1: `payload` has no field `amount`"
    );
    let filter = json!({ "filter": "has(payload.amount) && payload.amount == 190", "limit": 2 });
    assert_eq!(counts(&world.post(&path, filter).await.expect(200)), [2, 1, 1, 0, 0]);
    let none = json!({ "filter": "" });
    assert_eq!(counts(&world.post(&path, none).await.expect(200)), [21, 21, 0, 0, 0]);
    world.patch(ONE, json!({ "channels": ["x"], "disabled": true })).await.expect(200);
    assert_eq!(counts(&world.post(&path, json!({})).await.expect(200)), [21, 0, 0, 0, 21]);
    for limit in [0, 1_001] {
        let error = world.post(&path, json!({ "limit": limit })).await.expect(422);
        assert_eq!(error["detail"][0]["loc"], json!(["body", "limit"]));
    }
}

#[tokio::test(start_paused = true)]
async fn large_payloads_end_a_trial_early() {
    let world = world("payload.text == ''").await;
    let text = "a".repeat(60_000);
    for number in 0..300 {
        publish(&world, &format!("m{number}"), json!({ "text": text })).await;
    }
    let tried = world.post(&format!("{ONE}/filter/test"), json!({ "limit": 1_000 })).await;
    let tried = tried.expect(200)["messages"].as_u64().unwrap();
    assert!((270..300).contains(&tried), "{tried}");
}
