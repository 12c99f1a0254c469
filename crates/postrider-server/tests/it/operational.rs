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
