//! Attempts, and where deliveries stand.

use serde_json::{Value, json};

use crate::world::{World, plain};

async fn delivered() -> (World, String) {
    let world = World::new();
    world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await.expect(201);
    for uid in ["e", "f"] {
        let endpoint = json!({ "url": format!("https://example.com/{uid}"), "uid": uid });
        world.post("/api/v1/app/a/endpoint", endpoint).await.expect(201);
    }
    let body = json!({ "eventType": "x", "eventId": "m", "payload": { "n": 1 }, "tags": ["t"] });
    let id = world.post("/api/v1/app/a/msg", body).await.id();
    let all = |it: &Value| it["data"].as_array().unwrap().len() == 2;
    world.until("/api/v1/app/a/attempt/msg/m", all).await;
    (world, id)
}

#[tokio::test(start_paused = true)]
async fn attempts_are_listed_by_message_and_by_endpoint() {
    let (world, _) = delivered().await;
    let count = async |path: &str| {
        let page = world.get(&format!("/api/v1/app/a/{path}")).await.expect(200);
        page["data"].as_array().unwrap().len()
    };
    assert_eq!(count("attempt/msg/m").await, 2);
    for (query, expected) in [
        ("", 1),
        ("?status=0", 1),
        ("?status=2", 0),
        ("?status=1", 0),
        ("?status_code_class=200", 1),
        ("?status_code_class=500", 0),
        ("?event_types=x,y", 1),
        ("?event_types=y&event_types=x", 1),
        ("?event_types=y", 0),
        ("?tag=t", 1),
        ("?tag=u", 0),
        ("?channel=c", 0),
        ("?before=2030-01-01T00:00:00Z", 1),
        ("?after=2030-01-01T00:00:00Z", 0),
    ] {
        assert_eq!(count(&format!("attempt/endpoint/e{query}")).await, expected, "{query}");
    }
    assert_eq!(count("attempt/msg/m?endpoint_id=e").await, 1);
    world.get("/api/v1/app/a/attempt/msg/m?endpoint_id=unknown").await.expect(404);
    world.get("/api/v1/app/a/attempt/msg/unknown").await.expect(404);
}

