//! API keys, roles, and tokens that expire before their time.

use std::time::Duration;

use http::{Method, Request};
use postrider::api::{Capability, Role};
use postrider_core::access::ApiKey;
use postrider_server::{ApplicationGrant, Grant, User, mint};
use postrider_store::Records;
use serde_json::{Value, json};

use crate::world::{ORGANIZATION, World, application_id, secret, token};

const KEYS: &str = "/api/v1/api-key";
const WHOAMI: &str = "/api/v1/auth/whoami";

async fn world() -> World {
    let world = World::new();
    for uid in ["a", "b"] {
        world.post("/api/v1/app", json!({ "name": uid, "uid": uid })).await.expect(201);
    }
    world.event_types(&["x"]).await;
    world
}

/// A new key, and its id.
async fn key(world: &World, fields: Value) -> (String, String) {
    let created = world.post(KEYS, fields).await.expect(201);
    let text = |name: &str| created[name].as_str().unwrap().to_owned();
    (text("token"), text("id"))
}

async fn status(world: &World, token: &str, method: Method, path: &str, body: Value) -> u16 {
    world.call_as(token, method, path, Some(&body)).await.status.as_u16()
}

async fn get(world: &World, token: &str, path: &str) -> u16 {
    world.call_as(token, Method::GET, path, None).await.status.as_u16()
}

async fn publish(world: &World, token: &str, app: &str) -> u16 {
    let message = json!({ "eventType": "x", "payload": {} });
    status(world, token, Method::POST, &format!("/api/v1/app/{app}/msg"), message).await
}

#[tokio::test(start_paused = true)]
async fn a_key_works_until_it_is_revoked() {
    let world = world().await;
    let (key, id) = key(&world, json!({ "name": "deploy", "role": "operator" })).await;
    assert!(key.starts_with("prk_") && key.len() == 47, "{key}");
    assert_eq!(get(&world, &key, "/api/v1/app/a").await, 200);
    world.delete(&format!("{KEYS}/{id}")).await.expect(204);
    let refused = world.call_as(&key, Method::GET, "/api/v1/app/a", None).await;
    assert_eq!(refused.expect(401)["detail"], "the API key does not exist");
    world.delete(&format!("{KEYS}/{id}")).await.expect(404);
    world.get(&format!("{KEYS}/nonsense")).await.expect(404);
}

#[tokio::test(start_paused = true)]
async fn only_a_hash_of_a_key_is_stored_and_the_log_has_neither() {
    let world = world().await;
    let (key, id) = key(&world, json!({ "name": "deploy", "role": "viewer" })).await;
    let organization = ORGANIZATION.parse().unwrap();
    let named = postrider_store::IdOrUid::Id(id.parse().unwrap());
    let stored = world.engine.store().get::<ApiKey>(&organization, &named).await.unwrap().unwrap();
    let text = serde_json::to_string(&stored).unwrap();
    assert!(!text.contains(key.strip_prefix("prk_").unwrap()), "{text}");
    let log = world.get("/api/v1/audit-log?operation=v1.api-key.create").await;
    let digest = serde_json::to_string(&stored.digest).unwrap();
    assert!(
        !log.text.contains(key.strip_prefix("prk_").unwrap()) && !log.text.contains(&digest),
        "{}",
        log.text
    );
    let shown = world.get(&format!("{KEYS}/{id}")).await.expect(200);
    assert_eq!(shown["censoredToken"], format!("prk_…{}", key.get(43..).unwrap()));
    assert_eq!(shown["createdBy"], "org_test");
    assert_eq!(world.get(KEYS).await.expect(200)["data"], json!([shown]));
}

#[tokio::test(start_paused = true)]
async fn a_role_limits_a_key() {
    let world = world().await;
    let endpoint = json!({ "url": "https://example.com", "uid": "e" });
    world.post("/api/v1/app/a/endpoint", endpoint).await.expect(201);
    let secret = "/api/v1/app/a/endpoint/e/secret";
    for (role, reads, publishes, sees_secrets, administers) in [
        ("viewer", 200, 403, 403, 403),
        ("publisher", 403, 202, 403, 403),
        ("operator", 200, 202, 200, 403),
        ("admin", 200, 202, 200, 200),
    ] {
        let (key, _) = key(&world, json!({ "name": role, "role": role })).await;
        assert_eq!(get(&world, &key, "/api/v1/app").await, reads, "{role}");
        assert_eq!(publish(&world, &key, "a").await, publishes, "{role}");
        assert_eq!(get(&world, &key, secret).await, sees_secrets, "{role}");
        assert_eq!(get(&world, &key, KEYS).await, administers, "{role}");
        let me = world.call_as(&key, Method::GET, WHOAMI, None).await.expect(200);
        assert_eq!((&me["role"], &me["name"]), (&json!(role), &json!(role)));
    }
    let revealed = world.get("/api/v1/audit-log?operation=v1.endpoint.get-secret").await;
    assert_eq!(revealed.expect(200)["data"].as_array().unwrap().len(), 2, "revealing is audited");
}

