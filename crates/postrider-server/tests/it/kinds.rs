//! Endpoints of kinds other than `http`: their configuration, test deliveries and checks.

use postrider::api::EndpointKind;
use postrider_core::catalog::Endpoint;
use postrider_store::{Records, Scan};
use serde_json::{Value, json};

use crate::world::{World, application_id};

const ALL: &str = "/api/v1/app/a/endpoint";
const ONE: &str = "/api/v1/app/a/endpoint/e";
const URL: &str = "redis://user:hunter2@redis.example/0";
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const SHOWN: &str = "redis://user:***@redis.example/0";

fn redis() -> Value {
    json!({ "url": URL, "stream": "events" })
}

fn email() -> Value {
    json!({
        "host": "mail.example", "username": "u", "password": "hunter2",
        "from": "a@example.com", "to": ["b@example.com"],
    })
}

async fn world() -> World {
    let world = World::new();
    world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await.expect(201);
    world
}

async fn with_redis() -> World {
    let world = world().await;
    let endpoint = json!({ "uid": "e", "kind": "redis", "config": redis() });
    world.post(ALL, endpoint).await.expect(201);
    world
}

/// The configuration as it is stored, decrypted.
async fn stored(world: &World) -> Value {
    let application = world.get("/api/v1/app/a").await.id();
    let scan = Scan { after: None, ascending: true, limit: 10 };
    let store = world.engine.store();
    let found = store.list::<Endpoint>(&application_id(&application), scan).await.unwrap();
    let config = world.engine.vault().open_at_rest(&found.items[0].config).unwrap();
    Value::Object(config)
}

/// The locations of the problems in a response.
fn places(error: &Value) -> Vec<String> {
    let place = |it: &Value| {
        let segments = it["loc"].as_array().unwrap().iter();
        segments.map(|it| it.as_str().unwrap()).collect::<Vec<_>>().join(".")
    };
    error["detail"].as_array().unwrap().iter().map(place).collect()
}

#[tokio::test(start_paused = true)]
async fn responses_show_the_kind_and_the_configuration_without_credentials() {
    let world = with_redis().await;
    let expected = json!({ "url": SHOWN, "stream": "events" });
    let listed = world.get(ALL).await.expect(200)["data"][0].clone();
    for shown in [world.get(ONE).await.expect(200), listed] {
        assert_eq!((&shown["kind"], &shown["config"]), (&json!("redis"), &expected));
        let address = shown["url"].as_str().unwrap();
        assert!(address.starts_with("redis://redis.example"), "{address}");
    }
    assert_eq!(stored(&world).await, redis());
    let mail = json!({ "uid": "m", "kind": "email", "config": email() });
    let shown = world.post(ALL, mail).await.expect(201);
    assert_eq!(shown["config"]["password"], "***");
    assert_eq!(shown["config"]["username"], "u");
}

#[tokio::test(start_paused = true)]
async fn endpoints_without_a_kind_are_called_over_http() {
    let world = world().await;
    let new = json!({ "uid": "e", "url": "https://example.com" });
    let shown = world.post(ALL, new).await.expect(201);
    assert_eq!((&shown["kind"], shown.get("config")), (&json!("http"), None));
    let null = json!({ "uid": "f", "kind": null, "url": "https://example.com" });
    assert_eq!(world.post(ALL, null).await.expect(201)["kind"], "http");
    let config = json!({ "config": redis() });
    assert_eq!(places(&world.patch(ONE, config.clone()).await.expect(422)), ["body.config"]);
    let mut new = config;
    new["url"] = json!("https://example.com");
    assert_eq!(places(&world.post(ALL, new.clone()).await.expect(422)), ["body.config"]);
    assert_eq!(places(&world.put(ONE, new).await.expect(422)), ["body.config"]);
    assert_eq!(places(&world.post(ALL, json!({})).await.expect(422)), ["body.url"]);
}

