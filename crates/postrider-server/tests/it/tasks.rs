//! Background tasks over HTTP.

use postrider_core::catalog::{Task, Work};
use postrider_server::ApplicationGrant;
use postrider_store::{Expected, Records};
use serde_json::{Value, json};

use crate::world::{ORGANIZATION, World, application_id, token};

const EPOCH: &str = "2020-01-01T00:00:00Z";
const TASKS: &str = "/api/v1/background-task";
const ONE: &str = "/api/v1/app/a/endpoint/one";

/// An application with endpoints `one`, which gets every message, and `two`, which gets those of
/// type `b`; all attempts fail.
async fn world() -> World {
    let world = World::new();
    world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await.expect(201);
    world.event_types(&["a", "b"]).await;
    let one = json!({ "url": "https://example.com/1", "uid": "one" });
    let two = json!({ "url": "https://example.com/2", "uid": "two", "eventTypes": ["b"] });
    for endpoint in [one, two] {
        world.post("/api/v1/app/a/endpoint", endpoint).await.expect(201);
    }
    world.receiver.answer(500);
    world
}

async fn publish(world: &World, count: usize, event_type: &str) {
    for _ in 0..count {
        let event = json!({ "eventType": event_type, "payload": {} });
        world.post("/api/v1/app/a/msg", event).await.expect(202);
    }
}

async fn all_failed(world: &World, endpoint: &str, count: usize) {
    world
        .until(&format!("/api/v1/app/a/endpoint/{endpoint}/stats"), |it| it["fail"] == count)
        .await;
}

/// The task as it is when it has ended.
async fn ended(world: &World, started: &Value) -> Value {
    let id = started["id"].as_str().unwrap();
    world.until(&format!("{TASKS}/{id}"), |it| it["status"] != "running").await
}

fn calls(world: &World) -> usize {
    world.receiver.calls.lock().unwrap().len()
}

#[tokio::test(start_paused = true)]
async fn a_recovery_is_a_task_that_sends_each_failed_delivery_once() {
    let world = world().await;
    publish(&world, 2, "a").await;
    all_failed(&world, "one", 2).await;
    let before = calls(&world);
    let started =
        world.post(&format!("{ONE}/recover"), json!({ "since": EPOCH })).await.expect(202);
    assert_eq!(
        (&started["task"], &started["status"]),
        (&json!("endpoint.recover"), &json!("running"))
    );
    let task = ended(&world, &started).await;
    assert_eq!(task["status"], "finished");
    assert_eq!(task["data"], json!({ "messagesSent": 2 }));
    assert_eq!(task["kind"], "recover");
    assert_eq!(task["progress"]["total"], 2);
    assert_eq!(task["progress"]["isMinimum"], false);
    assert_eq!(task["startedBy"], format!("a token of {ORGANIZATION}"));
    assert_eq!(task["parameters"]["statuses"], json!(["fail", "canceled"]));
    all_failed(&world, "one", 2).await;
    assert_eq!(calls(&world), before + 2);
}

#[tokio::test(start_paused = true)]
async fn a_bulk_replay_sends_what_matches_its_conditions() {
    let world = world().await;
    publish(&world, 3, "a").await;
    all_failed(&world, "one", 3).await;
    world.receiver.answer(200);
    publish(&world, 2, "b").await;
    world.until(&format!("{ONE}/stats"), |it| it["success"] == 2).await;
    for (conditions, expected) in [
        (json!({}), 5),
        (json!({ "eventTypes": ["b"] }), 2),
        (json!({ "status": 0 }), 5),
        (json!({ "status": 2 }), 0),
        (json!({ "statusCodeClass": 500 }), 0),
        (json!({ "statusCodeClass": 200, "eventTypes": ["a"] }), 3),
        (json!({ "channel": "none" }), 0),
        (json!({ "tag": "none" }), 0),
        (json!({ "until": "2020-01-02T00:00:00Z" }), 0),
    ] {
        let mut body = json!({ "since": EPOCH });
        body.as_object_mut().unwrap().extend(conditions.as_object().unwrap().clone());
        let before = calls(&world);
        let started = world.post(&format!("{ONE}/bulk-replay"), body).await.expect(202);
        let task = ended(&world, &started).await;
        assert_eq!(task["data"]["messagesSent"], expected, "{conditions}");
        assert_eq!(task["task"], "endpoint.bulk-replay");
        world.until(&format!("{ONE}/stats"), |it| it["success"] == 5).await;
        assert_eq!(calls(&world), before + expected, "{conditions}");
    }
}

