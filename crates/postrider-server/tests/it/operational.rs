//! Operational webhooks about endpoints.

use http::Method;
use postrider::api::OperationalEvent;
use serde_json::{Value, json};

use crate::world::{OPERATOR, ORGANIZATION, World, plain, token};

#[tokio::test(start_paused = true)]
async fn changes_of_endpoints_become_messages_of_the_operator() {
    let world = World::new();
    let operator = token(&world.engine, OPERATOR, None);
    let inbox = json!({ "name": "Inbox", "uid": ORGANIZATION });
    world.call_as(&operator, Method::POST, "/api/v1/app", Some(&inbox)).await.expect(201);

    world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await.expect(201);
    let endpoint = json!({ "url": "https://example.com", "uid": "e" });
    world.post("/api/v1/app/a/endpoint", endpoint).await.expect(201);
    let one = "/api/v1/app/a/endpoint/e";
    world.patch(one, json!({ "description": "changed" })).await.expect(200);
    world.patch(one, json!({ "disabled": true })).await.expect(200);
    world.patch(one, json!({ "disabled": false })).await.expect(200);
    world.delete(one).await.expect(204);

    let path = format!("/api/v1/app/{ORGANIZATION}/msg");
    let told = world.call_as(&operator, Method::GET, &path, None).await.expect(200);
    let data = told["data"].as_array().unwrap();
    let types: Vec<_> = data.iter().rev().map(|it| it["eventType"].as_str().unwrap()).collect();
    assert_eq!(
        types,
        [
            "endpoint.created",
            "endpoint.updated",
            "endpoint.updated",
            "endpoint.disabled",
            "endpoint.updated",
            "endpoint.enabled",
            "endpoint.deleted",
        ]
    );
    let payloads: Vec<_> = data.iter().rev().map(|it| it["payload"].clone()).collect();
    insta::assert_json_snapshot!(plain(json!([payloads[0], payloads[3], payloads[6]])));
}

#[tokio::test(start_paused = true)]
async fn operational_messages_need_an_application_of_the_operator() {
    let world = World::new();
    world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await.expect(201);
    let endpoint = json!({ "url": "https://example.com", "uid": "e" });
    world.post("/api/v1/app/a/endpoint", endpoint).await.expect(201);
    world.delete("/api/v1/app/a/endpoint/e").await.expect(204);
}

#[tokio::test(start_paused = true)]
async fn operational_event_types_exist_in_the_organization_of_the_operator() {
    let world = World::new();
    let operator = token(&world.engine, OPERATOR, None);
    let call = async |method, path: &str, body: Option<Value>| {
        world.call_as(&operator, method, path, body.as_ref()).await
    };
    let names = async |query: &str| {
        let page = call(Method::GET, &format!("/api/v1/event-type?{query}"), None).await;
        let page = page.expect(200);
        let data = page["data"].as_array().unwrap().clone();
        let names: Vec<_> = data.iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect();
        (names, page["iterator"].as_str().unwrap_or_default().to_owned(), page["done"] == true)
    };
    let one = "/api/v1/event-type/endpoint.created";
    let shown = call(Method::GET, one, None).await.expect(200);
    assert_eq!(shown["description"], "An endpoint was created.");
    let own = json!({ "name": "f.own", "description": "" });
    call(Method::POST, "/api/v1/event-type", Some(own)).await.expect(201);
    let mut expected: Vec<_> = OperationalEvent::NAMES.into_iter().chain(["f.own"]).collect();
    expected.sort_unstable();
    for (order, reverse) in [("ascending", false), ("descending", true)] {
        let (mut seen, mut query) = (Vec::new(), format!("order={order}&limit=2"));
        loop {
            let (page, iterator, done) = names(&query).await;
            assert!(page.len() <= 2);
            seen.extend(page);
            if done {
                break;
            }
            query = format!("order={order}&limit=2&iterator={iterator}");
        }
        if reverse {
            seen.reverse();
        }
        assert_eq!(seen, expected, "{order}");
    }
    let inbox = json!({ "name": "Inbox", "uid": ORGANIZATION });
    call(Method::POST, "/api/v1/app", Some(inbox)).await.expect(201);
    let endpoints = format!("/api/v1/app/{ORGANIZATION}/endpoint");
    let endpoint = json!({ "url": "https://example.com", "eventTypes": ["endpoint.created"] });
    let endpoint = call(Method::POST, &endpoints, Some(endpoint)).await.id();
    let example = Some(json!({ "eventType": "endpoint.created" }));
    let path = format!("{endpoints}/{endpoint}/send-example");
    let error = call(Method::POST, &path, example).await.expect(422);
    let message = "the event type has no schema with such an example; send a `payload`";
    assert_eq!(error["detail"][0]["msg"], message);
    // One that is archived stays so, and elsewhere there is none.
    call(Method::DELETE, one, None).await.expect(204);
    assert!(!names("").await.0.contains(&"endpoint.created".to_owned()));
    assert_eq!(call(Method::GET, one, None).await.expect(200)["archived"], true);
    call(Method::DELETE, &format!("{one}?expunge=true"), None).await.expect(204);
    assert_eq!(call(Method::GET, one, None).await.expect(200)["archived"], false);
    let changed = json!({ "description": "Ours" });
    call(Method::PATCH, one, Some(changed)).await.expect(200);
    assert_eq!(call(Method::GET, one, None).await.json["description"], "Ours");
    world.get(one).await.expect(404);
}

const ENDPOINTS: &str = "/api/v1/operational-webhook/endpoint";

