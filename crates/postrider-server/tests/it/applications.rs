//! Applications.

use serde_json::json;

use crate::world::{World, plain};

#[tokio::test(start_paused = true)]
async fn an_application_is_created_changed_and_deleted() {
    let world = World::new();
    let full = json!({ "name": "A", "uid": "a", "throttleRate": 7, "metadata": { "k": "v" } });
    let created = world.post("/api/v1/app", full).await.expect(201);
    let patched = world.patch("/api/v1/app/a", json!({ "name": "B" })).await.expect(200);
    let replaced = world.put("/api/v1/app/a", json!({ "name": "C", "uid": "a" })).await.expect(200);
    insta::assert_json_snapshot!(plain(json!([created, patched, replaced])));
    world.delete("/api/v1/app/a").await.expect(204);
    let gone = world.get("/api/v1/app/a").await.expect(404);
    assert_eq!(gone, json!({ "code": "not_found", "detail": "application not found" }));
    world.delete("/api/v1/app/a").await.expect(404);
}

#[tokio::test(start_paused = true)]
async fn null_clears_and_absence_keeps() {
    let world = World::new();
    let body = json!({ "name": "A", "uid": "a", "throttleRate": 7, "metadata": { "k": "v" } });
    let id = world.post("/api/v1/app", body).await.id();
    let path = format!("/api/v1/app/{id}");
    let nulls = json!({ "uid": null, "throttleRate": null, "metadata": {} });
    let cleared = world.patch(&path, nulls).await.expect(200);
    assert_eq!(cleared.get("uid"), None);
    assert_eq!(cleared.get("throttleRate"), None);
    assert_eq!((&cleared["name"], &cleared["metadata"]), (&json!("A"), &json!({})));
    world.patch(&path, json!({ "name": null })).await.expect(422);
    world.get("/api/v1/app/a").await.expect(404);
}

#[tokio::test(start_paused = true)]
async fn a_uid_belongs_to_one_application() {
    let world = World::new();
    let first = world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await.expect(201);
    let again = json!({ "name": "B", "uid": "a" });
    let conflict = world.post("/api/v1/app", again.clone()).await.expect(409);
    assert_eq!(conflict["code"], "conflict");
    let same = world.post("/api/v1/app?get_if_exists=true", again).await.expect(200);
    assert_eq!(same, first);
    world.post("/api/v1/app", json!({ "name": "C", "uid": "c" })).await.expect(201);
    world.patch("/api/v1/app/c", json!({ "uid": "a" })).await.expect(409);
}

#[tokio::test(start_paused = true)]
async fn put_creates_under_the_uid_of_the_path() {
    let world = World::new();
    let created = world.put("/api/v1/app/new", json!({ "name": "N" })).await.expect(201);
    assert_eq!(created["uid"], "new");
    let other = json!({ "name": "N", "uid": "other" });
    world.put("/api/v1/app/newer", other).await.expect(422);
    let id = created["id"].as_str().unwrap();
    world.delete("/api/v1/app/new").await.expect(204);
    world.put(&format!("/api/v1/app/{id}"), json!({ "name": "N" })).await.expect(404);
}

#[tokio::test(start_paused = true)]
async fn lists_omit_excluded_applications() {
    let world = World::new();
    for uid in ["bare", "broken", "fine"] {
        world.post("/api/v1/app", json!({ "name": uid, "uid": uid })).await.expect(201);
    }
    for (uid, disabled) in [("broken", true), ("fine", false)] {
        let endpoint = json!({ "url": "https://example.com", "disabled": disabled });
        world.post(&format!("/api/v1/app/{uid}/endpoint"), endpoint).await.expect(201);
    }
    let uids = async |query: &str| {
        let page = world.get(&format!("/api/v1/app?{query}")).await.expect(200);
        let data = page["data"].as_array().unwrap().clone();
        data.iter().map(|it| it["uid"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(uids("").await, ["bare", "broken", "fine"]);
    assert_eq!(uids("exclude_apps_with_no_endpoints=true").await, ["broken", "fine"]);
    assert_eq!(uids("exclude_apps_with_disabled_endpoints=true").await, ["bare", "fine"]);
}
