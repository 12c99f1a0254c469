//! What the operator is told about endpoints.

use http::Method;
use serde_json::json;

use crate::world::{OPERATOR, ORGANIZATION, World, plain, token};

#[tokio::test(start_paused = true)]
async fn changes_of_endpoints_become_messages_of_the_operator() {
    let world = World::new();
    let operator = token(&world.engine, OPERATOR, None);
    let inbox = json!({ "name": "Inbox", "uid": ORGANIZATION });
    world.call_as(&operator, Method::POST, "/api/v1/app", Some(&inbox)).await.expect(201);

    world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await.expect(201);
    let endpoint = json!({ "url": "https://example.com", "uid": "e" });
    world.post("/api/v1/app/a/endpoint", endpoint).await.expect(201);
    let one = "/api/v1/app/a/endpoint/e";
    world.patch(one, json!({ "description": "changed" })).await.expect(200);
    world.patch(one, json!({ "disabled": true })).await.expect(200);
    world.patch(one, json!({ "disabled": false })).await.expect(200);
    world.delete(one).await.expect(204);

    let path = format!("/api/v1/app/{ORGANIZATION}/msg");
    let told = world.call_as(&operator, Method::GET, &path, None).await.expect(200);
    let data = told["data"].as_array().unwrap();
    let types: Vec<_> = data.iter().rev().map(|it| it["eventType"].as_str().unwrap()).collect();
    assert_eq!(
        types,
        [
            "endpoint.created",
            "endpoint.updated",
            "endpoint.updated",
            "endpoint.disabled",
            "endpoint.updated",
            "endpoint.enabled",
            "endpoint.deleted",
        ]
    );
    let payloads: Vec<_> = data.iter().rev().map(|it| it["payload"].clone()).collect();
    insta::assert_json_snapshot!(plain(json!([payloads[0], payloads[3], payloads[6]])));
}

#[tokio::test(start_paused = true)]
async fn without_an_application_for_them_nobody_is_told() {
    let world = World::new();
    world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await.expect(201);
    let endpoint = json!({ "url": "https://example.com", "uid": "e" });
    world.post("/api/v1/app/a/endpoint", endpoint).await.expect(201);
    world.delete("/api/v1/app/a/endpoint/e").await.expect(204);
}