#[tokio::test(start_paused = true)]
async fn a_key_of_one_application_reaches_no_other() {
    let world = world().await;
    let fields = json!({ "name": "a", "role": "admin", "appId": "a" });
    let (key, _) = key(&world, fields).await;
    assert_eq!(publish(&world, &key, "a").await, 202);
    assert_eq!(publish(&world, &key, "b").await, 404);
    assert_eq!(get(&world, &key, "/api/v1/app/a").await, 200);
    assert_eq!(get(&world, &key, "/api/v1/app/b").await, 404);
    // The customers of a platform choose from its event types.
    assert_eq!(get(&world, &key, "/api/v1/event-type").await, 200);
    for path in ["/api/v1/app", KEYS, "/api/v1/audit-log"] {
        assert_eq!(get(&world, &key, path).await, 403, "{path}");
    }
    let new = json!({ "name": "c" });
    assert_eq!(status(&world, &key, Method::PUT, "/api/v1/app/c", new.clone()).await, 403);
    let inline =
        json!({ "eventType": "x", "payload": {}, "application": { "name": "c", "uid": "c" } });
    assert_eq!(status(&world, &key, Method::POST, "/api/v1/app/c/msg", inline).await, 403);
    let rename = json!({ "name": "A", "uid": "a" });
    assert_eq!(status(&world, &key, Method::PUT, "/api/v1/app/a", rename).await, 200);
    let unknown = json!({ "name": "z", "role": "viewer", "appId": "z" });
    world.post(KEYS, unknown).await.expect(422);
}

#[tokio::test(start_paused = true)]
async fn a_key_expires_and_tells_when_it_was_last_used() {
    let world = world().await;
    let (key, id) = key(&world, json!({ "name": "short", "role": "viewer", "expiry": 3600 })).await;
    let path = format!("{KEYS}/{id}");
    assert_eq!(world.get(&path).await.expect(200).get("lastUsedAt"), None);
    assert_eq!(get(&world, &key, "/api/v1/app").await, 200);
    world.until(&path, |it| it["lastUsedAt"].is_string()).await;
    let first = world.get(&path).await.expect(200)["lastUsedAt"].clone();
    tokio::time::advance(Duration::from_secs(61)).await;
    assert_eq!(get(&world, &key, "/api/v1/app").await, 200);
    world.until(&path, |it| it["lastUsedAt"] != first).await;
    tokio::time::advance(Duration::from_secs(3_700)).await;
    let refused = world.call_as(&key, Method::GET, "/api/v1/app", None).await;
    assert_eq!(refused.expect(401)["detail"], "the token has expired");
}

#[tokio::test(start_paused = true)]
async fn invalid_keys_are_refused_with_a_reason() {
    let world = world().await;
    for fields in [
        json!({ "name": "", "role": "viewer" }),
        json!({ "name": "x".repeat(257), "role": "viewer" }),
        json!({ "name": "x", "role": "owner" }),
        json!({ "name": "x", "role": "viewer", "expiry": 0 }),
        json!({ "name": "x" }),
    ] {
        world.post(KEYS, fields).await.expect(422);
    }
    let (_, id) = key(&world, json!({ "name": "x", "role": "viewer" })).await;
    let renamed = world.patch(&format!("{KEYS}/{id}"), json!({ "name": "y" })).await.expect(200);
    assert_eq!(renamed["name"], "y");
}

#[tokio::test(start_paused = true)]
async fn whoami_tells_what_a_token_is() {
    let world = world().await;
    let me = world.get(WHOAMI).await.expect(200);
    assert_eq!((&me["envId"], &me["type"]), (&json!(ORGANIZATION), &json!("organizationToken")));
    assert_eq!((&me["role"], &me["permissionSource"]), (&json!("admin"), &json!("SvixJwt")));
    let app = world.get("/api/v1/app/a").await.id();
    let own = world.own_token(ApplicationGrant::full(application_id(&app)));
    let me = world.call_as(&own, Method::GET, WHOAMI, None).await.expect(200);
    assert_eq!((&me["appId"], me.get("role")), (&json!(app), None));
    let user = User { subject: "u1".to_owned(), name: Some("Ada".to_owned()) };
    let grant =
        Grant { role: Role::Viewer, user: Some(user), ..Grant::of(ORGANIZATION.parse().unwrap()) };
    let of_user = mint(&grant, &secret(), world.engine.clock().now());
    let me = world.call_as(&of_user, Method::GET, WHOAMI, None).await.expect(200);
    assert_eq!((&me["type"], &me["name"]), (&json!("user"), &json!("Ada")));
    assert_eq!(me["permissions"], json!(["any", "read"]));
}

