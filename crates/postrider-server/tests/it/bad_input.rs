//! Responses to invalid requests say what is wrong, and where.

use axum::body::Body;
use http::{Method, Request};
use postrider::api::endpoint::MAX_URL;
use postrider_core::kind::live::AllowedOrigin;
use postrider_server::{Limits, Settings};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::world::{Reply, World, plain, settings};

async fn world() -> World {
    let world = World::new();
    world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await.expect(201);
    world
}

/// Sends each body, and expects the place of its mistake to be named.
async fn check(path: &str, cases: impl IntoIterator<Item = (Value, &str)>) {
    let world = world().await;
    for (body, place) in cases {
        let error = world.post(path, body.clone()).await.expect(422);
        let loc = error["detail"][0]["loc"].as_array().unwrap();
        let loc: Vec<_> = loc.iter().map(|it| it.as_str().unwrap()).collect();
        assert_eq!(loc.join("."), format!("body.{place}"), "{body}");
        assert!(!error["detail"][0]["msg"].as_str().unwrap().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn invalid_values_of_applications_are_listed_with_their_locations() {
    let cases = [
        (json!({}), "name"),
        (json!({ "name": "" }), "name"),
        (json!({ "name": 7 }), "name"),
        (json!({ "name": "A\u{7}" }), "name"),
        (json!({ "name": "A", "uid": "" }), "uid"),
        (json!({ "name": "A", "uid": "app_00000000000000000000000000" }), "uid"),
        (json!({ "name": "A", "uid": "a b" }), "uid"),
        (json!({ "name": "A", "uid": "x".repeat(257) }), "uid"),
        (json!({ "name": "A", "throttleRate": 0 }), "throttleRate"),
        (json!({ "name": "A", "throttleRate": -1 }), "throttleRate"),
        (json!({ "name": "A", "rateLimit": 70_000 }), "rateLimit"),
        (json!({ "name": "A", "metadata": { "k": 1 } }), "metadata.k"),
        (json!({ "name": "A", "metadata": { "k": "x".repeat(5_000) } }), "metadata"),
    ];
    check("/api/v1/app", cases).await;
}

#[tokio::test(start_paused = true)]
async fn invalid_values_of_endpoints_are_listed_with_their_locations() {
    let url = "https://example.com";
    let cases = [
        (json!({}), "url"),
        (json!({ "url": "" }), "url"),
        (json!({ "url": "no url" }), "url"),
        (json!({ "url": "ftp://example.com" }), "url"),
        (json!({ "url": "https://me:you@example.com" }), "url"),
        (json!({ "url": "http://127.0.0.1/" }), "url"),
        (json!({ "url": "http://0x7f000001/" }), "url"),
        (json!({ "url": "http://169.254.169.254/latest" }), "url"),
        (json!({ "url": "http://[::ffff:10.0.0.1]/" }), "url"),
        (json!({ "url": "https://example.com:0/" }), "url"),
        (json!({ "url": url, "eventTypes": [] }), "eventTypes"),
        (json!({ "url": url, "filterTypes": ["a b"] }), "eventTypes.0"),
        (json!({ "url": url, "channels": [] }), "channels"),
        (json!({ "url": url, "channels": ["ok", "?"] }), "channels.1"),
        (
            json!({ "url": url, "channels": (0..11).map(|n| n.to_string()).collect::<Vec<_>>() }),
            "channels",
        ),
        (json!({ "url": url, "secret": "whsec_short" }), "secret"),
        (json!({ "url": url, "headers": { "webhook-id": "1" } }), "headers.webhook-id"),
        (json!({ "url": url, "disabled": "yes" }), "disabled"),
    ];
    check("/api/v1/app/a/endpoint", cases).await;
}

#[tokio::test(start_paused = true)]
async fn the_longest_url_fits_if_the_limit_of_bodies_allows_it() {
    let limits = Limits { config_body: 128 << 10, ..Limits::default() };
    let world = World::with(Settings { limits, ..settings() });
    world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await.expect(201);
    let url = |length: usize| format!("https://example.com/{}", "x".repeat(length - 20));
    let path = "/api/v1/app/a/endpoint";
    world.post(path, json!({ "url": url(MAX_URL) })).await.expect(201);
    let error = world.post(path, json!({ "url": url(MAX_URL + 1) })).await.expect(422);
    assert_eq!(error["detail"][0]["loc"], json!(["body", "url"]));
}

#[tokio::test(start_paused = true)]
async fn invalid_values_of_messages_are_listed_with_their_locations() {
    let cases = [
        (json!({ "payload": {} }), "eventType"),
        (json!({ "eventType": "x" }), "payload"),
        (json!({ "eventType": "a b", "payload": {} }), "eventType"),
        (json!({ "eventType": "x", "payload": {}, "eventId": "" }), "eventId"),
        (
            json!({ "eventType": "x", "payload": {}, "eventId": "msg_00000000000000000000000000" }),
            "eventId",
        ),
        (json!({ "eventType": "x", "payload": {}, "channels": [] }), "channels"),
        (
            json!({ "eventType": "x", "payload": {}, "channels": ["1", "2", "3", "4", "5", "6"] }),
            "channels",
        ),
        (json!({ "eventType": "x", "payload": {}, "tags": [" "] }), "tags.0"),
        (json!({ "eventType": "x", "payload": {}, "tags": [1] }), "tags.0"),
        (
            json!({ "eventType": "x", "payload": {}, "payloadRetentionPeriod": 4 }),
            "payloadRetentionPeriod",
        ),
        (
            json!({ "eventType": "x", "payload": {}, "payloadRetentionHours": 0 }),
            "payloadRetentionHours",
        ),
        (
            json!({ "eventType": "x", "payload": {}, "payloadRetentionPeriod": 5, "payloadRetentionHours": 5 }),
            "payloadRetentionHours",
        ),
        (
            json!({ "eventType": "x", "payload": {}, "deliverAt": "2026-01-01T00:00:30Z" }),
            "deliverAt",
        ),
        (
            json!({ "eventType": "x", "payload": {}, "deliverAt": "2027-01-03T00:00:00Z" }),
            "deliverAt",
        ),
        (json!({ "eventType": "x", "payload": {}, "deliverAt": "soon" }), "deliverAt"),
        (
            json!({ "eventType": "x", "payload": {}, "transformationsParams": { "rawPayload": 1 } }),
            "transformationsParams.rawPayload",
        ),
        (
            json!({ "eventType": "x", "payload": {}, "transformationsParams": { "headers": { "host": "a" } } }),
            "transformationsParams.headers.host",
        ),
        (json!({ "eventType": "x", "payload": {}, "application": {} }), "application.name"),
    ];
    check("/api/v1/app/a/msg", cases).await;
}

#[tokio::test(start_paused = true)]
async fn invalid_values_of_event_types_are_listed_with_their_locations() {
    let cases = [
        (json!({ "name": "a b", "description": "" }), "name"),
        (json!({ "name": "x" }), "description"),
        (json!({ "name": "x", "description": "", "schemas": [] }), "schemas"),
        (json!({ "name": "x", "description": "", "schemas": { "1": 1 } }), "schemas.1"),
        (json!({ "name": "x", "description": "", "groupName": "?" }), "groupName"),
        (json!({ "name": "x", "description": "", "featureFlags": ["?"] }), "featureFlags.0"),
    ];
    check("/api/v1/event-type", cases).await;
}

#[tokio::test(start_paused = true)]
async fn all_problems_are_listed_in_one_response() {
    let world = world().await;
    let body = json!({ "url": "x", "uid": "?", "channels": [], "throttleRate": 0 });
    let error = world.post("/api/v1/app/a/endpoint", body).await.expect(422);
    insta::assert_json_snapshot!(plain(error));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_not_json_is_refused_with_that_reason() {
    let world = world().await;
    for body in ["", "{", "{}}", "{\"name\": \"A\",}", "\u{feff}{}", "nonsense"] {
        for path in ["/api/v1/app", "/api/v1/app/a/msg", "/api/v1/app/a/msg/batch"] {
            let request = Request::post(path)
                .header("authorization", format!("Bearer {}", world.token))
                .body(Body::from(body));
            let error = world.send(request.unwrap()).await.expect(422);
            assert_eq!(error["detail"][0]["loc"], json!(["body"]), "{body}");
            assert_eq!(error["detail"][0]["type"], "value_error.jsondecode", "{body}");
        }
    }
    let latin = Request::post("/api/v1/app")
        .header("authorization", format!("Bearer {}", world.token))
        .body(Body::from(&b"{\"name\":\"\xe4\"}"[..]));
    world.send(latin.unwrap()).await.expect(422);
}

#[tokio::test(start_paused = true)]
async fn responses_for_unknown_paths_and_methods_are_json() {
    let world = world().await;
    for path in ["/nothing", "/api/v1", "/api/v1/app/a/unknown", "/api/v2/app"] {
        assert_eq!(world.get(path).await.expect(404)["code"], "not_found");
    }
    let reply = world.call(Method::PUT, "/api/v1/app", None).await;
    assert!(reply.headers["allow"].to_str().unwrap().contains("POST"));
    assert_eq!(reply.expect(405)["code"], "method_not_allowed");
    for path in ["/api/v1/app/%ff", "/api/v1/app/a%20b", "/api/v1/event-type/a%2Fb"] {
        let error = world.get(path).await.expect(422);
        assert_eq!(error["detail"][0]["loc"][0], "path");
    }
}

#[tokio::test(start_paused = true)]
async fn names_of_dots_alone_are_refused_in_bodies() {
    let url = "https://example.com";
    for dots in [".", "..", "...", "%2e%2e", ".%2E"] {
        let message = json!({ "eventType": "x", "payload": {}, "eventId": dots });
        let inline =
            json!({ "eventType": "x", "payload": {}, "application": { "name": "A", "uid": dots } });
        let example = json!({ "eventType": dots });
        for (path, body, place) in [
            ("/api/v1/app", json!({ "name": "A", "uid": dots }), "uid"),
            ("/api/v1/app/a/endpoint", json!({ "url": url, "uid": dots }), "uid"),
            ("/api/v1/app/a/endpoint", json!({ "url": url, "eventTypes": [dots] }), "eventTypes"),
            ("/api/v1/app/a/msg", json!({ "eventType": dots, "payload": {} }), "eventType"),
            ("/api/v1/app/a/msg", message, "eventId"),
            ("/api/v1/app/new/msg", inline, "application"),
            ("/api/v1/event-type", json!({ "name": dots, "description": "" }), "name"),
            ("/api/v1/app/a/endpoint/e/send-example", example, "eventType"),
            (
                "/ingest/api/v1/source",
                json!({ "name": "S", "type": "generic-webhook", "uid": dots }),
                "uid",
            ),
        ] {
            let world = world().await;
            let endpoint = json!({ "url": url, "uid": "e" });
            world.post("/api/v1/app/a/endpoint", endpoint).await.expect(201);
            let error = world.post(path, body).await.expect(422);
            assert_eq!(error["detail"][0]["loc"][1], place, "{dots} {error}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_segment_of_dots_leads_nowhere() {
    let world = world().await;
    let patch = world.patch("/api/v1/app/a", json!({ "uid": ".." })).await.expect(422);
    assert_eq!(patch["detail"][0]["loc"], json!(["body", "uid"]));
    for dots in ["..", ".", "%2e%2e", "%2E.", "..%2f..", "%252e%252e"] {
        for path in [
            format!("/api/v1/app/a/endpoint/{dots}"),
            format!("/api/v1/app/{dots}"),
            format!("/api/v1/event-type/{dots}"),
            format!("/ingest/api/v1/source/{dots}"),
        ] {
            let error = world.delete(&path).await.expect(422);
            assert_eq!(error["detail"][0]["loc"][0], "path", "{path}");
        }
        let put = json!({ "url": "https://example.com" });
        world.put(&format!("/api/v1/app/a/endpoint/{dots}"), put).await.expect(422);
        world.put(&format!("/api/v1/app/{dots}"), json!({ "name": "B" })).await.expect(422);
    }
    world.get("/api/v1/app/a").await.expect(200);
}

#[tokio::test(start_paused = true)]
async fn slashes_at_the_end_are_tolerated() {
    let world = world().await;
    for path in ["/api/v1/app/", "/api/v1/app/a/", "/api/v1/event-type/", "/api/v1/app/a/msg/"] {
        world.get(path).await.expect(200);
    }
    let event = json!({ "eventType": "x", "payload": {} });
    world.post("/api/v1/app/a/msg/", event).await.expect(202);
    assert_eq!(world.get("/api/v1/health/").await.expect(204), Value::Null);
}

#[tokio::test(start_paused = true)]
async fn health_needs_no_token() {
    let world = world().await;
    for path in ["/api/v1/health", "/api/v1/health/ready", "/api/v1/health/ping"] {
        for method in [Method::GET, Method::HEAD] {
            let request = Request::builder().method(method).uri(path).body(Body::empty());
            world.send(request.unwrap()).await.expect(204);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_about_to_shut_down_works_but_is_not_ready() {
    let draining = CancellationToken::new();
    let world = World::with(Settings { draining: draining.clone(), ..settings() });
    world.get("/api/v1/health/ready").await.expect(204);
    draining.cancel();
    let reply = world.get("/api/v1/health/ready").await.expect(503);
    assert_eq!(reply["detail"], "the server is shutting down");
    world.get("/api/v1/health").await.expect(204);
    world.get("/api/v1/health/ping").await.expect(204);
}

#[tokio::test(start_paused = true)]
async fn health_reports_an_engine_that_has_stopped() {
    let mut world = world().await;
    world.break_engine();
    let path = "/api/v1/health";
    let detail = "a part of the server has stopped";
    world.until(path, |reply| reply["detail"] == detail).await;
    world.get(path).await.expect(503);
}

#[tokio::test(start_paused = true)]
async fn requests_are_counted_by_operation_and_status() {
    let world = world().await;
    world.get("/api/v1/app/unknown").await.expect(404);
    let text = world.metrics().await;
    let counted = r#"postrider_http_requests_total{operation="v1.application.get",status="4xx"} 1"#;
    assert!(text.contains(counted), "{text}");
    let name = "postrider_http_request_duration_seconds_count";
    let created = format!(r#"{name}{{operation="v1.application.create"}} 1"#);
    assert!(text.contains(&created), "{text}");
    // An operation that was never called has no histogram.
    let deleted = format!(r#"{name}{{operation="v1.application.delete"}}"#);
    assert!(!text.contains(&deleted), "{text}");
}

#[tokio::test(start_paused = true)]
async fn metrics_have_the_format_that_the_client_accepts() {
    let world = world().await;
    let get = async |accept: &str| {
        let request = Request::get("/metrics").header("accept", accept);
        let reply = world.ask_metrics(request.body(Body::empty()).unwrap()).await;
        (reply.headers["content-type"].to_str().unwrap().to_owned(), reply.text)
    };
    let (media_type, text) = get("*/*").await;
    assert_eq!(media_type, "text/plain; version=0.0.4; charset=utf-8");
    assert!(text.contains("# TYPE postrider_messages_total counter\n"), "{text}");
    let (media_type, text) = get("application/openmetrics-text;version=1.0.0, */*;q=0.1").await;
    assert_eq!(media_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(text.contains("# TYPE postrider_messages counter\n"), "{text}");
    assert!(text.ends_with("# EOF\n"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn documentation_can_be_switched_off() {
    for docs in [true, false] {
        let world = World::with(Settings { docs, ..settings() });
        for page in ["/api/v1/openapi.json"] {
            let reply = world.get(page).await;
            assert_eq!(reply.status != 404, docs, "{page} {}", reply.status);
            if !docs {
                assert_eq!(reply.expect(404)["code"], "not_found");
            }
        }
        world.get("/api/v1/health/ping").await.expect(204);
    }
}

#[tokio::test(start_paused = true)]
async fn metrics_are_on_their_own_listener_which_serves_nothing_else() {
    let world = world().await;
    world.get("/metrics").await.expect(404);
    for path in ["/", "/docs", "/api/v1/health", "/api/v1/app"] {
        let request = Request::get(path).header("authorization", format!("Bearer {}", world.token));
        world.ask_metrics(request.body(Body::empty()).unwrap()).await.expect(404);
    }
    let request = Request::post("/metrics").body(Body::empty()).unwrap();
    world.ask_metrics(request).await.expect(405);
    assert!(world.metrics().await.contains("postrider_messages_total"));
}

#[tokio::test(start_paused = true)]
async fn pages_of_the_listed_origins_may_call_the_api() {
    const PAGE: &str = "https://console.example";
    let cors_origins = vec![AllowedOrigin::Exact(PAGE.to_owned())];
    let world = World::with(Settings { cors_origins, ..settings() });
    let header = |reply: &Reply, name: &str| {
        reply.headers.get(name).map(|it| it.to_str().unwrap().to_owned())
    };
    for (origin, allowed) in [
        (PAGE, Some(PAGE)),
        ("https://console.example:444", None),
        ("http://console.example", None),
        ("null", None),
    ] {
        let allowed = allowed.map(str::to_owned);
        let request = Request::options("/api/v1/app")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization");
        let reply = world.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(reply.status, 204);
        assert_eq!(header(&reply, "access-control-allow-origin"), allowed);
        assert_eq!(header(&reply, "vary").unwrap(), "origin");
        let headers = header(&reply, "access-control-allow-headers");
        assert_eq!(headers.is_some_and(|it| it.contains("authorization")), allowed.is_some());
        // Without a token, so that also errors can be read.
        let request = Request::get("/api/v1/app").header("origin", origin);
        let reply = world.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(reply.status, 401);
        assert_eq!(header(&reply, "access-control-allow-origin"), allowed);
        assert_eq!(header(&reply, "access-control-allow-credentials"), None);
    }
    let reply = world.get("/api/v1/app").await;
    assert_eq!(header(&reply, "vary").unwrap(), "origin", "also without an origin, for caches");
    let reply = World::new().get("/api/v1/app").await;
    assert_eq!(header(&reply, "vary"), None, "without origins, nothing changes");
}

#[tokio::test(start_paused = true)]
async fn responses_of_the_api_must_not_be_cached() {
    let world = world().await;
    let endpoint = json!({ "url": "https://example.com", "uid": "e" });
    let mut replies = vec![world.post("/api/v1/app/a/endpoint", endpoint).await];
    let source = json!({ "name": "S", "type": "github", "uid": "s", "secrets": ["s"] });
    replies.push(world.post("/ingest/api/v1/source", source).await);
    for path in [
        "/api/v1/app/a/endpoint/e/secret",
        "/ingest/api/v1/source/s/secret",
        "/ingest/api/v1/source",
        "/api/v1/app/none",
    ] {
        replies.push(world.get(path).await);
    }
    for path in [
        "/api/v1/app/a/endpoint/e/secret/rotate",
        "/api/v1/auth/app-portal-access/a",
        "/api/v1/auth/dashboard-access/a",
        "/ingest/api/v1/source/s/dashboard",
        "/ingest/api/v1/source/s/token/rotate",
    ] {
        replies.push(world.post(path, json!({})).await);
    }
    for reply in replies {
        assert_eq!(reply.headers["cache-control"], "no-store", "{}", reply.text);
    }
}

#[tokio::test(start_paused = true)]
async fn an_unavailable_store_is_a_temporary_error() {
    let world = world().await;
    world.engine.store().close().await.unwrap();
    let reply = world.post("/api/v1/app", json!({ "name": "B" })).await;
    assert_eq!(reply.headers["retry-after"], "1");
    assert_eq!(reply.expect(503)["code"], "service_unavailable");
    world.get("/api/v1/health").await.expect(503);
    world.get("/api/v1/health/ready").await.expect(503);
    world.get("/api/v1/health/ping").await.expect(204);
}

#[tokio::test(start_paused = true)]
async fn lists_are_not_read_as_the_fields_of_an_object() {
    let world = world().await;
    for body in [json!([]), json!(["test.event", { "n": 1 }])] {
        let error = world.post("/api/v1/app/a/msg", body).await.expect(422);
        assert_eq!(error["detail"][0]["loc"], json!(["body"]));
        assert_eq!(error["detail"][0]["msg"], "must be a JSON object");
    }
}

#[tokio::test(start_paused = true)]
async fn unknown_fields_are_listed_with_suggestions() {
    let event = json!({ "eventType": "x", "payload": { "any": 1 } });
    let with = |field: &str, value: Value| {
        let mut event = event.clone();
        event[field] = value;
        event
    };
    let url = "https://example.com";
    for (path, body, place, near) in [
        ("/api/v1/app", json!({ "name": "A", "udi": "u" }), "udi", "uid"),
        (
            "/api/v1/app/a/endpoint",
            json!({ "url": url, "filter_types": [] }),
            "filter_types",
            "filterTypes",
        ),
        ("/api/v1/app/a/msg", with("eventID", json!("e")), "eventID", "eventId"),
        ("/api/v1/app/a/msg", with("channel", json!("e")), "channel", "channels"),
        (
            "/api/v1/app/a/msg",
            with("application", json!({ "name": "A", "udi": "u" })),
            "application.udi",
            "uid",
        ),
        (
            "/api/v1/app/a/msg/batch",
            json!({ "messages": [event], "message": 1 }),
            "message",
            "messages",
        ),
        (
            "/api/v1/event-type",
            json!({ "name": "x", "description": "", "schema": {} }),
            "schema",
            "schemas",
        ),
        (
            "/ingest/api/v1/source",
            json!({ "name": "S", "type": "github", "config": { "secrte": "s" } }),
            "config.secrte",
            "secret",
        ),
        ("/api/v1/auth/dashboard-access/a", json!({ "expire": 1 }), "expire", "expiry"),
    ] {
        let world = world().await;
        let error = world.post(path, body.clone()).await.expect(422);
        let loc: Vec<_> = error["detail"][0]["loc"].as_array().unwrap().clone();
        let loc: Vec<_> = loc.iter().skip(1).map(|it| it.as_str().unwrap()).collect();
        assert_eq!(loc.join("."), place, "{body} {error}");
        let message = error["detail"][0]["msg"].as_str().unwrap();
        assert!(message.starts_with("is not a known field; did you mean "), "{message}");
        assert!(message.contains(near), "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn misspelled_and_missing_fields_are_listed_together() {
    let world = world().await;
    let error = world.post("/api/v1/app", json!({ "nmae": "A" })).await.expect(422);
    assert_eq!(error["detail"][0]["loc"], json!(["body", "name"]));
    assert_eq!(error["detail"][1]["loc"], json!(["body", "nmae"]));
    let batch = json!({ "messages": [
        { "eventType": "x", "payload": {}, "evenId": "e" },
        { "eventType": "x", "payload": {} },
    ] });
    let items = world.post("/api/v1/app/a/msg/batch", batch).await.expect(200);
    let statuses = [&items["data"][0]["status"], &items["data"][1]["status"]];
    assert_eq!(statuses, [&json!(422), &json!(202)]);
}

#[tokio::test(start_paused = true)]
async fn requests_of_clients_of_the_hosted_api_are_accepted() {
    let world = world().await;
    let endpoint = json!({ "url": "https://example.com", "uid": "e", "version": 1 });
    world.post("/api/v1/app/a/endpoint", endpoint.clone()).await.expect(201);
    world.put("/api/v1/app/a/endpoint/e", endpoint).await.expect(200);
    world.patch("/api/v1/app/a/endpoint/e", json!({ "version": 2 })).await.expect(200);
    let free = json!({ "eventType": "x", "payload": {}, "transformationsParams": { "ours": 1 } });
    let message = world.post("/api/v1/app/a/msg", free).await.id();
    for path in [
        "/api/v1/app/a/attempt/endpoint/e".to_owned(),
        format!("/api/v1/app/a/attempt/msg/{message}"),
        "/api/v1/app/a/endpoint/e/msg".to_owned(),
    ] {
        world.get(&format!("{path}?expanded_statuses=true")).await.expect(200);
    }
    let resend = format!("/api/v1/app/a/msg/{message}/endpoint/e/resend");
    world.post(&resend, json!({})).await.expect(202);
    world.post(&resend, json!({ "force": true })).await.expect(422);
    let cron = json!({ "schedule": "* * * * *", "payload": "{}" });
    let source = json!({ "name": "S", "type": "cron", "config": cron });
    let error = world.post("/ingest/api/v1/source", source).await.expect(422);
    assert_eq!(error["detail"][0]["loc"], json!(["body", "type"]));
}

#[tokio::test(start_paused = true)]
async fn unknown_parameters_are_refused_by_every_operation() {
    let world = world().await;
    for path in ["/api/v1/app", "/api/v1/app/a", "/api/v1/app/a/msg", "/api/v1/event-type"] {
        let error = world.get(&format!("{path}?limits=5")).await.expect(422);
        assert_eq!(error["detail"][0]["loc"], json!(["query", "limits"]), "{path}");
    }
    let event = json!({ "eventType": "x", "payload": {} });
    let error = world.post("/api/v1/app/a/msg?with_contents=false", event).await.expect(422);
    let message = &error["detail"][0]["msg"];
    assert_eq!(message, "is not a known parameter; did you mean with_content?");
    world.delete("/api/v1/app/a?force=true").await.expect(422);
    world.get("/api/v1/app/a").await.expect(200);
}

#[tokio::test(start_paused = true)]
async fn a_response_can_be_sent_back_as_a_request() {
    let world = world().await;
    let endpoint = json!({ "url": "https://example.com", "uid": "e" });
    world.post("/api/v1/app/a/endpoint", endpoint).await.expect(201);
    world.event_types(&["x"]).await;
    let source = json!({ "name": "S", "type": "github", "uid": "s", "secrets": ["s"] });
    world.post("/ingest/api/v1/source", source).await.expect(201);
    for path in [
        "/api/v1/app/a",
        "/api/v1/app/a/endpoint/e",
        "/api/v1/event-type/x",
        "/ingest/api/v1/source/s",
    ] {
        let shown = world.get(path).await.expect(200);
        let written = world.put(path, shown.clone()).await.expect(200);
        assert_eq!(written["id"], shown["id"]);
    }
    for path in ["/api/v1/app/a", "/api/v1/app/a/endpoint/e"] {
        let shown = world.get(path).await.expect(200);
        world.patch(path, shown).await.expect(200);
    }
    let renamed = json!({ "name": "y", "description": "" });
    let error = world.put("/api/v1/event-type/x", renamed.clone()).await.expect(422);
    assert_eq!(error["detail"][0]["loc"], json!(["body", "name"]));
    world.patch("/api/v1/event-type/x", renamed).await.expect(422);
}
