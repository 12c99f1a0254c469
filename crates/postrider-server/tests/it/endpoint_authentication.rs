//! How requests to endpoints authenticate: credentials, OAuth, client certificates.

use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};

use crate::world::World;

const ONE: &str = "/api/v1/app/a/endpoint/e";

/// A word that must appear in no response.
const SECRET: &str = "sesame";

async fn world_with_endpoint() -> World {
    let world = World::new();
    world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await.expect(201);
    world.event_types(&["user.created"]).await;
    let endpoint = json!({ "url": "https://example.com/hook", "uid": "e" });
    world.post("/api/v1/app/a/endpoint", endpoint).await.expect(201);
    world
}

fn basic() -> Value {
    json!({ "type": "basic", "username": "ada", "password": SECRET })
}

/// The header of the last delivery with this name.
async fn delivered(world: &World, name: &str) -> Option<String> {
    let event = json!({ "eventType": "user.created", "payload": {} });
    let message = world.post("/api/v1/app/a/msg", event).await.id();
    let attempts = format!("/api/v1/app/a/attempt/msg/{message}");
    world.until(&attempts, |it| it["data"][0]["status"] == 0).await;
    let calls = world.receiver.calls.lock().unwrap();
    let call = calls.last().unwrap();
    call.headers().get(name).map(|it| it.to_str().unwrap().to_owned())
}