#[tokio::test(start_paused = true)]
async fn an_endpoint_of_operational_webhooks_receives_changes_of_endpoints() {
    let world = World::new();
    let listener = json!({
        "url": "https://ops.example.com",
        "uid": "ops",
        "eventTypes": ["endpoint.created", "endpoint.deleted"],
    });
    let created = world.post(ENDPOINTS, listener).await.expect(201);
    assert_eq!(created["uid"], "ops");

    world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await.expect(201);
    let endpoint = json!({ "url": "https://example.com", "uid": "e" });
    world.post("/api/v1/app/a/endpoint", endpoint).await.expect(201);
    world.patch("/api/v1/app/a/endpoint/e", json!({ "disabled": true })).await.expect(200);
    world.delete("/api/v1/app/a/endpoint/e").await.expect(204);
    let bodies = delivered(&world, 2).await;
    let types: Vec<_> = bodies.iter().map(|it| it["type"].clone()).collect();
    assert_eq!(types, ["endpoint.created", "endpoint.deleted"]);
    assert_eq!(bodies[0]["data"]["appUid"], "a");
    assert_eq!(bodies[0]["data"]["endpointUid"], "e");
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_of_operational_webhooks_receives_failures_of_deliveries() {
    let world = World::new();
    world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await.expect(201);
    let endpoint = json!({ "url": "https://example.com", "uid": "e" });
    world.post("/api/v1/app/a/endpoint", endpoint).await.expect(201);
    let listener = json!({
        "url": "https://ops.example.com",
        "eventTypes": ["message.attempt.exhausted"],
    });
    world.post(ENDPOINTS, listener).await.expect(201);
    world.receiver.answer(500);
    let message = json!({ "eventType": "a.b", "payload": {} });
    let message = world.post("/api/v1/app/a/msg", message).await.id();
    // The first attempt and three retries.
    let bodies = delivered(&world, 5).await;
    assert_eq!(bodies[4]["type"], "message.attempt.exhausted");
    assert_eq!(bodies[4]["data"]["msgId"], message);
}

/// The bodies of the receiver's calls, when there have been this many.
async fn delivered(world: &World, count: usize) -> Vec<Value> {
    let read = |it: &http::Request<bytes::Bytes>| serde_json::from_slice(it.body()).unwrap();
    for _ in 0..10_000 {
        let bodies: Vec<_> = world.receiver.calls.lock().unwrap().iter().map(read).collect();
        if bodies.len() >= count {
            return bodies;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("there have been fewer than {count} calls");
}

#[tokio::test(start_paused = true)]
async fn the_endpoints_of_operational_webhooks_are_managed_like_others_but_apart_from_them() {
    let world = World::new();
    let none = world.get(ENDPOINTS).await.expect(200);
    assert_eq!(none, json!({ "data": [], "iterator": null, "prevIterator": null, "done": true }));
    for path in ["/ep", "/ep/secret", "/ep/headers"] {
        let error = world.get(&format!("{ENDPOINTS}{path}")).await.expect(404);
        assert_eq!(error["detail"], "endpoint not found");
    }
    let one = format!("{ENDPOINTS}/ops");
    let body = json!({ "url": "https://ops.example.com", "description": "first" });
    world.put(&one, body).await.expect(201);
    let body = json!({ "url": "https://ops.example.com", "uid": "ops", "description": "2" });
    world.put(&one, body).await.expect(200);
    assert_eq!(world.get(&one).await.expect(200)["description"], "2");
    assert_eq!(world.get(ENDPOINTS).await.expect(200)["data"].as_array().unwrap().len(), 1);

    let secret = world.get(&format!("{one}/secret")).await.expect(200);
    world.post(&format!("{one}/secret/rotate"), json!({})).await.expect(204);
    assert_ne!(world.get(&format!("{one}/secret")).await.expect(200), secret);
    let headers = json!({ "headers": { "x-team": "ops", "authorization": "Bearer x" } });
    world.put(&format!("{one}/headers"), headers).await.expect(204);
    let shown = world.get(&format!("{one}/headers")).await.expect(200);
    assert_eq!(shown, json!({ "headers": { "x-team": "ops" }, "sensitive": ["authorization"] }));

    let error = json!({ "url": "https://example.com", "eventTypes": ["endpoint.disable"] });
    let error = world.post(ENDPOINTS, error).await.expect(422);
    let message = error["detail"][0]["msg"].as_str().unwrap();
    assert!(message.starts_with("is not an operational event; did you mean endpoint.disabled"));
    // Neither the application nor its endpoints belong to the organization.
    assert_eq!(world.get("/api/v1/app").await.expect(200)["data"], json!([]));
    world.get(&format!("/api/v1/app/{ORGANIZATION}")).await.expect(404);
    let other = token(&world.engine, "org_other", None);
    let seen = world.call_as(&other, Method::GET, ENDPOINTS, None).await.expect(200);
    assert_eq!(seen["data"], json!([]));
    world.call_as(&other, Method::GET, &one, None).await.expect(404);

    world.delete(&one).await.expect(204);
    world.get(&one).await.expect(404);
}

#[tokio::test(start_paused = true)]
async fn operations_that_are_not_available_say_what_to_use_instead() {
    let world = World::new();
    let error = world.get("/api/v1/stream").await.expect(501);
    assert_eq!(error["code"], "not_available");
    assert!(error["detail"].as_str().unwrap().starts_with("streaming is not available"));
    world.post("/api/v1/connector/oauth/slack", json!({})).await.expect(501);
    world.get("/api/v1/app/a/stream/s").await.expect(501);
    world.get("/api/v1/nothing").await.expect(404);
}
