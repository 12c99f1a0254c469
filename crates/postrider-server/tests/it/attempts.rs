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

#[tokio::test(start_paused = true)]
async fn answers_and_messages_are_shown_as_asked_for() {
    let (world, _) = delivered().await;
    let path = "/api/v1/app/a/attempt/endpoint/e?with_content=false&with_msg=true";
    insta::assert_json_snapshot!(plain(world.get(path).await.expect(200)));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_is_read_and_its_answer_expunged() {
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
async fn deliveries_are_seen_from_both_sides() {
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
async fn what_waits_says_until_when() {
    let (world, _) = delivered().await;
    world.receiver.answer(500);
    let body = json!({ "eventType": "x", "eventId": "n", "payload": {} });
    world.post("/api/v1/app/a/msg", body).await.expect(202);
    let path = "/api/v1/app/a/msg/n/endpoint";
    let page = world.until(path, |it| it["data"][0]["nextAttempt"].is_string()).await;
    assert_eq!(page["data"][0]["statusText"], "pending");
    let failed = world.until(path, |it| it["data"][0]["status"] == 2).await;
    assert_eq!(failed["data"][0].get("nextAttempt"), None);
}