#[tokio::test(start_paused = true)]
async fn tokens_of_an_application_are_expired_together() {
    let world = world().await;
    let path = "/api/v1/auth/app-portal-access/a";
    let access = async |session: &str| {
        let created = world.post(path, json!({ "sessionId": session })).await.expect(200);
        created["token"].as_str().unwrap().to_owned()
    };
    let (first, second) = (access("one").await, access("two").await);
    let expire = "/api/v1/auth/app/a/expire-all";
    world.post(expire, json!({ "sessionIds": ["one"] })).await.expect(204);
    assert_eq!(get(&world, &first, "/api/v1/app/a").await, 401);
    assert_eq!(get(&world, &second, "/api/v1/app/a").await, 200);
    world.post(expire, json!({ "expiry": 60 })).await.expect(204);
    assert_eq!(get(&world, &second, "/api/v1/app/a").await, 200);
    tokio::time::advance(Duration::from_secs(61)).await;
    let refused = world.call_as(&second, Method::GET, "/api/v1/app/a", None).await;
    assert!(refused.expect(401)["detail"].as_str().unwrap().contains("expired before its time"));
    let third = access("one").await;
    assert_eq!(get(&world, &third, "/api/v1/app/a").await, 200, "a later token is valid");
    for body in [json!({ "expiry": 259_201 }), json!({ "sessionIds": ["not valid"] })] {
        world.post(expire, body).await.expect(422);
    }
}

#[tokio::test(start_paused = true)]
async fn tokens_of_the_organization_are_expired_together() {
    let world = world().await;
    let (key, _) = key(&world, json!({ "name": "k", "role": "admin" })).await;
    let other = token(&world.engine, "org_other", None);
    let expire = "/api/v1/auth/expire-all";
    world.post(expire, json!({ "expiry": 60 })).await.expect(204);
    world.get("/api/v1/app").await.expect(200);
    tokio::time::advance(Duration::from_secs(61)).await;
    world.get("/api/v1/app").await.expect(401);
    assert_eq!(get(&world, &key, "/api/v1/app").await, 200, "API keys are revoked one by one");
    assert_eq!(get(&world, &other, "/api/v1/app").await, 200);
    let new = token(&world.engine, ORGANIZATION, None);
    assert_eq!(get(&world, &new, "/api/v1/app").await, 200);
}

#[tokio::test(start_paused = true)]
async fn a_one_time_token_is_exchanged_once() {
    let world = world().await;
    let create = "/api/v1/auth/one-time-token/create";
    let created = world.post(create, json!({ "role": "viewer" })).await.expect(200);
    assert!(created["url"].as_str().unwrap().starts_with("http://portal.example/login#key="));
    let one_time = created["oneTimeToken"].as_str().unwrap();
    assert_eq!(get(&world, one_time, "/api/v1/app").await, 401, "it is no token itself");
    let exchange = async |token: &str| {
        let body = json!({ "oneTimeToken": token }).to_string();
        let request = Request::post("/api/v1/auth/one-time-token").body(body.into());
        world.send(request.unwrap()).await
    };
    let token = exchange(one_time).await.expect(200)["token"].as_str().unwrap().to_owned();
    assert_eq!(get(&world, &token, "/api/v1/app").await, 200);
    assert_eq!(get(&world, &token, KEYS).await, 403);
    exchange(one_time).await.expect(401);
    exchange(&world.token).await.expect(401);
    let short = world.post(create, json!({ "expiry": 1 })).await.expect(200);
    tokio::time::advance(Duration::from_secs(2)).await;
    exchange(short["oneTimeToken"].as_str().unwrap()).await.expect(401);
}

#[tokio::test(start_paused = true)]
async fn the_token_of_a_reader_is_no_token_of_the_api() {
    let world = world().await;
    let endpoint = json!({ "kind": "live", "uid": "live" });
    world.post("/api/v1/app/a/endpoint", endpoint).await.expect(201);
    let path = "/api/v1/app/a/endpoint/live/live-token";
    let created = world.post(path, json!({})).await.expect(200);
    assert_eq!(get(&world, created["token"].as_str().unwrap(), "/api/v1/app/a").await, 401);
}

#[tokio::test(start_paused = true)]
async fn a_message_token_only_publishes() {
    let world = world().await;
    let path = "/api/v1/auth/app/a/create-message-token";
    let created = world.post(path, json!({ "name": "m" })).await.expect(200);
    let token = created["token"].as_str().unwrap();
    assert_eq!(publish(&world, token, "a").await, 202);
    assert_eq!(publish(&world, token, "b").await, 404);
    assert_eq!(get(&world, token, "/api/v1/app/a").await, 403);
    assert_eq!(get(&world, token, "/api/v1/app/a/msg").await, 403);
}

#[tokio::test(start_paused = true)]
async fn a_viewer_does_not_see_the_token_of_a_source() {
    let world = world().await;
    let source = json!({ "name": "S", "uid": "s", "type": "generic-webhook" });
    world.post("/ingest/api/v1/source", source).await.expect(201);
    let (key, _) = key(&world, json!({ "name": "v", "role": "viewer" })).await;
    let path = "/ingest/api/v1/source/s";
    let seen = world.call_as(&key, Method::GET, path, None).await.expect(200);
    assert_eq!(seen["ingestUrl"], "http://portal.example/in/***");
    let read_only = ApplicationGrant {
        capabilities: Some([Capability::ViewBase].into()),
        ..ApplicationGrant::full(application_id(&world.get("/api/v1/app/a").await.id()))
    };
    assert_eq!(get(&world, &world.own_token(read_only), path).await, 403);
}