#[tokio::test(start_paused = true)]
async fn masked_credentials_keep_their_values_and_others_replace_them() {
    let world = with_redis().await;
    let moved = json!({ "url": SHOWN, "stream": "moved" });
    world.patch(ONE, json!({ "config": moved })).await.expect(200);
    assert_eq!(stored(&world).await, json!({ "url": URL, "stream": "moved" }));
    world
        .put(ONE, json!({ "uid": "e", "config": { "url": SHOWN, "stream": "x" } }))
        .await
        .expect(200);
    assert_eq!(stored(&world).await, json!({ "url": URL, "stream": "x" }));
    let new = json!({ "url": "redis://user:new@redis.example/0", "stream": "x" });
    let shown = world.patch(ONE, json!({ "config": new })).await.expect(200);
    assert_eq!(stored(&world).await, new);
    assert_eq!(shown["config"]["url"], SHOWN);
}

#[tokio::test(start_paused = true)]
async fn a_stored_credential_is_not_sent_to_another_server() {
    let world = world().await;
    world.post(ALL, json!({ "uid": "e", "kind": "email", "config": email() })).await.expect(201);
    let mut config = email();
    config["password"] = json!("***");
    config["subject"] = json!("changed");
    world.patch(ONE, json!({ "config": config })).await.expect(200);
    assert_eq!(stored(&world).await["password"], "hunter2");
    config["host"] = json!("mail.elsewhere.example");
    let error = world.patch(ONE, json!({ "config": config })).await.expect(422);
    assert_eq!(places(&error), ["body.config.password"]);
    let error = world.put(ONE, json!({ "uid": "e", "config": config })).await.expect(422);
    assert_eq!(places(&error), ["body.config.password"]);
    config["password"] = json!("another");
    world.patch(ONE, json!({ "config": config })).await.expect(200);
}

#[tokio::test(start_paused = true)]
async fn clients_that_know_only_urls_keep_the_kind_and_the_configuration() {
    let world = with_redis().await;
    let shown = world.get(ONE).await.expect(200);
    let body = json!({ "url": shown["url"], "uid": "e", "description": "changed" });
    let replaced = world.put(ONE, body).await.expect(200);
    assert_eq!(replaced["description"], "changed");
    for field in ["kind", "config", "url"] {
        assert_eq!(replaced[field], shown[field], "{field}");
    }
    assert_eq!(stored(&world).await, redis());
    world.patch(ONE, json!({ "url": shown["url"] })).await.expect(200);
    let other = json!({ "url": "https://example.com" });
    assert_eq!(places(&world.patch(ONE, other.clone()).await.expect(422)), ["body.url"]);
    assert_eq!(places(&world.put(ONE, other).await.expect(422)), ["body.url"]);
    // A client sends back what it was shown.
    world.put(ONE, shown).await.expect(200);
    assert_eq!(stored(&world).await, redis());
}

#[tokio::test(start_paused = true)]
async fn the_kind_of_an_endpoint_cannot_be_changed() {
    let world = with_redis().await;
    for kind in ["http", "email"] {
        let change = json!({ "kind": kind });
        let error = world.patch(ONE, change.clone()).await.expect(422);
        assert_eq!(places(&error), ["body.kind"]);
        assert_eq!(error["detail"][0]["msg"], "cannot be changed; it is `redis`");
        assert_eq!(places(&world.put(ONE, change).await.expect(422)), ["body.kind"]);
    }
    world.patch(ONE, json!({ "kind": "redis" })).await.expect(200);
}

#[tokio::test(start_paused = true)]
async fn kinds_that_clients_must_not_or_cannot_use_are_refused_with_a_reason() {
    let world = world().await;
    for (kind, reason) in [
        ("command", "can only be defined in the configuration file of the server"),
        ("sqlite", "is not part of this build of the server"),
    ] {
        let new = json!({ "kind": kind, "config": {} });
        for error in [world.post(ALL, new.clone()).await, world.put(ONE, new.clone()).await] {
            let error = error.expect(422);
            assert_eq!(places(&error), ["body.kind"]);
            let message = error["detail"][0]["msg"].as_str().unwrap();
            assert!(message.contains(reason), "{message}");
        }
    }
    let error = world.post(ALL, json!({ "kind": "ftp", "config": {} })).await.expect(422);
    assert_eq!(places(&error), ["body.kind"]);
}

