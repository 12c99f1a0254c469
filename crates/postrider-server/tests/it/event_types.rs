//! Event types.

use postrider_server::ApplicationGrant;
use serde_json::json;

use crate::world::{World, application_id, plain};

const ALL: &str = "/api/v1/event-type";
const ONE: &str = "/api/v1/event-type/user.created";

#[tokio::test(start_paused = true)]
async fn an_event_type_is_created_changed_and_listed() {
    let world = World::new();
    let full = json!({
        "name": "user.created",
        "description": "A user",
        "deprecated": true,
        "schemas": { "1": { "type": "object", "title": "z before a" } },
        "groupName": "user",
        "featureFlags": ["beta"],
    });
    let created = world.post(ALL, full.clone()).await.expect(201);
    let conflict = world.post(ALL, full).await.expect(409);
    let patched = world.patch(ONE, json!({ "schemas": null, "featureFlags": null })).await;
    let replaced = world.put(ONE, json!({ "description": "B" })).await.expect(200);
    let listed = world.get(ALL).await.expect(200);
    insta::assert_json_snapshot!(plain(json!([
        created,
        conflict,
        patched.expect(200),
        replaced,
        listed,
    ])));
    world.put("/api/v1/event-type/other", json!({ "description": "" })).await.expect(201);
}

#[tokio::test(start_paused = true)]
async fn archived_event_types_are_hidden_and_can_come_back() {
    let world = World::new();
    let body = json!({ "name": "user.created", "description": "A user" });
    world.post(ALL, body.clone()).await.expect(201);
    world.delete(ONE).await.expect(204);
    let count = async |query: &str| {
        let page = world.get(&format!("{ALL}?{query}")).await.expect(200);
        page["data"].as_array().unwrap().len()
    };
    assert_eq!((count("").await, count("include_archived=true").await), (0, 1));
    assert_eq!(world.get(ONE).await.expect(200)["archived"], true);
    world.post(ALL, body).await.expect(201);
    assert_eq!(count("").await, 1);
    world.delete(&format!("{ONE}?expunge=true")).await.expect(204);
    world.get(ONE).await.expect(404);
    world.delete(ONE).await.expect(404);
}

#[tokio::test(start_paused = true)]
async fn archived_event_types_accept_no_messages_and_no_new_endpoints() {
    let world = World::new();
    world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await.expect(201);
    world.put(ONE, json!({ "description": "" })).await.expect(201);
    let endpoint =
        json!({ "url": "https://example.com", "uid": "e", "eventTypes": ["user.created"] });
    world.post("/api/v1/app/a/endpoint", endpoint.clone()).await.expect(201);
    let event = json!({ "eventType": "user.created", "payload": {} });
    world.post("/api/v1/app/a/msg", event.clone()).await.expect(202);
    world.delete(ONE).await.expect(204);
    let refused = world.post("/api/v1/app/a/msg", event.clone()).await.expect(422);
    assert_eq!(refused["detail"][0]["loc"], json!(["body", "eventType"]));
    let refused = world.post("/api/v1/app/a/endpoint", endpoint.clone()).await.expect(422);
    assert_eq!(refused["detail"][0]["loc"], json!(["body", "eventTypes", "0"]));
    // Endpoints that asked for it before keep it.
    world.put("/api/v1/app/a/endpoint/e", endpoint).await.expect(200);
    world.patch(ONE, json!({ "archived": false })).await.expect(200);
    world.post("/api/v1/app/a/msg", event).await.expect(202);
}

#[tokio::test(start_paused = true)]
async fn flagged_event_types_are_shown_to_tokens_with_the_flag() {
    let world = World::new();
    let app = world.post("/api/v1/app", json!({ "name": "A" })).await.id();
    let flagged = json!({ "name": "beta.one", "description": "", "featureFlags": ["beta"] });
    world.post(ALL, flagged).await.expect(201);
    world.post(ALL, json!({ "name": "plain", "description": "" })).await.expect(201);
    let plain = ApplicationGrant::full(application_id(&app));
    let beta = ApplicationGrant { feature_flags: ["beta".to_owned()].into(), ..plain.clone() };
    for (grant, names, status) in
        [(plain, &["plain"][..], 404), (beta, &["beta.one", "plain"], 200)]
    {
        let token = world.own_token(grant);
        let page = world.call_as(&token, http::Method::GET, ALL, None).await.expect(200);
        let data = page["data"].as_array().unwrap();
        let shown: Vec<_> = data.iter().map(|it| it["name"].as_str().unwrap()).collect();
        assert_eq!(shown, names);
        let one = "/api/v1/event-type/beta.one";
        assert_eq!(world.call_as(&token, http::Method::GET, one, None).await.status, status);
    }
}

