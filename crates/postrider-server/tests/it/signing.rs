//! Signing profiles: receivers keep verifying as they verified the webhooks of another system.

use postrider::provider::{Headers, Provider, Request, Settings, profile, verify};
use serde_json::{Value, json};

use crate::world::World;

const ONE: &str = "/api/v1/app/a/endpoint/e";

async fn world() -> World {
    let world = World::new();
    world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await.expect(201);
    world
}

async fn create(world: &World, signing: Value) -> Value {
    let endpoint = json!({ "url": "https://example.com/hook", "uid": "e", "signing": signing });
    world.post("/api/v1/app/a/endpoint", endpoint).await.expect(201)
}

/// Publishes a message, and returns the headers that the receiver got.
async fn delivered(world: &World, event_id: &str) -> http::HeaderMap {
    let body = json!({ "eventType": "user.created", "eventId": event_id, "payload": { "n": 1 } });
    world.post("/api/v1/app/a/msg", body).await.expect(202);
    let path = format!("/api/v1/app/a/attempt/msg/{event_id}");
    world.until(&path, |it| it["data"].as_array().unwrap().len() == 1).await;
    world.receiver.calls.lock().unwrap().last().unwrap().headers().clone()
}

fn value<'a>(headers: &'a http::HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |it| it.to_str().unwrap())
}

/// Whether the last request verifies with the secret, as the system's receivers verify it.
fn verifies(world: &World, id: &str, secret: &str) -> bool {
    let calls = world.receiver.calls.lock().unwrap();
    let last = calls.last().unwrap();
    let headers: Vec<_> =
        last.headers().iter().map(|(name, it)| (name.as_str(), it.as_bytes())).collect();
    let provider = Provider::new(id, profile::find(id).unwrap().model.verifier());
    let request = Request {
        method: "POST",
        url: "https://example.com/hook",
        headers: Headers(&headers),
        body: last.body(),
    };
    verify(&provider, &Settings::new([secret]), &request, 0).is_ok()
}

#[tokio::test(start_paused = true)]
async fn a_receiver_of_another_system_keeps_verifying() {
    for known in profile::all() {
        let world = world().await;
        let signing = json!({ "profile": known.id, "secrets": ["an old secret"] });
        let shown = create(&world, signing).await;
        let masked = json!({ "profile": known.id, "secrets": [{ "key": "***" }] });
        assert_eq!(shown["signing"], masked, "{}", known.id);
        let headers = delivered(&world, "m").await;
        assert!(verifies(&world, &known.id, "an old secret"), "{}: {headers:?}", known.id);
        assert!(!verifies(&world, &known.id, "another"), "{}", known.id);
        assert_eq!(headers.get("webhook-signature"), None, "{}", known.id);
        let secret = world.get(&format!("{ONE}/secret")).await.expect(200);
        assert_eq!(secret["key"], "an old secret");
    }
}

#[tokio::test(start_paused = true)]
async fn both_signatures_are_sent_while_a_receiver_changes_over() {
    let world = world().await;
    create(&world, json!({ "profile": "convoy", "secrets": ["old"] })).await;
    let both = json!({ "signing": { "profile": "convoy", "standard": true } });
    let shown = world.patch(ONE, both).await.expect(200);
    assert_eq!(shown["signing"]["standard"], true);
    let headers = delivered(&world, "m1").await;
    assert!(verifies(&world, "convoy", "old"));
    assert!(value(&headers, "webhook-signature").starts_with("v1,"));
    assert_eq!(value(&headers, "x-convoy-idempotency-key"), "m1");
    let secret = world.get(&format!("{ONE}/secret")).await.expect(200);
    assert!(secret["key"].as_str().unwrap().starts_with("whsec_"));
    let shown = world.patch(ONE, json!({ "signing": null })).await.expect(200);
    assert_eq!(shown.get("signing"), None);
    let headers = delivered(&world, "m2").await;
    assert_eq!(headers.get("x-convoy-signature"), None);
    assert!(value(&headers, "webhook-signature").starts_with("v1,"));
}

#[tokio::test(start_paused = true)]
async fn a_put_without_the_profile_keeps_it() {
    let world = world().await;
    create(&world, json!({ "profile": "hookdeck", "secrets": ["old"] })).await;
    let body = json!({ "url": "https://example.com/new", "uid": "e" });
    let replaced = world.put(ONE, body).await.expect(200);
    assert_eq!(replaced["signing"]["profile"], "hookdeck");
    let again =
        json!({ "url": "https://example.com/new", "uid": "e", "signing": replaced["signing"] });
    world.put(ONE, again).await.expect(200);
    delivered(&world, "m").await;
    assert!(verifies(&world, "hookdeck", "old"), "what was shown as *** is kept");
}