#[tokio::test(start_paused = true)]
async fn every_problem_of_a_configuration_has_its_path() {
    let world = with_redis().await;
    let cases = [
        ("redis", json!({}), vec!["body.config"]),
        ("redis", json!({ "url": URL, "stream": 1 }), vec!["body.config.stream"]),
        ("redis", json!({ "url": URL, "stream": "s", "x": 1 }), vec!["body.config.x"]),
        ("redis", json!({ "url": URL, "stream": "{{" }), vec!["body.config.stream"]),
        ("redis", json!({ "url": URL, "stream": "x".repeat(40_000) }), vec!["body.config"]),
        ("email", json!({ "host": "h", "from": "a@b.c", "to": [] }), vec!["body.config.to"]),
    ];
    for (kind, config, expected) in cases {
        let error = world.post(ALL, json!({ "kind": kind, "config": config })).await.expect(422);
        assert_eq!(places(&error), expected, "{error}");
        if kind == "redis" {
            let error = world.patch(ONE, json!({ "config": config })).await.expect(422);
            assert_eq!(places(&error), expected, "{error}");
        }
    }
    let http_only = json!({
        "kind": "redis", "config": redis(), "url": "https://example.com",
        "headers": { "x-a": "1" }, "trustedCertificates": "x", "secret": SECRET,
    });
    let places_of_all = places(&world.post(ALL, http_only).await.expect(422));
    for place in ["body.headers", "body.secret", "body.trustedCertificates", "body.url"] {
        assert!(places_of_all.iter().any(|it| it == place), "{places_of_all:?}");
    }
    let headers = json!({ "headers": { "x-a": "1" } });
    let error = world.put(&format!("{ONE}/headers"), headers).await.expect(422);
    assert_eq!(places(&error), ["body.headers"]);
    let certificates = json!({ "trustedCertificates": "x" });
    let error = world.patch(ONE, certificates).await.expect(422);
    assert_eq!(places(&error), ["body.trustedCertificates"]);
    let error = world.patch(ONE, json!({ "secret": SECRET })).await.expect(422);
    assert_eq!(places(&error), ["body.secret"]);
    let rotate = format!("{ONE}/secret/rotate");
    let error = world.post(&rotate, json!({ "key": SECRET })).await.expect(422);
    assert_eq!(places(&error), ["body.key"]);
    // A client that rotates the secrets of all endpoints need not know their kinds.
    world.post(&rotate, json!({})).await.expect(200);
}

#[tokio::test(start_paused = true)]
async fn a_test_delivers_at_once_and_stores_nothing() {
    let world = with_redis().await;
    let path = format!("{ONE}/test");
    let done = world.post(&path, json!({})).await.expect(200);
    assert_eq!((&done["success"], &done["outcome"]), (&json!(true), &json!("success")));
    assert_eq!(done["detail"], "the message was written");
    assert!(done["msgId"].as_str().unwrap().starts_with("msg_"), "{done}");
    world.receiver.answer(500);
    let failed = world.post(&path, json!({ "eventType": "x" })).await.expect(200);
    assert_eq!((&failed["success"], &failed["outcome"]), (&json!(false), &json!("misconfigured")));
    assert_eq!(failed["detail"], "there is no such place; create it");
    assert!(failed["remedy"].is_string(), "{failed}");
    for list in ["msg", "attempt/endpoint/e"] {
        let found = world.get(&format!("/api/v1/app/a/{list}")).await.expect(200);
        assert_eq!(found["data"], json!([]));
    }
}