/// Asks for these event types in all ways, and expects the item to be refused with this.
async fn refused(world: &World, types: &serde_json::Value, sentence: &str) {
    let url = "https://example.com";
    let one = "/api/v1/app/a/endpoint/e";
    for field in ["eventTypes", "filterTypes"] {
        let new = json!({ "url": url, field: types });
        for error in [
            world.post("/api/v1/app/a/endpoint", new.clone()).await,
            world.put("/api/v1/app/a/endpoint/new", new.clone()).await,
            world.put(one, new).await,
            world.patch(one, json!({ field: types })).await,
        ] {
            let error = error.expect(422);
            assert_eq!(error["detail"][0]["loc"][1], "eventTypes", "{error}");
            assert_eq!(error["detail"][0]["msg"], sentence, "{types}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn endpoints_can_subscribe_only_to_existing_event_types() {
    let world = World::new();
    world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await.expect(201);
    world.event_types(&["invoice.paid", "invoice.sent"]).await;
    let endpoint = json!({ "url": "https://example.com", "uid": "e", "eventTypes": ["svix.ping"] });
    world.post("/api/v1/app/a/endpoint", endpoint).await.expect(201);
    let near = "is not an event type; did you mean invoice.paid, invoice.sent?";
    refused(&world, &json!(["invoice.piad"]), near).await;
    refused(&world, &json!(["zzz"]), "is not an event type; create it first").await;
    let empty = "must have at least one item; use null to match everything";
    refused(&world, &json!([]), empty).await;
    let patch = json!({ "eventTypes": ["invoice.paid"] });
    world.patch("/api/v1/app/a/endpoint/e", patch).await.expect(200);
    // A deleted event type does not prevent other changes.
    world.delete("/api/v1/event-type/invoice.paid?expunge=true").await.expect(204);
    let kept = json!({ "eventTypes": ["invoice.paid", "invoice.sent"], "description": "x" });
    world.patch("/api/v1/app/a/endpoint/e", kept).await.expect(200);
}

#[tokio::test(start_paused = true)]
async fn suggestions_omit_event_types_that_the_token_cannot_see() {
    let world = World::new();
    let app = world.post("/api/v1/app", json!({ "name": "A" })).await.id();
    let flagged = json!({ "name": "beta.one", "description": "", "featureFlags": ["beta"] });
    world.post(ALL, flagged).await.expect(201);
    let token = world.own_token(ApplicationGrant::full(application_id(&app)));
    let endpoint = json!({ "url": "https://example.com", "eventTypes": ["beta.oen"] });
    let path = format!("/api/v1/app/{app}/endpoint");
    let error = world.call_as(&token, http::Method::POST, &path, Some(&endpoint)).await;
    assert_eq!(error.expect(422)["detail"][0]["msg"], "is not an event type; create it first");
}

#[tokio::test(start_paused = true)]
async fn received_webhooks_name_their_event_types_themselves() {
    let world = World::new();
    world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await.expect(201);
    let sources = "/ingest/api/v1/source";
    let own = json!({ "name": "S", "type": "generic-webhook", "uid": "own" });
    let own = world.post(sources, own).await.expect(201);
    let endpoint = json!({ "url": "https://example.com", "filterTypes": ["push"] });
    world.post("/ingest/api/v1/source/own/endpoint", endpoint.clone()).await.expect(201);
    let path = format!("/api/v1/app/{}/endpoint", own["appId"].as_str().unwrap());
    world.post(&path, endpoint.clone()).await.expect(201);
    world.post("/api/v1/app/a/endpoint", endpoint.clone()).await.expect(422);
    let shared = json!({ "name": "S", "type": "generic-webhook", "appId": "a" });
    world.post(sources, shared).await.expect(201);
    world.post("/api/v1/app/a/endpoint", endpoint).await.expect(201);
}

#[tokio::test(start_paused = true)]
async fn schemas_must_be_json_schema() {
    let world = World::new();
    let good = json!({ "1": { "type": "object" }, "2": { "$ref": "https://203.0.113.1/x" } });
    let body = json!({ "name": "user.created", "description": "", "schemas": good });
    world.post(ALL, body).await.expect(201);
    let bad = json!({ "1": { "type": "object" }, "2": { "readOnly": 15 } });
    for error in [
        world.post(ALL, json!({ "name": "x", "description": "", "schemas": bad })).await,
        world.put(ONE, json!({ "description": "", "schemas": bad })).await,
        world.patch(ONE, json!({ "schemas": bad })).await,
    ] {
        let error = error.expect(422);
        assert_eq!(error["detail"][0]["loc"], json!(["body", "schemas", "2"]));
        assert!(error["detail"][0]["msg"].as_str().unwrap().contains("/readOnly"), "{error}");
    }
    assert_eq!(world.get(ONE).await.expect(200)["schemas"], good);
}
