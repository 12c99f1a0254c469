//! Statistics.

use serde_json::{Value, json};

use crate::world::{World, plain};

/// An application with an endpoint and one for no event type; one delivery has succeeded and
/// another one has failed permanently.
async fn counted() -> World {
    let world = World::new();
    world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await.expect(201);
    world.event_types(&["x", "y"]).await;
    let endpoint = json!({ "url": "https://example.com/e", "uid": "e", "eventTypes": ["x"] });
    world.post("/api/v1/app/a/endpoint", endpoint).await.expect(201);
    for (event_type, status) in [("x", 200), ("y", 200), ("x", 503)] {
        world.receiver.answer(status);
        let body = json!({ "eventType": event_type, "payload": {} });
        let id = world.post("/api/v1/app/a/msg", body).await.id();
        let attempts = if status == 503 { 4 } else { usize::from(event_type == "x") };
        let path = format!("/api/v1/app/a/attempt/msg/{id}");
        world.until(&path, |it| it["data"].as_array().unwrap().len() == attempts).await;
    }
    world
}

#[tokio::test(start_paused = true)]
async fn a_series_counts_messages_and_attempts() {
    let world = counted().await;
    let series = world.get("/api/v1/stats/series?period=OneDay").await.expect(200);
    insta::assert_json_snapshot!(plain(series.clone()));
    let application = world.get("/api/v1/app/a/stats/series?period=OneDay").await.expect(200);
    assert_eq!(application, series);
    let endpoint =
        world.get("/api/v1/app/a/endpoint/e/stats/series?period=OneDay").await.expect(200);
    assert_eq!(endpoint["total"]["accepted"], 0);
    assert_eq!(
        (&endpoint["total"]["delivered"], &endpoint["total"]["failed"]),
        (&json!(1), &json!(4))
    );
    for period in ["OneMinute", "FiveMinutes", "OneHour"] {
        let path = format!("/api/v1/app/a/stats/series?period={period}");
        let finer = world.get(&path).await.expect(200);
        assert_eq!(finer["total"], series["total"], "{period}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_series_of_too_many_periods_is_rejected() {
    let world = World::new();
    for (query, field) in [
        ("since=2200-01-01T00:00:00Z", "since"),
        ("period=Fortnight", "period"),
        ("every=day", "every"),
    ] {
        let refused = world.get(&format!("/api/v1/stats/series?{query}")).await.expect(422);
        assert_eq!(refused["detail"][0]["loc"], json!(["query", field]), "{query}");
    }
    tokio::time::advance(std::time::Duration::from_secs(2 * 24 * 60 * 60)).await;
    let path = "/api/v1/stats/series?period=OneMinute&since=1970-01-01T00:00:00Z";
    world.get(path).await.expect(422);
}

#[tokio::test(start_paused = true)]
async fn the_hosted_statistics_count_attempts() {
    let world = counted().await;
    let stats = world.get("/api/v1/app/a/endpoint/e/attempt-stats").await.expect(200);
    assert_eq!(stats, json!({ "success": 1, "fail": 4, "canceled": 0 }));
    let by_type = world.get("/api/v1/app/a/stats/attempts").await.expect(200);
    assert_eq!((&by_type["total_success"], &by_type["total_failure"]), (&json!(1), &json!(4)));
    let x = json!({ "success": 1, "failure": 4, "canceled": 0 });
    assert_eq!(by_type["by_event_type"], json!({ "x": x }));
    let filtered = world.get("/api/v1/app/a/stats/attempts?event_types=y").await.expect(200);
    assert_eq!(filtered["by_event_type"], json!({}));
    let series = world.get("/api/v1/stats/app/a/attempt?period=OneDay").await.expect(200);
    let last = |name: &str| series["data"][name].as_array().unwrap().last().cloned();
    assert_eq!((last("successCount"), last("failureCount")), (Some(json!(1)), Some(json!(4))));
    let count = world.get("/api/v1/stats/endpoint/count").await.expect(200);
    assert_eq!(count, json!({ "active": 1, "disabled": 0 }));
    world.patch("/api/v1/app/a/endpoint/e", json!({ "disabled": true })).await.expect(200);
    let count = world.get("/api/v1/stats/endpoint/count").await.expect(200);
    assert_eq!(count, json!({ "active": 0, "disabled": 1 }));
    for (query, expected) in [("", 0), ("?exclude_disabled=false", 1)] {
        let path = format!("/api/v1/app/stats/count-active{query}");
        assert_eq!(world.get(&path).await.expect(200), json!({ "count": expected }), "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_worst_endpoints_are_listed_with_their_cause() {
    let world = counted().await;
    let worst = world.get("/api/v1/stats/worst-endpoints").await.expect(200);
    let first = &worst["data"][0];
    assert_eq!((&first["cause"], &first["counts"]["failed"]), (&json!("5xx"), &json!(4)));
    assert_eq!(first["url"], "https://example.com/e");
    assert_eq!(worst["data"].as_array().map(Vec::len), Some(1));
    let rejecting = world.get("/api/v1/stats/rejecting-sources").await.expect(200);
    assert_eq!(rejecting["data"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn the_state_of_an_endpoint_says_why_it_is_disabled() {
    let world = counted().await;
    let state = async || world.get("/api/v1/app/a/endpoint/e/state").await.expect(200);
    let before = state().await;
    assert_eq!((&before["disabled"], &before["pending"]), (&Value::Null, &json!(0)));
    world.patch("/api/v1/app/a/endpoint/e", json!({ "disabled": true })).await.expect(200);
    let after = state().await;
    assert_eq!(after["disabled"]["reason"], "requested");
    assert_eq!(after["disabled"]["by"], "organization");
    // A change of something else keeps the reason, and so does a second request.
    let at = &after["disabled"]["at"];
    for change in [json!({ "description": "d" }), json!({ "disabled": true })] {
        world.patch("/api/v1/app/a/endpoint/e", change).await.expect(200);
        assert_eq!(state().await["disabled"]["at"], *at);
    }
    world.patch("/api/v1/app/a/endpoint/e", json!({ "disabled": false })).await.expect(200);
    assert_eq!(state().await["disabled"], Value::Null);
    world.receiver.answer(410);
    let body = json!({ "eventType": "x", "payload": {} });
    world.post("/api/v1/app/a/msg", body).await.expect(202);
    let path = "/api/v1/app/a/endpoint/e/state";
    let gone = world.until(path, |it| !it["disabled"].is_null()).await;
    let (reason, by) = (&gone["disabled"]["reason"], &gone["disabled"]["by"]);
    assert_eq!((reason, by), (&json!("gone"), &json!("server")));
}

#[tokio::test(start_paused = true)]
async fn the_state_of_an_endpoint_shows_its_breaker_and_its_queue() {
    let world = World::new();
    world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await.expect(201);
    let endpoint = json!({ "url": "https://example.com/e", "uid": "e" });
    world.post("/api/v1/app/a/endpoint", endpoint).await.expect(201);
    world.receiver.answer(500);
    for _ in 0..12 {
        let body = json!({ "eventType": "x", "payload": {} });
        world.post("/api/v1/app/a/msg", body).await.expect(202);
    }
    let path = "/api/v1/app/a/endpoint/e/state";
    let open = world.until(path, |it| it["breakers"] != json!([])).await;
    assert_eq!(open["pending"], 12);
    assert!(open["oldestDueAt"].is_string(), "{open}");
    assert!(open["breakers"][0]["openSince"].is_string(), "{open}");
    let application = world.get("/api/v1/app/a/state").await.expect(200);
    assert_eq!((&application["pending"], &application["endpoints"]), (&json!(12), &json!(1)));
    let limit = world.get("/api/v1/app/a/endpoint/e/rate-limit-status").await.expect(200);
    assert_eq!(limit, json!({ "status": "Ok" }));
}

#[tokio::test(start_paused = true)]
async fn the_endpoints_of_all_applications_are_listed_with_their_state() {
    let world = World::new();
    for app in ["a", "b", "c"] {
        world.post("/api/v1/app", json!({ "name": app, "uid": app })).await.expect(201);
        for number in 0..3 {
            let (uid, disabled) = (format!("{app}{number}"), number == 1);
            let endpoint =
                json!({ "url": "https://example.com", "uid": uid, "disabled": disabled });
            world.post(&format!("/api/v1/app/{app}/endpoint"), endpoint).await.expect(201);
        }
    }
    let uids = async |query: &str| {
        let (mut found, mut iterator) = (Vec::new(), String::new());
        loop {
            let path = format!("/api/v1/endpoint-state?{query}&iterator={iterator}");
            let page = world.get(&path).await.expect(200);
            for it in page["data"].as_array().unwrap() {
                found.push(it["endpointUid"].as_str().unwrap().to_owned());
            }
            if page["done"] == true {
                break found;
            }
            iterator = page["iterator"].as_str().unwrap().to_owned();
        }
    };
    let all = ["a0", "a1", "a2", "b0", "b1", "b2", "c0", "c1", "c2"];
    for limit in [1, 2, 4, 9, 50] {
        assert_eq!(uids(&format!("limit={limit}")).await, all, "{limit}");
    }
    assert_eq!(uids("limit=2&disabled=true").await, ["a1", "b1", "c1"]);
    assert_eq!(uids("failing=true").await, [""; 0]);
    assert_eq!(uids("kind=slack").await, [""; 0]);
    let refused = world.get("/api/v1/endpoint-state?kind=slac").await.expect(422);
    assert_eq!(refused["detail"][0]["msg"], "is not a known kind; did you mean slack?");
}

#[tokio::test(start_paused = true)]
async fn the_status_shows_nodes_and_store() {
    let world = World::new();
    let status = world.get("/api/v1/status").await.expect(200);
    assert_eq!(status["nodes"][0]["current"], true);
    assert_eq!(status["store"]["writable"], true);
    assert_eq!(status["waiting"], 0);
}