#[tokio::test(start_paused = true)]
async fn a_test_over_http_shows_the_response() {
    let world = world().await;
    world
        .post(ALL, json!({ "uid": "e", "url": "https://example.com", "disabled": true }))
        .await
        .expect(201);
    let path = format!("{ONE}/test");
    let schema = json!({ "1": { "example": { "amount": 7 } } });
    let event_type = json!({ "name": "paid", "description": "", "schemas": schema });
    world.post("/api/v1/event-type", event_type).await.expect(201);
    world.receiver.answer(404);
    for (body, expected) in [
        (json!({ "eventType": "paid" }), json!({ "amount": 7 })),
        (json!({ "eventType": "paid", "payload": { "a": 1 } }), json!({ "a": 1 })),
    ] {
        let result = world.post(&path, body).await.expect(200);
        assert_eq!(
            (&result["outcome"], &result["responseStatusCode"]),
            (&json!("status"), &json!(404))
        );
        assert_eq!(result["response"], "thanks");
        assert_eq!(result["responseHeaders"], json!([["content-type", "text/plain"]]));
        assert_eq!(result["address"], "192.0.2.1:443");
        assert!(result["remedy"].as_str().unwrap().contains("path"), "{result}");
        let delivered = world.receiver.calls.lock().unwrap().pop().unwrap();
        assert_eq!(serde_json::from_slice::<Value>(delivered.body()).unwrap(), expected);
        assert_eq!(delivered.headers()["webhook-id"], result["msgId"].as_str().unwrap());
    }
    for (body, place) in [
        (json!({ "eventType": "a b" }), "body.eventType"),
        (json!({ "payload": [] }), "body.payload"),
    ] {
        assert_eq!(places(&world.post(&path, body).await.expect(422)), [place]);
    }
    world.post("/api/v1/app/a/endpoint/none/test", json!({})).await.expect(404);
}

#[tokio::test(start_paused = true)]
async fn an_application_tests_few_endpoints_at_a_time() {
    let world = world().await;
    world.post(ALL, json!({ "uid": "e", "url": "https://example.com" })).await.expect(201);
    world.receiver.pause(1_000);
    let path = format!("{ONE}/test");
    let tests = (0..5).map(|_| world.post(&path, json!({})));
    let statuses: Vec<_> =
        futures_util::future::join_all(tests).await.iter().map(|it| it.status.as_u16()).collect();
    assert_eq!(statuses.iter().filter(|it| **it == 200).count(), 4, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|it| **it == 429).count(), 1, "{statuses:?}");
    world.post(&path, json!({})).await.expect(200);
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_cannot_be_reached_is_refused_on_request() {
    let world = with_redis().await;
    let check = format!("{ONE}/check");
    assert_eq!(world.post(&check, json!({})).await.expect(200)["success"], true);
    world.receiver.answer(500);
    let result = world.post(&check, json!({})).await.expect(200);
    assert_eq!((&result["success"], &result["outcome"]), (&json!(false), &json!("connect")));
    let new = json!({ "uid": "new", "kind": "redis", "config": redis() });
    let url = json!({ "uid": "new", "url": "https://example.com" });
    let at = |path: &str| format!("{path}?check=true");
    let change = json!({ "config": redis(), "uid": "e" });
    for (reply, place) in [
        (world.post(&at(ALL), new.clone()).await, "body.config"),
        (world.post(&at(ALL), url.clone()).await, "body.url"),
        (world.put(&at(&format!("{ALL}/new")), new.clone()).await, "body.config"),
        (world.put(&at(ONE), change.clone()).await, "body.config"),
        (world.patch(&at(ONE), change).await, "body.config"),
    ] {
        let error = reply.expect(422);
        assert_eq!(places(&error), [place]);
        let message = &error["detail"][0]["msg"];
        assert_eq!(message, "cannot be reached: nothing listens at the port");
    }
    world.get(&format!("{ALL}/new")).await.expect(404);
    world.receiver.answer(200);
    world.post(&at(ALL), new).await.expect(201);
    // Without the parameter nothing is checked.
    world.receiver.answer(500);
    world
        .put(&format!("{ALL}/other"), json!({ "kind": "redis", "config": redis() }))
        .await
        .expect(201);
}

#[tokio::test(start_paused = true)]
async fn every_kind_has_a_name_in_the_document() {
    let world = world().await;
    let document = world.get("/api/v1/openapi.json").await.expect(200);
    let schema = document["components"]["schemas"]["EndpointKind"].to_string();
    for kind in EndpointKind::ALL {
        assert!(schema.contains(&format!("\"{kind}\"")), "{kind}: {schema}");
    }
}
