//! The signing secrets of endpoints.

use postrider::signature::{Kind, Secret};
use serde_json::json;

use crate::world::{World, settings};

const SECRET: &str = "/api/v1/app/a/endpoint/e/secret";
const ROTATE: &str = "/api/v1/app/a/endpoint/e/secret/rotate";
const OWN: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

async fn with_endpoint(world: World, secret: Option<&str>) -> World {
    world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await.expect(201);
    let endpoint = json!({ "url": "https://example.com", "uid": "e", "secret": secret });
    world.post("/api/v1/app/a/endpoint", endpoint).await.expect(201);
    world
}

#[tokio::test(start_paused = true)]
async fn a_given_secret_is_stored_with_or_without_its_prefix() {
    let pasted = format!(" {OWN}\r\n");
    for given in [OWN, OWN.strip_prefix("whsec_").unwrap(), pasted.as_str()] {
        let world = with_endpoint(World::new(), Some(given)).await;
        assert_eq!(world.get(SECRET).await.expect(200), json!({ "key": OWN }));
    }
}

#[tokio::test(start_paused = true)]
async fn a_private_key_shows_its_public_key_only() {
    let private = Secret::generate(Kind::Ed25519, [7; 32]);
    let text = private.reveal();
    let world = with_endpoint(World::new(), Some(text.as_str())).await;
    let shown = world.get(SECRET).await.expect(200);
    assert_eq!(shown["key"], private.public_key().unwrap().as_str());
}

#[tokio::test(start_paused = true)]
async fn generated_secrets_are_of_the_configured_kind() {
    let world = with_endpoint(World::new(), None).await;
    let key = world.get(SECRET).await.expect(200)["key"].as_str().unwrap().to_owned();
    assert!(key.starts_with("whsec_"), "{key}");
    let ed25519 =
        World::with(postrider_server::Settings { default_signature: Kind::Ed25519, ..settings() });
    let world = with_endpoint(ed25519, None).await;
    let key = world.get(SECRET).await.expect(200)["key"].as_str().unwrap().to_owned();
    assert!(key.starts_with("whpk_"), "{key}");
}

#[tokio::test(start_paused = true)]
async fn rotating_returns_the_new_key() {
    let world = with_endpoint(World::new(), None).await;
    let rotated = world.post(ROTATE, json!({ "key": OWN })).await.expect(200);
    assert_eq!(rotated, json!({ "key": OWN }));
    assert_eq!(world.get(SECRET).await.json, rotated);
    let pasted = world.post(ROTATE, json!({ "key": format!("{OWN}\n") })).await.expect(200);
    assert_eq!(pasted, json!({ "key": OWN }));
    let generated = world.post(ROTATE, json!({ "key": null })).await.expect(200);
    assert_ne!(generated, rotated);
    world.post(ROTATE, json!({})).await.expect(200);
}

#[tokio::test(start_paused = true)]
async fn at_most_ten_old_secrets_are_kept() {
    let world = with_endpoint(World::new(), None).await;
    for _ in 0..10 {
        world.post(ROTATE, json!({})).await.expect(200);
    }
    let full = world.post(ROTATE, json!({})).await.expect(400);
    assert_eq!(full["code"], "too_many_keys");
    // Without a grace period the old key is not kept.
    world.post(ROTATE, json!({ "gracePeriodSeconds": 0 })).await.expect(200);
    tokio::time::sleep(std::time::Duration::from_secs(24 * 60 * 60 + 1)).await;
    world.post(ROTATE, json!({})).await.expect(200);
}

#[tokio::test(start_paused = true)]
async fn bad_keys_and_long_grace_periods_are_refused() {
    let world = with_endpoint(World::new(), None).await;
    for (body, field) in [
        (json!({ "key": "whsec_short" }), "key"),
        (json!({ "key": "whpk_AAAA" }), "key"),
        (json!({ "gracePeriodSeconds": 604_801 }), "gracePeriodSeconds"),
    ] {
        let error = world.post(ROTATE, body).await.expect(422);
        assert_eq!(error["detail"][0]["loc"], json!(["body", field]));
    }
}
