//! Integrations and their keys.

use http::Method;
use serde_json::json;

use crate::world::World;

const ALL: &str = "/api/v1/app/a/integration";

async fn world() -> (World, String) {
    let world = World::new();
    world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await.expect(201);
    let id = world.post(ALL, json!({ "name": "Partner" })).await.id();
    (world, format!("{ALL}/{id}"))
}

#[tokio::test(start_paused = true)]
async fn a_key_acts_for_its_application_until_it_is_rotated_or_deleted() {
    let (world, one) = world().await;
    let key =
        async |path: String| world.get(&path).await.expect(200)["key"].as_str().unwrap().to_owned();
    let first = key(format!("{one}/key")).await;
    let try_with = async |key: &str, status| {
        let endpoints = "/api/v1/app/a/endpoint";
        world.call_as(key, Method::GET, endpoints, None).await.expect(status)
    };
    try_with(&first, 200).await;
    assert_eq!(key(format!("{one}/key")).await, first);
    let rotated = world.post(&format!("{one}/key/rotate"), json!({})).await.expect(200);
    let second = rotated["key"].as_str().unwrap().to_owned();
    assert_ne!(second, first);
    assert_eq!(key(format!("{one}/key")).await, second);
    let error = try_with(&first, 401).await;
    assert_eq!(error["detail"], "the key was rotated or deleted");
    try_with(&second, 200).await;

    // It is a key of one application, which does not manage its own integrations.
    world.post("/api/v1/app", json!({ "name": "B", "uid": "b" })).await.expect(201);
    world.call_as(&second, Method::GET, "/api/v1/app/b", None).await.expect(404);
    world.call_as(&second, Method::GET, ALL, None).await.expect(403);
    world.delete(&one).await.expect(204);
    try_with(&second, 401).await;
    world.get(&one).await.expect(404);
}

#[tokio::test(start_paused = true)]
async fn the_feature_flags_of_an_integration_apply_to_its_present_key() {
    let (world, one) = world().await;
    let event_type = json!({ "name": "a.b", "description": "", "featureFlags": ["beta"] });
    world.post("/api/v1/event-type", event_type).await.expect(201);
    let key = world.get(&format!("{one}/key")).await.expect(200);
    let key = key["key"].as_str().unwrap();
    let seen = async || {
        let page = world.call_as(key, Method::GET, "/api/v1/event-type", None).await.expect(200);
        page["data"].as_array().unwrap().len()
    };
    assert_eq!(seen().await, 0);
    let changed = json!({ "name": "Partner", "featureFlags": ["beta"] });
    let changed = world.put(&one, changed).await.expect(200);
    assert_eq!(changed["featureFlags"], json!(["beta"]));
    assert_eq!(seen().await, 1);
}

#[tokio::test(start_paused = true)]
async fn integrations_are_listed_in_pages_and_survive_changes_of_the_application() {
    let (world, one) = world().await;
    for number in 0..4 {
        world.post(ALL, json!({ "name": format!("N{number}") })).await.expect(201);
    }
    let page = world.get(&format!("{ALL}?limit=3&order=ascending")).await.expect(200);
    assert_eq!((page["data"].as_array().unwrap().len(), &page["done"]), (3, &json!(false)));
    let iterator = page["iterator"].as_str().unwrap();
    let path = format!("{ALL}?limit=3&order=ascending&iterator={iterator}");
    let page = world.get(&path).await.expect(200);
    assert_eq!((page["data"].as_array().unwrap().len(), &page["done"]), (2, &json!(true)));
    world.put("/api/v1/app/a", json!({ "name": "New", "uid": "a" })).await.expect(200);
    assert_eq!(world.get(&one).await.expect(200)["name"], "Partner");
    world.post(ALL, json!({ "name": "" })).await.expect(422);
    world.get(&format!("{ALL}/integ_none")).await.expect(404);
}
