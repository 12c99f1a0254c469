//! Checks of payloads against the schemas of event types.

use std::time::Duration;

use axum::body::Body;
use http::Request;
use postrider_core::schema_report::SchemaReport;
use postrider_server::Server;
use postrider_store::{IdOrUid, Records};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::world::{ORGANIZATION, World, settings};

const ONE: &str = "/api/v1/event-type/invoice.paid";
const REPORT: &str = "/api/v1/event-type/invoice.paid/schema-report";
const CHECK: &str = "/api/v1/event-type/invoice.paid/schema-check";
const SETTINGS: &str = "/api/v1/management/environment-settings";
const MESSAGES: &str = "/api/v1/app/a/msg";

fn schemas() -> Value {
    json!({
        "1": { "required": ["legacy"] },
        "2": {
            "type": "object",
            "required": ["id"],
            "properties": { "id": { "type": "string" }, "total": { "minimum": 0 } },
        },
    })
}

async fn world() -> World {
    let world = World::new();
    world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await.expect(201);
    world.put(ONE, json!({ "description": "", "schemas": schemas() })).await.expect(201);
    world
}

#[expect(clippy::needless_pass_by_value, reason = "literals are shorter without a reference")]
fn event(payload: Value) -> Value {
    json!({ "eventType": "invoice.paid", "payload": payload })
}

#[tokio::test(start_paused = true)]
async fn payloads_are_not_checked_unless_that_is_switched_on() {
    let world = world().await;
    world.post(MESSAGES, event(json!({}))).await.expect(202);
    let report = world.get(REPORT).await.expect(200);
    assert_eq!(
        report,
        json!({
            "validation": "off", "version": "2", "valid": 0, "warned": 0, "rejected": 0,
            "recent": [],
        })
    );
}

#[tokio::test(start_paused = true)]
async fn a_payload_that_does_not_match_is_refused_with_the_places() {
    let world = world().await;
    world.patch(ONE, json!({ "schemaValidation": "reject" })).await.expect(200);
    world.post(MESSAGES, event(json!({ "id": "in_1", "total": 1 }))).await.expect(202);
    let payload = json!({ "id": 7, "total": -1, "secret": "hunter2" });
    let refused = world.post(MESSAGES, event(payload.clone())).await.expect(422);
    let problem = |message: &str| json!({ "loc": ["body", "payload"], "msg": message, "type": "value_error" });
    assert_eq!(
        refused["detail"],
        json!([
            problem("at /id: the value is not of type \"string\" (schema of the event type)"),
            problem(
                "at /total: the value is less than the minimum of 0 (schema of the event type)"
            ),
        ])
    );
    // Those of other event types are not checked.
    world.post(MESSAGES, json!({ "eventType": "other", "payload": payload })).await.expect(202);
    let batch = json!({ "messages": [event(json!({ "id": "in_2" })), event(json!({}))] });
    let batch = world.post("/api/v1/app/a/msg/batch", batch).await;
    assert!(batch.text.contains("required property"), "{}", batch.text);
    let report = world.get(REPORT).await.expect(200);
    assert_eq!((&report["valid"], &report["rejected"]), (&json!(2), &json!(2)));
    assert_eq!(report["recent"][1]["application"], "a");
    assert_eq!(report["recent"][1]["rejected"], true);
    assert_eq!(report["recent"][1]["problems"][0]["pointer"], "/id");
    assert!(!report.to_string().contains("hunter2"));
}