#[tokio::test(start_paused = true)]
async fn a_secret_is_generated_and_rotated_in_the_form_of_the_system() {
    let world = world().await;
    create(&world, json!({ "profile": "outpost" })).await;
    let path = format!("{ONE}/secret");
    let first = world.get(&path).await.expect(200)["key"].as_str().unwrap().to_owned();
    assert!(first.starts_with("whsec_") && first.len() == 70, "{first}");
    let rotate = format!("{path}/rotate");
    let second = world.post(&rotate, json!({ "gracePeriodSeconds": 60 })).await.expect(200);
    let second = second["key"].as_str().unwrap();
    assert_ne!(first, second);
    let headers = delivered(&world, "m1").await;
    assert!(verifies(&world, "outpost", second));
    assert_eq!(value(&headers, "x-outpost-signature").split(',').count(), 2);
    world.post(&rotate, json!({ "key": "mine", "gracePeriodSeconds": 0 })).await.expect(200);
    let headers = delivered(&world, "m2").await;
    assert!(verifies(&world, "outpost", "mine"));
    assert_eq!(value(&headers, "x-outpost-signature").split(',').count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_custom_model_describes_any_other_system() {
    let world = world().await;
    let model = json!({
        "sign": {
            "scheme": "hmac", "hash": "sha512", "encoding": "base64",
            "signature": "header:x-acme-signature", "content": "{id}.{body}", "id": "header:x-acme-id"
        },
        "headers": { "x-acme-event": "{event_type}" }
    });
    let signing = json!({ "profile": "custom", "model": model, "secrets": ["s"] });
    let shown = create(&world, signing).await;
    assert_eq!(shown["signing"]["model"], model);
    let headers = delivered(&world, "m").await;
    assert_eq!(value(&headers, "x-acme-id"), "m");
    assert_eq!(value(&headers, "x-acme-event"), "user.created");
    assert_eq!(value(&headers, "x-acme-signature").len(), 88);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_sign_is_refused_with_the_reason() {
    let world = world().await;
    create(&world, json!({ "profile": "convoy", "secrets": ["old"] })).await;
    let hmac = json!({ "scheme": "hmac", "signature": "header:x-sig" });
    let hex = json!({ "scheme": "hmac", "signature": "header:x-sig", "key": "hex" });
    let ed25519 = json!({ "scheme": "ed25519", "signature": "header:x-sig" });
    for (signing, place, reason) in [
        (json!({ "profile": "convy" }), json!(["profile"]), "use convoy, convoy-advanced"),
        (json!({ "profile": "custom" }), json!(["model"]), "required"),
        (json!({ "profile": "convoy", "model": {} }), json!(["model"]), "is only for the profile"),
        (json!({ "profile": "custom", "model": {} }), json!(["model"]), "is not a signing model"),
        (json!({ "profile": "convoy", "secrets": [] }), json!(["secrets"]), "must have 1 to 10"),
        (json!({ "profile": "convoy", "secrets": [""] }), json!(["secrets", "0"]), "it is empty"),
        (
            json!({ "profile": "convoy", "secrets": ["***", "***"] }),
            json!(["secrets", "1"]),
            "no secret is stored",
        ),
        (
            json!({ "profile": "convoy", "secrets": [{ "key": "a", "until": "2030-01-01T00:00:00Z" }] }),
            json!(["secrets", "0"]),
            "the first secret cannot",
        ),
        (
            json!({ "profile": "convoy", "secrets": ["a", { "key": "b", "until": "1999-01-01T00:00:00Z" }] }),
            json!(["secrets", "1"]),
            "in the future",
        ),
        (
            json!({ "profile": "custom", "model": { "sign": hex } }),
            json!(["secrets", "0"]),
            "it is not hex",
        ),
        (
            json!({ "profile": "custom", "model": { "sign": ed25519 }, "secrets": ["a"] }),
            json!(["secrets", "0"]),
            "is not a private key",
        ),
        (
            json!({ "profile": "custom", "model": { "sign": hmac, "headers": { "host": "x" } } }),
            json!(["model"]),
            "is set by the server",
        ),
    ] {
        let error = world.patch(ONE, json!({ "signing": signing })).await.expect(422);
        let problem = &error["detail"][0];
        let expected: Vec<_> = [json!("body"), json!("signing")]
            .into_iter()
            .chain(place.as_array().unwrap().clone())
            .collect();
        assert_eq!(problem["loc"], json!(expected), "{signing}: {error}");
        let said = problem["msg"].as_str().unwrap();
        assert!(said.contains(reason), "{signing}: {said}");
    }
    let batch = world.patch(ONE, json!({ "batch": { "size": 10 } })).await.expect(422);
    assert!(batch["detail"][0]["msg"].as_str().unwrap().contains("remove `batch`"));
    let other = json!({ "kind": "slack", "config": { "url": "https://hooks.slack.com/services/T/B/x" },
                        "signing": { "profile": "convoy" } });
    let error = world.post("/api/v1/app/a/endpoint", other).await.expect(422);
    assert_eq!(error["detail"][0]["loc"], json!(["body", "signing"]));
    let again = world.post(&format!("{ONE}/secret/rotate"), json!({ "key": "" })).await.expect(422);
    assert_eq!(again["detail"][0]["loc"], json!(["body", "key"]));
}