#[track_caller]
fn assert_problem(error: &Value, place: &[&str], message: &str) {
    assert_eq!(error["detail"][0]["loc"], json!([&["body"], place].concat()), "{error}");
    let said = error["detail"][0]["msg"].as_str().unwrap();
    assert!(said.contains(message), "{said}");
    assert!(!error.to_string().contains(SECRET), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_credential_is_sent_and_never_shown_again() {
    let world = world_with_endpoint().await;
    world.put(&format!("{ONE}/headers"), json!({ "headers": { "authorization": "custom" } })).await;
    let masked = json!({ "type": "basic", "username": "ada", "password": "***" });
    let set = world.patch(ONE, json!({ "authentication": basic() })).await.expect(200);
    assert_eq!(set["authentication"], masked);
    for shown in [
        world.get(ONE).await.expect(200),
        world.get("/api/v1/app/a/endpoint").await.expect(200)["data"][0].clone(),
        world.patch(ONE, json!({ "authentication": masked })).await.expect(200),
        world.put(ONE, json!({ "url": "https://example.com/new", "uid": "e" })).await.expect(200),
    ] {
        assert_eq!(shown["authentication"], masked);
    }
    assert_eq!(delivered(&world, "authorization").await.as_deref(), Some("Basic YWRhOnNlc2FtZQ=="));
    let log = world.get("/api/v1/audit-log").await.expect(200).to_string();
    assert!(log.contains(r#""field":"authentication","withheld":"secret""#), "{log}");
    assert!(!log.contains(SECRET));
    let attempt = world.get("/api/v1/app/a/attempt/endpoint/e").await.expect(200);
    let (message, attempt) = (&attempt["data"][0]["msgId"], &attempt["data"][0]["id"]);
    let (message, attempt) = (message.as_str().unwrap(), attempt.as_str().unwrap());
    let headers = format!("/api/v1/app/a/msg/{message}/attempt/{attempt}/headers");
    let headers = world.get(&headers).await.expect(200);
    assert_eq!(headers["sensitive"], json!(["authorization"]));
    let cleared = world.patch(ONE, json!({ "authentication": null })).await.expect(200);
    assert_eq!(cleared.get("authentication"), None);
    assert_eq!(delivered(&world, "authorization").await.as_deref(), Some("custom"));
}

#[tokio::test(start_paused = true)]
async fn the_value_of_a_header_of_any_name_is_hidden() {
    let world = world_with_endpoint().await;
    let header = json!({ "type": "header", "name": "X-Any", "value": SECRET });
    world.patch(ONE, json!({ "authentication": header })).await.expect(200);
    assert_eq!(delivered(&world, "x-any").await.as_deref(), Some(SECRET));
    let attempt = world.get("/api/v1/app/a/attempt/endpoint/e").await.expect(200);
    let (message, attempt) = (&attempt["data"][0]["msgId"], &attempt["data"][0]["id"]);
    let (message, attempt) = (message.as_str().unwrap(), attempt.as_str().unwrap());
    let headers = format!("/api/v1/app/a/msg/{message}/attempt/{attempt}/headers");
    let headers = world.get(&headers).await.expect(200);
    assert_eq!(headers["sensitive"], json!(["x-any"]));
    assert!(!headers.to_string().contains(SECRET));
}

#[tokio::test(start_paused = true)]
async fn credentials_that_are_not_valid_are_refused() {
    let world = world_with_endpoint().await;
    for (given, place, message) in [
        (json!({ "type": "basic", "username": "a" }), &["password"][..], "field required"),
        (json!({ "type": "basic", "username": "a:b", "password": "c" }), &["username"], "colon"),
        (json!({ "type": "bearer", "token": "a b" }), &["token"], "without spaces"),
        (json!({ "type": "bearer", "token": "***" }), &["token"], "is the mask of a secret"),
        (
            json!({ "type": "bearer", "token": "a", "password": SECRET }),
            &["password"],
            "does not belong to this type",
        ),
        (
            json!({ "type": "header", "name": "Host", "value": "a" }),
            &["name"],
            "is set by the server",
        ),
        (
            json!({ "type": "header", "name": "a", "value": "b\n" }),
            &["value"],
            "not a valid header value",
        ),
        (
            json!({ "type": "bearer", "token": "a".repeat(9_000) }),
            &["token"],
            "is longer than 8192 bytes",
        ),
    ] {
        let place = [&["authentication"], place].concat();
        let new = json!({ "url": "https://example.com/2", "authentication": given });
        let created = world.post("/api/v1/app/a/endpoint", new).await.expect(422);
        assert_problem(&created, &place, message);
        let changed = world.patch(ONE, json!({ "authentication": given })).await.expect(422);
        assert_problem(&changed, &place, message);
    }
    let slack = json!({ "kind": "live", "authentication": basic() });
    let error = world.post("/api/v1/app/a/endpoint", slack).await.expect(422);
    assert_problem(&error, &["authentication"], "is only for endpoints of the kind `http`");
}

#[tokio::test(start_paused = true)]
async fn a_stored_credential_is_not_sent_to_another_server() {
    let world = world_with_endpoint().await;
    world.patch(ONE, json!({ "authentication": basic() })).await.expect(200);
    let url = "https://elsewhere.example/hook";
    let masked = json!({ "type": "basic", "username": "ada", "password": "***" });
    for body in [json!({ "url": url }), json!({ "url": url, "authentication": masked })] {
        for error in [
            world.patch(ONE, body.clone()).await.expect(422),
            world.put(ONE, body.clone()).await.expect(422),
        ] {
            assert_problem(&error, &["authentication"], "must be given again");
        }
    }
    world.patch(ONE, json!({ "url": url, "authentication": basic() })).await.expect(200);
    let none = json!({ "url": "https://example.com/3", "authentication": null });
    world.patch(ONE, none).await.expect(200);
}

fn oauth() -> Value {
    json!({
        "grantType": "clientCredentials",
        "authMethod": "clientSecretBasic",
        "tokenUrl": "https://id.example.com/token",
        "clientId": "acme",
        "clientSecret": SECRET,
        "scopes": ["a", "b"],
        "extraParams": { "audience": "x", "my_secret": SECRET },
        "extraHeaders": { "x-api-key": SECRET, "x-team": "y" },
    })
}

#[tokio::test(start_paused = true)]
async fn oauth_is_set_shown_without_secrets_and_removed() {
    let world = world_with_endpoint().await;
    let path = format!("{ONE}/oauth");
    world.get(&path).await.expect(404);
    let none = world.get(&format!("{ONE}/oauth-config")).await.expect(200);
    assert_eq!(none, json!({ "enabled": false, "config": null }));
    world.put(&path, oauth()).await.expect(204);
    let expected = json!({
        "grantType": "clientCredentials",
        "authMethod": "clientSecretBasic",
        "tokenUrl": "https://id.example.com/token",
        "clientId": "acme",
        "scopes": ["a", "b"],
        "extraParams": { "audience": "x", "my_secret": "***" },
        "extraHeaders": { "x-api-key": "***", "x-team": "y" },
    });
    assert_eq!(world.get(&path).await.expect(200), expected);
    let state = world.get(&format!("{ONE}/oauth-config")).await.expect(200);
    assert_eq!(state, json!({ "enabled": true, "config": expected }));
    // A client that does not know it keeps it.
    world.put(ONE, json!({ "url": "https://example.com/new", "uid": "e" })).await.expect(200);
    world.get(&path).await.expect(200);
    let bearer = json!({ "authentication": { "type": "bearer", "token": "a" } });
    let error = world.patch(ONE, bearer.clone()).await.expect(422);
    assert_problem(&error, &["authentication"], "delete its OAuth configuration first");
    let header = json!({ "authentication": { "type": "header", "name": "x", "value": "y" } });
    world.patch(ONE, header).await.expect(200);
    world.delete(&path).await.expect(204);
    world.get(&path).await.expect(404);
    world.patch(ONE, bearer).await.expect(200);
    let conflict = world.put(&path, oauth()).await.expect(409);
    assert!(conflict["detail"].as_str().unwrap().contains("remove it first"), "{conflict}");
    let log = world.get("/api/v1/audit-log").await.expect(200).to_string();
    assert!(log.contains("v1.endpoint.set-oauth-config") && !log.contains(SECRET), "{log}");
}

#[tokio::test(start_paused = true)]
async fn oauth_that_is_not_valid_is_refused() {
    let world = world_with_endpoint().await;
    let key = json!({ "secretBase64": "c2VzYW1l", "signingAlgorithm": "RS256" });
    for (change, place, message) in [
        (json!({ "tokenUrl": "ftp://id.example.com" }), &["tokenUrl"][..], ""),
        (json!({ "tokenUrl": "http://10.0.0.1/token" }), &["tokenUrl"], ""),
        (json!({ "clientId": "" }), &["clientId"], "must not be empty"),
        (json!({ "clientSecret": null }), &["clientSecret"], "field required"),
        (json!({ "refreshToken": SECRET }), &["refreshToken"], "only for the grant type"),
        (json!({ "grantType": "refreshToken" }), &["refreshToken"], "field required"),
        (json!({ "jwtParams": key }), &["jwtParams"], "is only for `clientSecretJwt`"),
        (json!({ "scopes": ["a b"] }), &["scopes", "0"], "without spaces"),
        (
            json!({ "extraParams": { "grant_type": "x" } }),
            &["extraParams", "grant_type"],
            "is set from the other fields",
        ),
        (json!({ "extraHeaders": { "Host": "x" } }), &["extraHeaders", "Host"], "by the server"),
        (
            json!({ "authMethod": "clientSecretJwt", "clientSecret": null }),
            &["jwtParams"],
            "field required",
        ),
        (
            json!({ "authMethod": "clientSecretJwt", "clientSecret": null, "jwtParams": key }),
            &["jwtParams", "secretBase64"],
            "is not a private key",
        ),
    ] {
        let mut body = oauth();
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        let error = world.put(&format!("{ONE}/oauth"), body).await.expect(422);
        assert_problem(&error, place, message);
    }
    let live = json!({ "kind": "live", "uid": "live" });
    world.post("/api/v1/app/a/endpoint", live).await.expect(201);
    let refused = world.put("/api/v1/app/a/endpoint/live/oauth", oauth()).await.expect(400);
    assert_eq!(refused["code"], "not_http");
}

/// A certificate and its key in PEM.
fn identity() -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "acme");
    params.not_after = rcgen::date_time_ymd(2030, 1, 2);
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

#[tokio::test(start_paused = true)]
async fn a_client_certificate_is_checked_shown_without_its_key_and_removed() {
    let world = world_with_endpoint().await;
    let path = format!("{ONE}/mtls");
    world.get(&path).await.expect(404);
    let none = world.get(&format!("{ONE}/mtls-config")).await.expect(200);
    assert_eq!(none, json!({ "enabled": false, "config": null }));
    let (certificate, key) = identity();
    let (_, other) = identity();
    for (wrong, message) in [
        (certificate.clone(), "holds no private key"),
        (key.clone(), "holds no certificate"),
        (format!("{certificate}{other}"), "no certificate for the private key"),
        ("x".repeat(40_000), "is longer than 32768 bytes"),
    ] {
        let error = world.put(&path, json!({ "identity": wrong })).await.expect(422);
        assert_problem(&error, &["identity"], message);
    }
    world.put(&path, json!({ "identity": format!("{key}{certificate}") })).await.expect(204);
    let shown = world.get(&path).await.expect(200);
    assert_eq!(shown["subject"], "CN=acme");
    assert_eq!(shown["expiresAt"], "2030-01-02T00:00:00Z");
    assert_eq!(shown["fingerprint"].as_str().unwrap().len(), 64);
    assert!(!shown.to_string().contains("PRIVATE"), "{shown}");
    let state = world.get(&format!("{ONE}/mtls-config")).await.expect(200);
    assert_eq!(state, json!({ "enabled": true, "config": shown }));
    world.put(ONE, json!({ "url": "https://example.com/new", "uid": "e" })).await.expect(200);
    world.get(&path).await.expect(200);
    world.delete(&path).await.expect(204);
    world.get(&path).await.expect(404);
    world.patch(ONE, json!({ "url": "http://example.com/new" })).await.expect(200);
    let plain = json!({ "identity": format!("{key}{certificate}") });
    assert_eq!(world.put(&path, plain).await.expect(400)["code"], "not_https");
}

#[tokio::test(start_paused = true)]
async fn endpoints_of_sources_authenticate_too() {
    let world = world_with_endpoint().await;
    let source = json!({ "name": "S", "uid": "s", "type": "generic-webhook" });
    world.post("/ingest/api/v1/source", source).await.expect(201);
    let one = "/ingest/api/v1/source/s/endpoint";
    let endpoint = json!({ "url": "https://example.com", "uid": "e" });
    world.post(one, endpoint).await.expect(201);
    let path = |name: &str| format!("{one}/e/{name}");
    world.get(&path("oauth")).await.expect(404);
    world.put(&path("oauth"), oauth()).await.expect(204);
    let shown = world.get(&path("oauth")).await.expect(200);
    assert_eq!((&shown["clientId"], shown.get("clientSecret")), (&json!("acme"), None));
    world.get(&path("mtls")).await.expect(404);
    world.put(&path("mtls"), json!({ "identity": "none" })).await.expect(422);
    world.delete(&path("oauth")).await.expect(204);
    world.get(&path("oauth")).await.expect(404);
    world.delete(&path("mtls")).await.expect(204);
}