#[tokio::test(start_paused = true)]
async fn a_payload_that_is_refused_creates_nothing() {
    let world = world().await;
    world.patch(ONE, json!({ "schemaValidation": "reject" })).await.expect(200);
    let mut event = event(json!({}));
    event["application"] = json!({ "name": "New", "uid": "new" });
    world.post("/api/v1/app/new/msg", event).await.expect(422);
    world.get("/api/v1/app/new").await.expect(404);
    assert_eq!(world.get(MESSAGES).await.expect(200)["data"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn a_warning_accepts_the_message_and_is_reported() {
    let world = world().await;
    world.patch(SETTINGS, json!({ "schemaValidation": "warn" })).await.expect(200);
    let mut event = event(json!({}));
    event["eventId"] = json!("e1");
    world.post(MESSAGES, event).await.expect(202);
    let report = world.get(REPORT).await.expect(200);
    assert_eq!((&report["validation"], &report["warned"]), (&json!("warn"), &json!(1)));
    let recent = &report["recent"][0];
    assert_eq!((&recent["eventId"], &recent["rejected"]), (&json!("e1"), &json!(false)));
    assert_eq!(recent["problems"][0]["message"], "\"id\" is a required property");
    let metrics = world.metrics().await;
    assert!(metrics.contains("postrider_schema_checks_total{result=\"warned\"} 1"), "{metrics}");
}

#[tokio::test(start_paused = true)]
async fn an_event_type_can_differ_from_the_organization() {
    let world = world().await;
    world.patch(SETTINGS, json!({ "schemaValidation": "reject" })).await.expect(200);
    world.post(MESSAGES, event(json!({}))).await.expect(422);
    world.patch(ONE, json!({ "schemaValidation": "off" })).await.expect(200);
    world.post(MESSAGES, event(json!({}))).await.expect(202);
    // An update that does not name it keeps it.
    let update = json!({ "description": "B", "schemas": schemas() });
    let updated = world.put(ONE, update).await.expect(200);
    assert_eq!(updated["schemaValidation"], "off");
    world.post(MESSAGES, event(json!({}))).await.expect(202);
    world.patch(ONE, json!({ "schemaValidation": null })).await.expect(200);
    world.post(MESSAGES, event(json!({}))).await.expect(422);
    world.put(SETTINGS, json!({})).await.expect(200);
    world.post(MESSAGES, event(json!({}))).await.expect(202);
}

#[tokio::test(start_paused = true)]
async fn a_changed_schema_applies_to_the_next_message() {
    let world = world().await;
    world.patch(SETTINGS, json!({ "schemaValidation": "reject" })).await.expect(200);
    world.post(MESSAGES, event(json!({}))).await.expect(422);
    world.patch(ONE, json!({ "schemas": { "3": { "required": ["a"] } } })).await.expect(200);
    let refused = world.post(MESSAGES, event(json!({ "id": "x" }))).await.expect(422);
    assert!(refused.to_string().contains("\\\"a\\\" is a required"), "{refused}");
    world.patch(ONE, json!({ "schemas": null })).await.expect(200);
    world.post(MESSAGES, event(json!({}))).await.expect(202);
    world.delete(&format!("{ONE}?expunge=true")).await.expect(204);
    world.post(MESSAGES, event(json!({}))).await.expect(202);
}

#[tokio::test(start_paused = true)]
async fn a_schema_that_cannot_be_used_is_refused_only_while_payloads_are_checked() {
    let world = world().await;
    let remote = json!({ "1": { "$ref": "https://example.com/invoice.json" } });
    let update = json!({ "description": "", "schemas": remote });
    // It may have been there for long.
    world.put(ONE, update.clone()).await.expect(200);
    let refused = world.patch(ONE, json!({ "schemaValidation": "warn" })).await.expect(422);
    assert_eq!(refused["detail"][0]["loc"], json!(["body", "schemas"]));
    let message = refused["detail"][0]["msg"].as_str().unwrap();
    assert!(message.contains("refers to https://example.com/invoice.json"), "{message}");
    // The organization's setting does not look at all event types; it accepts their messages.
    world.patch(SETTINGS, json!({ "schemaValidation": "reject" })).await.expect(200);
    world.post(MESSAGES, event(json!({}))).await.expect(202);
    let error = world.get(REPORT).await.expect(200)["error"].to_string();
    assert!(error.contains("references to other documents are never followed"), "{error}");
    world.post(CHECK, json!({ "payload": {} })).await.expect(400);
    world.put(ONE, update).await.expect(422);
    world.put(ONE, json!({ "description": "", "schemas": schemas() })).await.expect(200);
    world.post(MESSAGES, event(json!({}))).await.expect(422);
}

#[tokio::test(start_paused = true)]
async fn a_payload_can_be_checked_without_publishing_it() {
    let world = world().await;
    let checked = world.post(CHECK, json!({ "payload": { "id": 1 } })).await.expect(200);
    let problem = json!({ "pointer": "/id", "message": "the value is not of type \"string\"" });
    assert_eq!(checked, json!({ "valid": false, "version": "2", "problems": [problem] }));
    let checked = world.post(CHECK, json!({ "payload": { "id": "x" } })).await.expect(200);
    assert_eq!(checked, json!({ "valid": true, "version": "2", "problems": [] }));
    world.post(CHECK, json!({ "payload": 1 })).await.expect(422);
    world.post("/api/v1/event-type/none/schema-check", json!({ "payload": {} })).await.expect(404);
    assert_eq!(world.get(REPORT).await.expect(200)["rejected"], 0);
}

#[tokio::test(start_paused = true)]
async fn raw_payloads_are_not_checked() {
    let world = world().await;
    world.patch(SETTINGS, json!({ "schemaValidation": "reject" })).await.expect(200);
    let mut event = event(json!({}));
    event["transformationsParams"] = json!({ "rawPayload": "<invoice/>" });
    world.post(MESSAGES, event).await.expect(202);
}

#[tokio::test(start_paused = true)]
async fn long_checks_find_the_same_as_short_ones() {
    let world = world().await;
    world.patch(SETTINGS, json!({ "schemaValidation": "reject" })).await.expect(200);
    let items: Vec<_> = (0..9_000).collect();
    let minimum = json!({ "minimum": 1 });
    let many = json!({ "allOf": [minimum, minimum, minimum, minimum, minimum, minimum, minimum] });
    let schema = json!({ "1": { "properties": { "items": { "items": many } } } });
    world.patch(ONE, json!({ "schemas": schema })).await.expect(200);
    let refused = world.post(MESSAGES, event(json!({ "items": items }))).await.expect(422);
    assert!(refused.to_string().contains("at /items/0: the value is less"), "{refused}");
}

/// A source whose webhooks have the type `webhook`, which has a schema; its URL.
async fn source(world: &World) -> String {
    let event_type = json!({ "description": "", "schemas": schemas() });
    world.put("/api/v1/event-type/webhook", event_type).await.expect(201);
    let source = json!({ "name": "S", "uid": "s", "type": "generic-webhook", "appId": "a" });
    let created = world.post("/ingest/api/v1/source", source).await.expect(201);
    created["ingestUrl"].as_str().unwrap().to_owned()
}

async fn receive(world: &World, url: &str, body: &str) {
    let request = Request::post(url).body(Body::from(body.to_owned())).unwrap();
    let reply = world.send(request).await;
    assert!(reply.status.is_success(), "{} {}", reply.status, reply.text);
}

#[tokio::test(start_paused = true)]
async fn a_received_webhook_that_does_not_match_is_stored_and_reported() {
    let world = world().await;
    let url = source(&world).await;
    let report = "/api/v1/event-type/webhook/schema-report";
    receive(&world, &url, r#"{"id": 0}"#).await;
    assert_eq!(world.get(report).await.expect(200)["warned"], 0, "nothing is checked");
    for (mode, count) in [("warn", 1), ("reject", 2)] {
        world.patch(SETTINGS, json!({ "schemaValidation": mode })).await.expect(200);
        receive(&world, &url, &format!(r#"{{"id": {count}}}"#)).await;
        let report = world.get(report).await.expect(200);
        assert_eq!((&report["warned"], &report["rejected"]), (&json!(count), &json!(0)));
        let recent = &report["recent"][0];
        assert_eq!(
            (&recent["rejected"], &recent["problems"][0]["pointer"]),
            (&json!(false), &json!("/id"))
        );
        let source = world.get("/ingest/api/v1/source/s").await.id();
        assert_eq!(recent["sourceId"], source);
        let message = format!("{MESSAGES}/{}", recent["messageId"].as_str().unwrap());
        world.get(&message).await.expect(200);
    }
    receive(&world, &url, r#"{"id": "in_1"}"#).await;
    receive(&world, &url, "a=1&b=2").await;
    let report = world.get(report).await.expect(200);
    assert_eq!((&report["valid"], &report["warned"]), (&json!(1), &json!(3)));
    assert_eq!(report["recent"][0]["problems"][0]["message"], "the body is not JSON");
    assert_eq!(world.get(MESSAGES).await.expect(200)["data"].as_array().unwrap().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn the_report_is_stored_in_the_background_and_ends_with_its_event_type() {
    let world = world().await;
    world.patch(SETTINGS, json!({ "schemaValidation": "warn" })).await.expect(200);
    world.post(MESSAGES, event(json!({ "id": "x" }))).await.expect(202);
    world.post(MESSAGES, event(json!({}))).await.expect(202);
    let (organization, name) = (ORGANIZATION.parse().unwrap(), "invoice.paid".parse().unwrap());
    let key = IdOrUid::Id(name);
    let store = world.engine.store();
    let stored = tokio::time::timeout(Duration::from_secs(60), async {
        loop {
            match store.get::<SchemaReport>(&organization, &key).await.unwrap() {
                Some(report) => return report,
                None => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    });
    let SchemaReport { findings, .. } = stored.await.unwrap();
    assert_eq!((findings.valid, findings.warned, findings.recent.len()), (1, 1, 1));
    world.delete(&format!("{ONE}?expunge=true")).await.expect(204);
    assert_eq!(store.get::<SchemaReport>(&organization, &key).await.unwrap(), None);
    world.put(ONE, json!({ "description": "", "schemas": schemas() })).await.expect(201);
    assert_eq!(world.get(REPORT).await.expect(200)["warned"], 0);
}

#[tokio::test(start_paused = true)]
async fn what_was_found_is_stored_when_the_server_ends() {
    let world = world().await;
    world.patch(SETTINGS, json!({ "schemaValidation": "warn" })).await.expect(200);
    let server = Server::new(world.engine.clone(), settings());
    let request = Request::post(MESSAGES)
        .header("authorization", format!("Bearer {}", world.token))
        .body(Body::from(event(json!({})).to_string()));
    assert_eq!(server.router().oneshot(request.unwrap()).await.unwrap().status(), 202);
    server.flush().await;
    let (organization, name) = (ORGANIZATION.parse().unwrap(), "invoice.paid".parse().unwrap());
    let store = world.engine.store();
    let report = store.get::<SchemaReport>(&organization, &IdOrUid::Id(name)).await.unwrap();
    assert_eq!(report.unwrap().findings.warned, 1);
}