/// The identifiers of an attempt list's items, newest first.
async fn ids(world: &World, path: &str) -> Vec<String> {
    let page = world.get(path).await.expect(200);
    let items = page["data"].as_array().unwrap();
    items.iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn attempts_are_filtered_by_the_time_that_is_shown_and_not_by_their_end() {
    let (world, _) = delivered().await;
    world.receiver.pause(3_000);
    let body = json!({ "eventType": "x", "eventId": "slow", "payload": {} });
    let accepted = world.post("/api/v1/app/a/msg", body).await.expect(202);
    let path = "/api/v1/app/a/attempt/endpoint/e";
    let all = world.until(path, |it| it["data"].as_array().unwrap().len() == 2).await;
    let (slow, quick) = (&all["data"][0], &all["data"][1]);
    let id = |it: &Value| it["id"].as_str().unwrap().to_owned();
    let time = |it: &Value| it["timestamp"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let moment = |it: &Value, micros| time(it) + jiff::SignedDuration::from_micros(micros);
    assert!(slow["responseDurationMs"].as_i64().unwrap() >= 3_000);
    assert!(time(slow) < time(&accepted) + jiff::SignedDuration::from_secs(1), "when it began");
    let both = [id(slow), id(quick)];
    for (query, expected) in [
        // At the moment that is shown, and on both sides of it.
        (format!("after={}", moment(slow, -1_000)), &both[..1]),
        (format!("after={}", moment(slow, -1)), &both[..1]),
        (format!("after={}", moment(slow, 0)), &both[..1]),
        (format!("after={}", moment(slow, 1)), &[]),
        (format!("after={}", moment(slow, 1_000)), &[]),
        (format!("after={}", moment(quick, 0)), &both[..]),
        (format!("before={}", moment(slow, -1_000)), &both[1..]),
        (format!("before={}", moment(slow, -1)), &both[1..]),
        (format!("before={}", moment(slow, 0)), &both[1..]),
        (format!("before={}", moment(slow, 1)), &both[..]),
        (format!("before={}", moment(slow, 1_000)), &both[..]),
        // When it ended.
        (format!("after={}", moment(slow, 2_900_000)), &[]),
        (format!("before={}", moment(slow, 2_900_000)), &both[..]),
        (format!("after={}&before={}", moment(slow, 0), moment(slow, 1)), &both[..1]),
    ] {
        assert_eq!(ids(&world, &format!("{path}?{query}")).await, expected, "{query}");
    }
    let of_message = format!("/api/v1/app/a/attempt/msg/slow?endpoint_id=e&after={}", time(slow));
    assert_eq!(ids(&world, &of_message).await, &both[..1]);
}

/// A slow attempt ends after one that began later.
#[tokio::test(start_paused = true)]
async fn attempts_are_walked_in_the_order_in_which_they_began() {
    let (world, _) = delivered().await;
    for (event_id, pause) in [("slow", 10_000), ("quick", 0)] {
        world.receiver.pause(pause);
        let body = json!({ "eventType": "x", "eventId": event_id, "payload": {} });
        world.post("/api/v1/app/a/msg", body).await.expect(202);
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    let path = "/api/v1/app/a/attempt/endpoint/e";
    let all = world.until(path, |it| it["data"].as_array().unwrap().len() == 3).await;
    let time = |it: &Value| it["timestamp"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let times: Vec<_> = all["data"].as_array().unwrap().iter().map(time).collect();
    assert!(times.is_sorted_by(|a, b| a > b), "{times:?}");
    assert!(all["data"][1]["responseDurationMs"].as_i64().unwrap() >= 10_000, "{all}");
    let whole = ids(&world, path).await;
    let mut query = "limit=1".to_owned();
    for expected in &whole {
        assert_eq!(ids(&world, &format!("{path}?{query}")).await, std::slice::from_ref(expected));
        let page = world.get(&format!("{path}?{query}")).await.expect(200);
        query = format!("limit=1&iterator={}", page["iterator"].as_str().unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn responses_and_messages_are_included_on_request() {
    let (world, _) = delivered().await;
    let path = "/api/v1/app/a/attempt/endpoint/e?with_content=false&with_msg=true";
    insta::assert_json_snapshot!(plain(world.get(path).await.expect(200)));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_is_read_and_its_response_expunged() {
    let (world, message) = delivered().await;
    let page = world.get("/api/v1/app/a/attempt/endpoint/e").await.expect(200);
    let id = page["data"][0]["id"].as_str().unwrap();
    let one = format!("/api/v1/app/a/msg/m/attempt/{id}");
    assert_eq!(world.get(&one).await.expect(200)["response"], "thanks");
    world.delete(&format!("{one}/content")).await.expect(204);
    let expunged = world.get(&one).await.expect(200);
    assert_eq!((&expunged["response"], &expunged["msgId"]), (&json!("EXPUNGED"), &json!(message)));
    assert_eq!(expunged.get("responseHeaders"), None);
    for (query, response) in [("", "EXPUNGED"), ("?with_content=false", "")] {
        let list = world.get(&format!("/api/v1/app/a/attempt/endpoint/e{query}")).await.expect(200);
        assert_eq!(list["data"][0]["response"], response);
    }
    world.get("/api/v1/app/a/msg/m/attempt/atmpt_unknown").await.expect(404);
}

#[tokio::test(start_paused = true)]
async fn an_incomplete_response_is_recorded_with_a_note() {
    let world = World::new();
    world.receiver.answer(299);
    world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await.expect(201);
    let endpoint = json!({ "url": "https://example.com/e", "uid": "e" });
    world.post("/api/v1/app/a/endpoint", endpoint).await.expect(201);
    let body = json!({ "eventType": "x", "payload": {} });
    world.post("/api/v1/app/a/msg", body).await.expect(202);
    let one = |it: &Value| it["data"].as_array().unwrap().len() == 1;
    let attempts = "/api/v1/app/a/attempt/endpoint/e";
    let attempt = world.until(attempts, one).await["data"][0].clone();
    assert_eq!((&attempt["status"], &attempt["response"]), (&json!(0), &json!("thanks")));
    assert_eq!(attempt["responseNote"], "the response is incomplete");
    assert_eq!(attempt["responseHeaders"], json!([["content-type", "text/plain"]]));
    let bare = world.get(&format!("{attempts}?with_content=false")).await.expect(200);
    assert_eq!(bare["data"][0].get("responseNote"), None);
}

#[tokio::test(start_paused = true)]
async fn deliveries_are_listed_by_endpoint_and_by_message() {
    let (world, _) = delivered().await;
    let messages = world.get("/api/v1/app/a/endpoint/e/msg?status=0").await.expect(200);
    let none = world.get("/api/v1/app/a/endpoint/e/msg?status=2").await.expect(200);
    assert_eq!(none["data"], json!([]));
    let endpoints = world.get("/api/v1/app/a/msg/m/endpoint?limit=1").await.expect(200);
    insta::assert_json_snapshot!(plain(json!([messages, endpoints])));
}

#[tokio::test(start_paused = true)]
async fn a_message_is_sent_again_by_hand() {
    let (world, _) = delivered().await;
    let path = "/api/v1/app/a/msg/m/endpoint/e/resend";
    assert_eq!(world.post(path, Value::Null).await.expect(202), json!({}));
    let path = "/api/v1/app/a/attempt/endpoint/e";
    let attempts = world.until(path, |it| it["data"].as_array().unwrap().len() == 2).await;
    assert_eq!(attempts["data"][0]["triggerType"], 1);
    world.post("/api/v1/app/a/msg/m/endpoint/unknown/resend", Value::Null).await.expect(404);
    world.post("/api/v1/app/a/msg/unknown/endpoint/e/resend", Value::Null).await.expect(404);
}

#[tokio::test(start_paused = true)]
async fn a_pending_delivery_has_the_time_of_its_next_attempt() {
    let (world, _) = delivered().await;
    world.receiver.answer(500);
    let body = json!({ "eventType": "x", "eventId": "n", "payload": {} });
    world.post("/api/v1/app/a/msg", body).await.expect(202);
    let path = "/api/v1/app/a/msg/n/endpoint";
    let page = world.until(path, |it| it["data"][0]["statusText"] == "sending").await;
    assert!(page["data"][0]["nextAttempt"].is_string(), "{page}");
    let failed = world.until(path, |it| it["data"][0]["status"] == 2).await;
    assert_eq!(failed["data"][0].get("nextAttempt"), None);
}

/// Between two attempts a delivery is sending, in every list, filter and count.
#[tokio::test(start_paused = true)]
async fn a_delivery_that_will_be_retried_has_the_status_sending() {
    let (world, _) = delivered().await;
    let later = world.engine.clock().now() + std::time::Duration::from_secs(3_600);
    let later = jiff::Timestamp::from_millisecond(later.as_millis().cast_signed()).unwrap();
    let body = json!({ "eventType": "x", "eventId": "p", "payload": {}, "deliverAt": later });
    world.post("/api/v1/app/a/msg", body).await.expect(202);
    world.receiver.answer(500);
    let body = json!({ "eventType": "x", "eventId": "s", "payload": {} });
    world.post("/api/v1/app/a/msg", body).await.expect(202);
    let by_message = "/api/v1/app/a/msg/s/endpoint";
    let page = world.until(by_message, |it| it["data"][0]["status"] == 3).await;
    assert_eq!(page["data"][0]["statusText"], "sending");
    assert!(page["data"][0]["nextAttempt"].is_string());
    let by_endpoint = "/api/v1/app/a/endpoint/e/msg";
    for (status, event_id) in [(0, "m"), (1, "p"), (3, "s")] {
        let page = world.get(&format!("{by_endpoint}?status={status}")).await.expect(200);
        let found = page["data"].as_array().unwrap();
        assert_eq!(found.len(), 1, "{page}");
        assert_eq!((&found[0]["eventId"], &found[0]["status"]), (&json!(event_id), &json!(status)));
    }
    for status in [2, 4] {
        let page = world.get(&format!("{by_endpoint}?status={status}")).await.expect(200);
        assert_eq!(page["data"], json!([]));
    }
    let stats = world.get("/api/v1/app/a/endpoint/e/stats").await.expect(200);
    let expected = json!({ "success": 1, "pending": 1, "sending": 1, "fail": 0, "canceled": 0 });
    assert_eq!(stats, expected);
    // The call itself has failed; attempts are never under way.
    let attempts = world.get("/api/v1/app/a/attempt/msg/s?endpoint_id=e").await.expect(200);
    assert_eq!(attempts["data"][0]["status"], 2);
    let attempts = world.get("/api/v1/app/a/attempt/msg/s?status=3").await.expect(200);
    assert_eq!(attempts["data"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn deleted_endpoints_of_a_message_are_listed_with_their_last_url() {
    let (world, _) = delivered().await;
    let path = "/api/v1/app/a/msg/m/endpoint";
    let before = world.get(path).await.expect(200);
    let later = world.engine.clock().now() + std::time::Duration::from_secs(3_600);
    let later = jiff::Timestamp::from_millisecond(later.as_millis().cast_signed()).unwrap();
    let body = json!({ "eventType": "x", "eventId": "never", "payload": {}, "deliverAt": later });
    world.post("/api/v1/app/a/msg", body).await.expect(202);
    world.delete("/api/v1/app/a/endpoint/e").await.expect(204);
    let (was, other) = (&before["data"][0], &before["data"][1]);
    let after = world.get(path).await.expect(200);
    assert_eq!(after["data"].as_array().unwrap().len(), 2);
    assert_eq!(&after["data"][1], other);
    let left = &after["data"][0];
    for field in ["id", "url", "status", "statusText", "createdAt"] {
        assert_eq!(left[field], was[field], "{field}");
    }
    assert_eq!((&left["disabled"], &left["description"]), (&json!(true), &json!("")));
    assert_eq!((left.get("uid"), left.get("nextAttempt")), (None, None));
    let first = world.get(&format!("{path}?limit=1")).await.expect(200);
    assert_eq!((&first["data"], &first["done"]), (&json!([left]), &json!(false)));
    let next = format!("{path}?limit=1&iterator={}", first["iterator"].as_str().unwrap());
    assert_eq!(&world.get(&next).await.expect(200)["data"], &json!([other]));

    let never = "/api/v1/app/a/msg/never/endpoint?expanded_statuses=true";
    let never = &world.get(never).await.expect(200)["data"][0];
    assert_eq!((&never["id"], &never["url"]), (&was["id"], &json!("")));
    assert_eq!(never["status"], 4);

    // The message keeps its attempts, but the path of the endpoint is not found.
    let attempts = world.get("/api/v1/app/a/attempt/msg/m").await.expect(200);
    assert_eq!(attempts["data"].as_array().unwrap().len(), 2);
    world.get("/api/v1/app/a/attempt/endpoint/e").await.expect(404);
    let id = was["id"].as_str().unwrap();
    world.get(&format!("/api/v1/app/a/attempt/endpoint/{id}")).await.expect(404);
    world.get(&format!("/api/v1/app/a/endpoint/{id}/msg")).await.expect(404);
}
