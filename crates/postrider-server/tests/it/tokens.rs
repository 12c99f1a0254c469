//! Who may do what.

use http::{Method, Request};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use postrider::api::Capability;
use postrider_server::{ApplicationGrant, JwtSecret, mint};
use serde_json::{Value, json};

use crate::world::{ORGANIZATION, World, application_id, secret, token};

const APPS: &str = "/api/v1/app";

fn signed(claims: &Value, key: &[u8], algorithm: Algorithm) -> String {
    encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(key)).unwrap()
}

fn claims(claims: &Value) -> String {
    signed(claims, b"a secret for tests", Algorithm::HS256)
}

#[tokio::test(start_paused = true)]
async fn invalid_tokens_are_refused_with_a_reason() {
    let world = World::new();
    let good = json!({ "sub": ORGANIZATION });
    for (authorization, reason) in [
        (None, "the Authorization header is missing"),
        (Some("Basic x".to_owned()), "is not of the form"),
        (Some("Bearer nonsense".to_owned()), "is not a JSON Web Token"),
        (Some("Bearer a secret for tests".to_owned()), "this is the JWT secret"),
        (
            Some(format!("Bearer {}", signed(&good, b"other", Algorithm::HS256))),
            "not signed with this server's secret",
        ),
        (
            Some(format!("Bearer {}", signed(&good, b"a secret for tests", Algorithm::HS512))),
            "not signed with HS256",
        ),
        (
            Some(format!("Bearer {}", claims(&json!({ "sub": "app_1" })))),
            "does not name an organization",
        ),
        (
            Some(format!("Bearer {}", claims(&json!({ "sub": "me", "org": ORGANIZATION })))),
            "`sub` is not an application",
        ),
        (
            Some(format!("Bearer {}", claims(&json!({ "org": ORGANIZATION })))),
            "claims are malformed",
        ),
        (
            Some(format!(
                "Bearer {}",
                claims(&json!({ "sub": ORGANIZATION, "exp": 1_700_000_000 }))
            )),
            "has expired",
        ),
        (
            Some(format!(
                "Bearer {}",
                claims(&json!({ "sub": ORGANIZATION, "nbf": 2_000_000_000 }))
            )),
            "not valid yet",
        ),
    ] {
        let mut request = Request::get(APPS);
        if let Some(authorization) = &authorization {
            request = request.header("authorization", authorization);
        }
        let reply = world.send(request.body(axum::body::Body::empty()).unwrap()).await;
        assert_eq!(reply.headers["www-authenticate"], "Bearer");
        let error = reply.expect(401);
        assert_eq!(error["code"], "authentication_failed");
        assert!(error["detail"].as_str().unwrap().contains(reason), "{error} {reason}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_expires() {
    let world = World::new();
    let soon = world.engine.clock().now().as_seconds() + 10;
    let token = claims(&json!({ "sub": ORGANIZATION, "exp": soon }));
    world.call_as(&token, Method::GET, APPS, None).await.expect(200);
    tokio::time::sleep(std::time::Duration::from_secs(71)).await;
    world.call_as(&token, Method::GET, APPS, None).await.expect(401);
}

#[tokio::test(start_paused = true)]
async fn organizations_never_see_each_other() {
    let world = World::new();
    let id = world.post(APPS, json!({ "name": "A", "uid": "a" })).await.id();
    let other = token(&world.engine, "org_other", None);
    for path in [format!("{APPS}/{id}"), format!("{APPS}/a"), format!("{APPS}/a/msg")] {
        world.call_as(&other, Method::GET, &path, None).await.expect(404);
    }
    let page = world.call_as(&other, Method::GET, APPS, None).await.expect(200);
    assert_eq!(page["data"], json!([]));
    let same = json!({ "name": "Other", "uid": "a" });
    world.call_as(&other, Method::POST, APPS, Some(&same)).await.expect(201);
}

/// Every operation, and the status for a full token of the application's own; whatever is
/// refused has 403.
const OPERATIONS: &[(&str, &str, u16)] = &[
    ("GET", "/api/v1/app", 403),
    ("POST", "/api/v1/app", 403),
    ("GET", "/api/v1/app/a", 200),
    ("PUT", "/api/v1/app/a", 403),
    ("PATCH", "/api/v1/app/a", 403),
    ("DELETE", "/api/v1/app/a", 403),
    ("POST", "/api/v1/app/a/msg", 403),
    ("POST", "/api/v1/app/a/msg/batch", 403),
    ("GET", "/api/v1/app/a/msg", 200),
    ("GET", "/api/v1/app/a/msg/m", 200),
    ("DELETE", "/api/v1/app/a/msg/m/content", 403),
    ("GET", "/api/v1/app/a/msg/m/endpoint", 200),
    ("GET", "/api/v1/app/a/attempt/msg/m", 200),
    ("GET", "/api/v1/app/a/attempt/endpoint/e", 200),
    ("POST", "/api/v1/app/a/msg/m/endpoint/e/resend", 202),
    ("GET", "/api/v1/app/a/endpoint", 200),
    ("POST", "/api/v1/app/a/endpoint", 422),
    ("PATCH", "/api/v1/app/a/endpoint/e", 422),
    ("GET", "/api/v1/app/a/endpoint/e/secret", 200),
    ("POST", "/api/v1/app/a/endpoint/e/secret/rotate", 422),
    ("POST", "/api/v1/app/a/endpoint/e/recover", 422),
    ("POST", "/api/v1/app/a/endpoint/e/bulk-replay", 422),
    ("POST", "/api/v1/app/a/endpoint/e/replay-missing", 422),
    ("POST", "/api/v1/app/a/endpoint/e/cancel-msgs", 422),
    ("POST", "/api/v1/app/a/cancel-msgs", 422),
    ("POST", "/api/v1/app/a/msg/precheck/active", 403),
    ("POST", "/api/v1/app/a/msg/bulk-expunge", 403),
    ("POST", "/api/v1/app/a/msg/expunge-all-contents", 403),
    ("GET", "/api/v1/app/a/attempt/endpoint/e/count", 200),
    ("GET", "/api/v1/background-task", 403),
    ("POST", "/api/v1/resend", 403),
    ("POST", "/api/v1/resend/preview", 403),
    ("POST", "/api/v1/stats/usage/app", 403),
    ("PUT", "/api/v1/stats/usage/event-types", 403),
    ("POST", "/api/v1/app/a/endpoint/e/send-example", 422),
    ("GET", "/api/v1/app/a/endpoint/e/headers", 200),
    ("GET", "/api/v1/event-type", 200),
    ("POST", "/api/v1/event-type", 403),
    ("PUT", "/api/v1/event-type/x", 403),
    ("DELETE", "/api/v1/event-type/x", 403),
    ("POST", "/api/v1/auth/app-portal-access/a", 403),
    ("POST", "/api/v1/auth/dashboard-access/a", 403),
];

async fn furnished() -> (World, String) {
    let world = World::new();
    let id = world.post(APPS, json!({ "name": "A", "uid": "a" })).await.id();
    world.post(APPS, json!({ "name": "B", "uid": "b" })).await.expect(201);
    let endpoint = json!({ "url": "https://example.com", "uid": "e" });
    world.post("/api/v1/app/a/endpoint", endpoint).await.expect(201);
    let event = json!({ "eventType": "x", "eventId": "m", "payload": {} });
    world.post("/api/v1/app/a/msg", event).await.expect(202);
    (world, id)
}

#[tokio::test(start_paused = true)]
async fn an_applications_token_has_limited_access() {
    let (world, id) = furnished().await;
    let own = world.own_token(ApplicationGrant::full(application_id(&id)));
    for &(method, path, status) in OPERATIONS {
        let method: Method = method.parse().unwrap();
        // A body of the wrong type shows that the request got past the check of rights.
        let body = (method != Method::GET).then(|| json!([0]));
        let reply = world.call_as(&own, method.clone(), path, body.as_ref()).await;
        assert_eq!(reply.status, status, "{method} {path}: {}", reply.text);
        let foreign = path.replace("/app/a", "/app/b");
        if foreign != path && method == Method::GET {
            world.call_as(&own, method, &foreign, None).await.expect(404);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn capabilities_narrow_an_applications_token() {
    use Capability::{
        CreateAttempts, ManageEndpoint, ManageEndpointSecret, ViewBase, ViewEndpointSecret,
    };
    let (world, id) = furnished().await;
    let secret_path = "/api/v1/app/a/endpoint/e/secret";
    let rotate = "/api/v1/app/a/endpoint/e/secret/rotate";
    let endpoint = "/api/v1/app/a/endpoint/e";
    let resend = "/api/v1/app/a/msg/m/endpoint/e/resend";
    for (capability, allowed) in [
        (ViewBase, [true, false, false, false, false]),
        (ViewEndpointSecret, [true, true, false, false, false]),
        (ManageEndpointSecret, [true, true, true, false, false]),
        (ManageEndpoint, [true, true, true, true, false]),
        (CreateAttempts, [true, false, false, false, true]),
    ] {
        let grant = ApplicationGrant {
            capabilities: Some([capability].into()),
            ..ApplicationGrant::full(application_id(&id))
        };
        let own = world.own_token(grant);
        let calls = [
            (Method::GET, endpoint),
            (Method::GET, secret_path),
            (Method::POST, rotate),
            (Method::PATCH, endpoint),
            (Method::POST, resend),
        ];
        for ((method, path), allowed) in calls.into_iter().zip(allowed) {
            let body = (method != Method::GET).then(|| json!({}));
            let reply = world.call_as(&own, method.clone(), path, body.as_ref()).await;
            assert_eq!(reply.status != 403, allowed, "{capability:?} {method} {path}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn portal_access_makes_a_token_of_the_application() {
    let (world, _) = furnished().await;
    let path = "/api/v1/auth/app-portal-access/a";
    let access = world.post(path, json!({ "readOnly": true, "expiry": 3_600 })).await.expect(200);
    let own = access["token"].as_str().unwrap();
    assert!(access["url"].as_str().unwrap().starts_with("http://portal.example/login#key="));
    world.call_as(own, Method::GET, "/api/v1/app/a", None).await.expect(200);
    let patch = json!({ "disabled": true });
    world.call_as(own, Method::PATCH, "/api/v1/app/a/endpoint/e", Some(&patch)).await.expect(403);
    tokio::time::sleep(std::time::Duration::from_secs(3_661)).await;
    world.call_as(own, Method::GET, "/api/v1/app/a", None).await.expect(401);
    let inline = json!({ "application": { "name": "C" } });
    world.post("/api/v1/auth/app-portal-access/c", inline).await.expect(200);
    world.get("/api/v1/app/c").await.expect(200);
    for (body, field) in [
        (json!({ "expiry": 60 }), "expiry"),
        (json!({ "sessionId": "a b" }), "sessionId"),
        (json!({ "capabilities": ["Everything"] }), "capabilities"),
        (json!({ "capabilities": [] }), "capabilities"),
    ] {
        let error = world.post(path, body).await.expect(422);
        assert_eq!(error["detail"][0]["loc"][1], field);
    }
}

#[tokio::test(start_paused = true)]
async fn dashboard_access_works_like_portal_access() {
    let (world, _) = furnished().await;
    let path = "/api/v1/auth/dashboard-access/a";
    let bare = Request::post(path)
        .header("authorization", format!("Bearer {}", world.token))
        .body(axum::body::Body::empty());
    let bare = world.send(bare.unwrap()).await.expect(200);
    let limited = world.post(path, json!({ "readOnly": true })).await.expect(200);
    let patch = json!({ "description": "x" });
    for (access, status) in [(bare, 200), (limited, 403)] {
        assert!(access["url"].as_str().unwrap().starts_with("http://portal.example/login#key="));
        let own = access["token"].as_str().unwrap();
        world.call_as(own, Method::GET, "/api/v1/app/a", None).await.expect(200);
        let one = "/api/v1/app/a/endpoint/e";
        world.call_as(own, Method::PATCH, one, Some(&patch)).await.expect(status);
    }
    world.post("/api/v1/auth/dashboard-access/unknown", json!({})).await.expect(404);
}

#[tokio::test(start_paused = true)]
async fn a_revoked_token_is_refused_by_every_operation() {
    let (world, _) = furnished().await;
    let path = "/api/v1/auth/app-portal-access/a";
    let access = async || {
        let access = world.post(path, json!({ "sessionId": "me" })).await.expect(200);
        access["token"].as_str().unwrap().to_owned()
    };
    let first = access().await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let other = access().await;
    let logout = "/api/v1/auth/logout";
    world.call_as(&first, Method::POST, logout, None).await.expect(204);
    let refused = world.call_as(&first, Method::GET, "/api/v1/app/a", None).await.expect(401);
    assert_eq!(refused["detail"], "the token was logged out");
    world.call_as(&first, Method::GET, "/api/v1/event-type", None).await.expect(401);
    world.call_as(&other, Method::GET, "/api/v1/app/a", None).await.expect(200);
    world.put("/api/v1/app/a", json!({ "name": "A", "uid": "a" })).await.expect(200);
    world.call_as(&first, Method::GET, "/api/v1/app/a", None).await.expect(401);
    world.call(Method::POST, logout, None).await.expect(403);
    world.delete("/api/v1/app/a").await.expect(204);
    world.call_as(&other, Method::GET, "/api/v1/event-type", None).await.expect(401);
}

#[test]
fn the_debug_output_of_a_secret_does_not_contain_it() {
    assert_eq!(format!("{:?}", secret()), "JwtSecret(…)");
    assert_eq!(format!("{:?}", JwtSecret::new("x")), "JwtSecret(…)");
}

#[tokio::test(start_paused = true)]
async fn a_minted_token_has_the_rights_of_its_grant() {
    let world = World::new();
    let id = world.post(APPS, json!({ "name": "A" })).await.id();
    let grant = postrider_server::Grant {
        application: Some(ApplicationGrant::full(application_id(&id))),
        ..postrider_server::Grant::of(ORGANIZATION.parse().unwrap())
    };
    let token = mint(&grant, &secret(), world.engine.clock().now());
    let path = format!("{APPS}/{id}");
    world.call_as(&token, Method::GET, &path, None).await.expect(200);
}
