//! The audit log over HTTP: who, when, which operation, and what changed.

use http::Method;
use postrider_server::ApplicationGrant;
use serde_json::{Value, json};

use crate::world::{World, application_id, plain};

const LOG: &str = "/api/v1/audit-log";

async fn entries(world: &World, query: &str) -> Vec<Value> {
    let page = world.get(&format!("{LOG}?order=ascending{query}")).await.expect(200);
    page["data"].as_array().unwrap().clone()
}

/// Operation, kind of the record, and changes.
fn brief(entry: &Value) -> Value {
    json!([entry["operation"], entry["record"]["type"], entry["changes"]])
}

#[tokio::test(start_paused = true)]
async fn an_entry_tells_who_changed_what() {
    let world = World::new();
    let app = world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await;
    let endpoint = json!({ "url": "https://example.com", "uid": "e" });
    world.post("/api/v1/app/a/endpoint", endpoint).await.expect(201);
    let token = world.own_token(ApplicationGrant::full(application_id(&app.id())));
    let patch = json!({ "url": "https://example.com/2", "metadata": { "a": "1" } });
    let path = "/api/v1/app/a/endpoint/e";
    world.call_as(&token, Method::PATCH, path, Some(&patch)).await.expect(200);
    let headers = json!({ "headers": { "x-api-key": "hunter2" } });
    world.put(&format!("{path}/headers"), headers).await.expect(204);
    world.post(&format!("{path}/secret/rotate"), json!({})).await;
    world.delete(path).await.expect(204);
    let found = entries(&world, "").await;
    let text = serde_json::to_string(&found).unwrap();
    assert!(!text.contains("hunter2") && !text.contains("whsec_"), "{text}");
    let times = found.iter().all(|entry| entry["timestamp"].is_string());
    assert!(times, "{text}");
    assert_eq!(found[2]["principal"], json!({ "type": "applicationToken", "id": app.id() }));
    assert_eq!(found[3]["principal"], json!({ "type": "organizationToken", "id": "org_test" }));
    let brief: Vec<_> = found.iter().map(brief).collect();
    insta::assert_json_snapshot!(plain(json!(brief)));
}

#[tokio::test(start_paused = true)]
async fn the_log_is_filtered_and_exported() {
    let world = World::new();
    let mut ids = Vec::new();
    for name in ["A", "B", "C"] {
        ids.push(world.post("/api/v1/app", json!({ "name": name })).await.id());
    }
    world.delete(&format!("/api/v1/app/{}", ids[1])).await.expect(204);
    assert_eq!(entries(&world, "&operation=v1.application.delete").await.len(), 1);
    assert_eq!(entries(&world, &format!("&record_id={}", ids[1])).await.len(), 2);
    assert_eq!(entries(&world, "&principal=org_test").await.len(), 4);
    assert_eq!(entries(&world, "&principal=key_other").await.len(), 0);
    assert_eq!(entries(&world, "&before=2000-01-01T00:00:00Z").await.len(), 0);
    let page = world.get(&format!("{LOG}?limit=3")).await.expect(200);
    assert_eq!((&page["done"], page["data"].as_array().unwrap().len()), (&json!(false), 3));
    let iterator = page["iterator"].as_str().unwrap();
    let rest = world.get(&format!("{LOG}?limit=3&iterator={iterator}")).await.expect(200);
    assert_eq!((&rest["done"], rest["data"].as_array().unwrap().len()), (&json!(true), 1));
    let export = world.get(&format!("{LOG}/export")).await;
    assert_eq!(export.headers["content-type"], "application/x-ndjson");
    assert!(!export.headers.contains_key("postrider-iterator"));
    let lines: Vec<Value> =
        export.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, entries(&world, "").await);
}

#[tokio::test(start_paused = true)]
async fn a_change_that_was_refused_is_not_in_the_log() {
    let world = World::new();
    world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await.expect(201);
    world.post("/api/v1/app", json!({ "name": "B", "uid": "a" })).await.expect(409);
    world.patch("/api/v1/app/a", json!({ "name": "" })).await.expect(422);
    world.delete("/api/v1/app/b").await.expect(404);
    assert_eq!(entries(&world, "").await.len(), 1);
    let own = world
        .own_token(ApplicationGrant::full(application_id(&world.get("/api/v1/app/a").await.id())));
    world.call_as(&own, Method::GET, LOG, None).await.expect(403);
}