#[tokio::test(start_paused = true)]
async fn messages_that_an_endpoint_missed_are_sent_once() {
    let world = world().await;
    world.receiver.answer(200);
    publish(&world, 4, "a").await;
    publish(&world, 2, "b").await;
    world.until("/api/v1/app/a/endpoint/two/stats", |it| it["success"] == 2).await;
    let wider = json!({ "eventTypes": ["a", "b"] });
    world.patch("/api/v1/app/a/endpoint/two", wider).await.expect(200);
    let path = "/api/v1/app/a/endpoint/two/replay-missing";
    for expected in [4, 0] {
        let started = world.post(path, json!({ "since": EPOCH })).await.expect(202);
        let task = ended(&world, &started).await;
        assert_eq!(task["data"], json!({ "messagesSent": expected }));
        assert_eq!(task["task"], "endpoint.replay");
        world.until("/api/v1/app/a/endpoint/two/stats", |it| it["success"] == 6).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_resend_by_filter_reaches_all_applications_and_can_be_previewed() {
    let world = world().await;
    publish(&world, 2, "b").await;
    world.post("/api/v1/app", json!({ "name": "B", "uid": "b" })).await.expect(201);
    let endpoint = json!({ "url": "https://example.com/3", "uid": "three" });
    world.post("/api/v1/app/b/endpoint", endpoint).await.expect(201);
    let event = json!({ "eventType": "b", "payload": {} });
    world.post("/api/v1/app/b/msg", event).await.expect(202);
    all_failed(&world, "one", 2).await;
    all_failed(&world, "two", 2).await;
    world.until("/api/v1/app/b/endpoint/three/stats", |it| it["fail"] == 1).await;
    let before = calls(&world);
    for (conditions, expected) in [
        (json!({}), 5),
        (json!({ "appId": "a" }), 4),
        (json!({ "appId": "a", "endpointIds": ["two"] }), 2),
        (json!({ "cause": "500" }), 5),
        (json!({ "cause": "5xx", "appId": "b" }), 1),
        (json!({ "cause": "timeout" }), 0),
        (json!({ "status": [0, 4] }), 0),
    ] {
        let mut body = json!({ "since": EPOCH });
        body.as_object_mut().unwrap().extend(conditions.as_object().unwrap().clone());
        let preview = world.post("/api/v1/resend/preview", body).await.expect(200);
        assert_eq!(preview["count"], expected, "{conditions}");
        assert_eq!(preview["isMinimum"], false);
        assert_eq!(preview["samples"].as_array().unwrap().len(), expected.min(5));
    }
    assert_eq!(calls(&world), before);
    let started = world.post("/api/v1/resend", json!({ "since": EPOCH })).await.expect(202);
    let task = ended(&world, &started).await;
    assert_eq!((&task["kind"], &task["progress"]["done"]), (&json!("resend"), &json!(5)));
    assert_eq!(calls(&world), before + 5);
    for (body, place) in [
        (json!({ "since": EPOCH, "endpointIds": ["one"] }), "appId"),
        (json!({ "since": EPOCH, "cause": "bad luck" }), "cause"),
        (json!({ "since": "2100-01-01T00:00:00Z" }), "since"),
    ] {
        let error = world.post("/api/v1/resend", body).await.expect(422);
        assert_eq!(error["detail"][0]["loc"], json!(["body", place]));
    }
}

#[tokio::test(start_paused = true)]
async fn pending_deliveries_are_cancelled_by_endpoint_and_by_application() {
    let world = world().await;
    let later = json!({ "eventType": "b", "payload": {}, "deliverAt": "2026-01-01T20:00:00Z" });
    for _ in 0..3 {
        world.post("/api/v1/app/a/msg", later.clone()).await.expect(202);
    }
    let early = json!({ "createdBefore": EPOCH });
    world.post(&format!("{ONE}/cancel-msgs"), early).await.expect(204);
    let all = json!({ "createdBefore": "2026-01-02T00:00:00Z" });
    world.post(&format!("{ONE}/cancel-msgs"), all.clone()).await.expect(204);
    world.until(&format!("{ONE}/stats"), |it| it["canceled"] == 3).await;
    let started = world.post("/api/v1/app/a/cancel-msgs", all).await.expect(202);
    let task = ended(&world, &started).await;
    assert_eq!(task["data"], json!({ "messagesCanceled": 3 }));
    assert_eq!(calls(&world), 0);
}

#[tokio::test(start_paused = true)]
async fn payloads_are_removed_by_a_task_and_by_id() {
    let world = world().await;
    world.receiver.answer(200);
    publish(&world, 3, "a").await;
    let event = json!({ "eventType": "a", "payload": {}, "eventId": "known" });
    world.post("/api/v1/app/a/msg", event).await.expect(202);
    let ids = json!({ "ids": ["known", "unknown", "!"] });
    let results = world.post("/api/v1/app/a/msg/bulk-expunge", ids).await.expect(200);
    let expected = json!({ "known": "expunged", "unknown": "not-found", "!": "not-found" });
    assert_eq!(results["results"], expected);
    let path = "/api/v1/app/a/msg/expunge-all-contents";
    let started = world.call(http::Method::POST, path, None).await;
    let started = if started.status == 202 { started.json } else { panic!("{}", started.text) };
    let task = ended(&world, &started).await;
    assert_eq!(task["data"], json!({ "messagesPurged": 3 }));
    assert_eq!(task["task"], "application.purge_content");
    let listed = world.get("/api/v1/app/a/msg").await.expect(200);
    for message in listed["data"].as_array().unwrap() {
        assert_eq!(message["payload"], json!({ "expired": true }));
    }
}

#[tokio::test(start_paused = true)]
async fn statistics_of_all_applications_are_computed_by_tasks() {
    let world = world().await;
    world.receiver.answer(200);
    publish(&world, 2, "b").await;
    let id = world.post("/api/v1/app", json!({ "name": "B" })).await.id();
    let path = "/api/v1/stats/usage/app";
    let body = json!({ "since": EPOCH, "until": "2027-01-01T00:00:00Z" });
    let task = ended(&world, &world.post(path, body).await.expect(202)).await;
    let stats = &task["data"]["appStats"];
    assert_eq!(stats[0]["appUid"], "a");
    assert_eq!(stats[0]["messageDestinations"], 4);
    assert_eq!(stats[1], json!({ "appId": id, "appUid": null, "messageDestinations": 0 }));
    let some = json!({ "since": EPOCH, "until": "2027-01-01T00:00:00Z", "appIds": ["a", "z"] });
    let started = world.post(path, some).await.expect(202);
    assert_eq!(started["unresolvedAppIds"], json!(["z"]));
    assert_eq!(ended(&world, &started).await["data"]["appStats"].as_array().unwrap().len(), 1);
    let none = json!({ "since": EPOCH, "until": "2027-01-01T00:00:00Z", "appIds": ["z"] });
    world.post(path, none).await.expect(422);
    let started = world.call(http::Method::PUT, "/api/v1/stats/usage/event-types", None).await;
    let task = ended(&world, &started.expect(202)).await;
    let types = &task["data"]["event_types"];
    assert_eq!(types[0]["explicitlySubscribedEventTypes"], json!(["b"]));
    assert_eq!(types[0]["hasCatchAllEndpoint"], true);
    assert_eq!(types[1]["hasCatchAllEndpoint"], false);
}

#[tokio::test(start_paused = true)]
async fn a_task_is_listed_filtered_and_cancelled() {
    let mut world = world().await;
    publish(&world, 3, "a").await;
    all_failed(&world, "one", 3).await;
    let started =
        world.post(&format!("{ONE}/recover"), json!({ "since": EPOCH })).await.expect(202);
    ended(&world, &started).await;
    // Nothing runs any more.
    world.break_engine();
    let waiting =
        world.post(&format!("{ONE}/recover"), json!({ "since": EPOCH })).await.expect(202);
    let count = async |query: &str| {
        let page = world.get(&format!("{TASKS}{query}")).await.expect(200);
        page["data"].as_array().unwrap().len()
    };
    assert_eq!(count("").await, 2);
    assert_eq!(count("?limit=1").await, 1);
    assert_eq!(count("?status=running").await, 1);
    assert_eq!(count("?status=finished&task=endpoint.recover").await, 1);
    assert_eq!(count("?kind=resend").await, 0);
    world.get(&format!("{TASKS}?status=odd")).await.expect(422);
    let path = format!("{TASKS}/{}", waiting["id"].as_str().unwrap());
    for _ in 0..2 {
        let task = world.call(http::Method::POST, &format!("{path}/cancel"), None).await;
        assert_eq!(task.json["state"], "cancelling", "{}", task.text);
    }
    let finished = format!("{TASKS}/{}/cancel", started["id"].as_str().unwrap());
    assert_eq!(world.call(http::Method::POST, &finished, None).await.json["state"], "finished");
    world.get(&format!("{TASKS}/qtask_2dZy5S3jFQH3OjfYQ6vSj0Y8PqL")).await.expect(404);
    let other = token(&world.engine, "org_other", None);
    world.call_as(&other, http::Method::GET, &path, None).await.expect(404);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_task_ends_at_its_next_batch() {
    let world = world().await;
    let (id, now) = (world.engine.clock().task_id(), world.engine.clock().now());
    let new = Task::new(
        id,
        ORGANIZATION.parse().unwrap(),
        Work::ListSubscriptions,
        "a test".to_owned(),
        now,
    );
    let cancelled = Task { cancelled_by: Some("another test".to_owned()), ..new };
    world.engine.store().save(&cancelled, Expected::New).await.unwrap();
    let task = ended(&world, &json!({ "id": id })).await;
    assert_eq!((&task["status"], &task["state"]), (&json!("failed"), &json!("cancelled")));
    assert_eq!(task["error"], "it was cancelled by another test");
    assert_eq!(task["data"]["error"], task["error"]);
    assert_eq!(task["data"]["event_types"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn a_precheck_tells_whether_an_endpoint_gets_such_a_message() {
    let world = World::new();
    world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await.expect(201);
    world.event_types(&["x"]).await;
    let endpoint = json!({
        "url": "https://example.com", "uid": "e", "eventTypes": ["x"], "channels": ["one"],
    });
    world.post("/api/v1/app/a/endpoint", endpoint).await.expect(201);
    let check = async |body: Value| {
        let reply = world.post("/api/v1/app/a/msg/precheck/active", body).await.expect(200);
        reply["active"] == true
    };
    assert!(check(json!({ "eventType": "x", "channels": ["two", "one"] })).await);
    assert!(!check(json!({ "eventType": "x" })).await);
    assert!(!check(json!({ "eventType": "y", "channels": ["one"] })).await);
    world.patch("/api/v1/app/a/endpoint/e", json!({ "disabled": true })).await.expect(200);
    assert!(!check(json!({ "eventType": "x", "channels": ["one"] })).await);
}

#[tokio::test(start_paused = true)]
async fn the_attempts_of_an_endpoint_are_counted() {
    let world = world().await;
    publish(&world, 2, "a").await;
    all_failed(&world, "one", 2).await;
    let count = async |query: &str| {
        let path = format!("/api/v1/app/a/attempt/endpoint/one/count{query}");
        world.get(&path).await.expect(200)
    };
    let attempts = count("").await["count"].as_u64().unwrap();
    assert!(attempts >= 2, "{attempts}");
    assert_eq!(count("?status=2").await, json!({ "count": attempts, "approximated": false }));
    assert_eq!(count("?status=0").await["count"], 0);
    assert_eq!(count("?status=1").await["count"], 0);
    assert_eq!(count("?status_code_class=500").await["count"], attempts);
}

#[tokio::test(start_paused = true)]
async fn an_application_starts_tasks_for_its_own_endpoints_only() {
    let world = world().await;
    let id = world.get("/api/v1/app/a").await.id();
    let own = world.own_token(ApplicationGrant::full(application_id(&id)));
    let body = json!({ "since": EPOCH });
    let post = http::Method::POST;
    let started =
        world.call_as(&own, post.clone(), &format!("{ONE}/bulk-replay"), Some(&body)).await;
    let started = started.expect(202);
    let task = ended(&world, &started).await;
    assert_eq!(task["startedBy"], format!("a token of {id}"));
    for path in ["/api/v1/resend", "/api/v1/resend/preview"] {
        world.call_as(&own, post.clone(), path, Some(&body)).await.expect(403);
    }
    world.call_as(&own, http::Method::GET, TASKS, None).await.expect(403);
}
