//! Reads across applications.

use http::Method;
use postrider_server::ApplicationGrant;
use serde_json::{Value, json};

use crate::world::{Reply, World, application_id};

/// Two applications with an endpoint each, and two messages to each of them. The deliveries of the
/// second application fail.
async fn world() -> World {
    let world = World::new();
    for uid in ["a", "b"] {
        world.post("/api/v1/app", json!({ "name": uid, "uid": uid })).await.expect(201);
        let endpoint = json!({
            "url": format!("https://{uid}.example.com/hook"),
            "uid": format!("to-{uid}"),
            "headers": { "x-plain": "1", "authorization": "Basic c2VjcmV0" },
        });
        world.post(&format!("/api/v1/app/{uid}/endpoint"), endpoint).await.expect(201);
    }
    for (app, status, event_id, number) in
        [("a", 200, "one", 1), ("b", 500, "two", 2), ("a", 200, "three", 3), ("b", 410, "four", 4)]
    {
        world.receiver.answer(status);
        let event_type = if number > 2 { "late" } else { "early" };
        let message = json!({
            "eventType": event_type,
            "eventId": event_id,
            "tags": [event_id],
            "payload": { "user": { "id": number, "name": format!("N{number}") } },
        });
        world.post(&format!("/api/v1/app/{app}/msg"), message).await.expect(202);
        let path = format!("/api/v1/app/{app}/attempt/msg/{event_id}");
        world.until(&path, |it| !it["data"].as_array().unwrap().is_empty()).await;
    }
    world
}

/// The event ids of the messages of a page.
fn event_ids(page: &Value) -> Vec<String> {
    let items = page["data"].as_array().unwrap();
    items.iter().map(|it| it["msg"]["eventId"].as_str().unwrap().to_owned()).collect()
}

async fn messages(world: &World, query: &str) -> Vec<String> {
    event_ids(&world.get(&format!("/api/v1/msg{query}")).await.expect(200))
}

#[tokio::test(start_paused = true)]
async fn messages_of_all_applications_are_listed_and_filtered() {
    let world = world().await;
    for (query, expected) in [
        ("", &["four", "three", "two", "one"][..]),
        ("?order=ascending", &["one", "two", "three", "four"]),
        ("?app_id=b", &["four", "two"]),
        ("?app_id=a&endpoint_id=to-a", &["three", "one"]),
        ("?event_types=early", &["two", "one"]),
        ("?tag=three", &["three"]),
        ("?status=0", &["three", "one"]),
        ("?status=3", &["four", "two"]),
        ("?status=3&app_id=a", &[]),
        ("?status=2", &[]),
        ("?contains=%22N2%22", &["two"]),
        ("?path=user.id&value=3", &["three"]),
        ("?path=$.user.name&value=N4", &["four"]),
        ("?before=2000-01-01T00:00:00Z", &[]),
    ] {
        assert_eq!(messages(&world, query).await, expected, "{query}");
    }
    let page = world.get("/api/v1/msg?limit=3&with_content=true&with_deliveries=true").await;
    let page = page.expect(200);
    assert_eq!(page["data"][1]["appUid"], "a");
    assert_eq!(page["data"][1]["msg"]["payload"]["user"]["id"], 3);
    assert_eq!(page["data"][1]["deliveries"][0]["statusText"], "success");
    assert_eq!(page["done"], false);
    assert!(page["searchedUntil"].is_string(), "{page}");
    let iterator = page["iterator"].as_str().unwrap();
    let page = world.get(&format!("/api/v1/msg?iterator={iterator}")).await.expect(200);
    assert_eq!((event_ids(&page), &page["done"]), (vec!["one".to_owned()], &json!(true)));
    assert_eq!(page["searchedUntil"], Value::Null);
    for (query, status) in [
        ("?path=user.id", 422),
        ("?path=a..b&value=1", 422),
        ("?endpoint_id=to-a", 422),
        ("?app_id=unknown", 404),
        ("?app_id=b&endpoint_id=to-a", 404),
    ] {
        world.get(&format!("/api/v1/msg{query}")).await.expect(status);
    }
}

#[tokio::test(start_paused = true)]
async fn attempts_of_all_applications_are_listed_and_filtered() {
    let world = world().await;
    let count = async |query: &str| {
        let page = world.get(&format!("/api/v1/attempt{query}")).await.expect(200);
        page["data"].as_array().unwrap().len()
    };
    let id = world.get("/api/v1/app/b/endpoint/to-b").await.id();
    for (query, expected) in [
        ("?limit=250", 4),
        ("?status=0", 2),
        ("?status=2", 2),
        ("?status=1", 0),
        ("?status_code=500", 1),
        ("?status_code=410", 1),
        ("?status_code_class=400", 1),
        ("?cause=response", 2),
        ("?cause=timeout", 0),
        ("?endpoint_kind=http", 4),
        ("?endpoint_kind=kafka", 0),
        ("?event_types=late", 2),
        ("?tag=two", 1),
        ("?app_id=a", 2),
        (&format!("?endpoint_id={id}"), 2),
    ] {
        assert_eq!(count(query).await, expected, "{query}");
    }
    let page = world.get("/api/v1/attempt?status=2&with_content=true&with_msg=true").await;
    let newest = &page.expect(200)["data"][0];
    assert_eq!(newest["appUid"], "b");
    assert_eq!(newest["endpointKind"], "http");
    assert_eq!(newest["cause"], "response");
    assert!(newest["remedy"].as_str().unwrap().contains("no more messages"), "{newest}");
    assert_eq!(newest["attempt"]["response"], "thanks");
    assert_eq!(newest["attempt"]["msg"]["eventId"], "four");
    for query in ["?cause=unknown", "?status_code=99", "?endpoint_kind=x"] {
        world.get(&format!("/api/v1/attempt{query}")).await.expect(422);
    }
}

#[tokio::test(start_paused = true)]
async fn failures_are_grouped_by_endpoint_and_cause() {
    let world = world().await;
    let page = world.get("/api/v1/attempt/failures").await.expect(200);
    let groups = page["data"].as_array().unwrap();
    let codes: Vec<_> = groups.iter().map(|it| it["responseStatusCode"].clone()).collect();
    assert_eq!((codes, &page["done"]), (vec![json!(410), json!(500)], &json!(true)));
    let group = &groups[1];
    assert_eq!((&group["appUid"], &group["count"]), (&json!("b"), &json!(1)));
    assert_eq!(
        (&group["cause"], &group["url"]),
        (&json!("response"), &json!("https://b.example.com/hook"))
    );
    assert_eq!(group["samples"].as_array().unwrap().len(), 1);
    let none = world.get("/api/v1/attempt/failures?app_id=a").await.expect(200);
    assert_eq!(none["data"], json!([]));
}

/// Types and ids of what the text names.
async fn named(world: &World, text: &str) -> Vec<(String, String)> {
    let encoded: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
    let found = world.get(&format!("/api/v1/lookup?text={encoded}")).await.expect(200);
    let items = found["data"].as_array().unwrap();
    let text = |it: &Value| it.as_str().unwrap().to_owned();
    items.iter().map(|it| (text(&it["type"]), text(&it["id"]))).collect()
}

#[tokio::test(start_paused = true)]
async fn a_text_is_looked_up_as_every_kind_of_name() {
    let world = world().await;
    let id = async |path: &str| world.get(path).await.id();
    let application = id("/api/v1/app/a").await;
    let endpoint = id("/api/v1/app/a/endpoint/to-a").await;
    let message = id("/api/v1/app/a/msg/one").await;
    let attempts = world.get("/api/v1/app/a/attempt/msg/one").await.expect(200);
    let attempt = attempts["data"][0]["id"].as_str().unwrap().to_owned();
    for (text, kind, id) in [
        (application.as_str(), "application", &application),
        ("a", "application", &application),
        (&endpoint, "endpoint", &endpoint),
        ("to-a", "endpoint", &endpoint),
        ("https://a.example.com/", "endpoint", &endpoint),
        ("a.example.com", "endpoint", &endpoint),
        (&message, "message", &message),
        (" one ", "message", &message),
        (&attempt, "attempt", &attempt),
    ] {
        assert_eq!(named(&world, text).await, [(kind.to_owned(), id.clone())], "{text}");
    }
    world.event_types(&["user.created"]).await;
    let event_type = ("eventType".to_owned(), "user.created".to_owned());
    assert_eq!(named(&world, "user.created").await, [event_type]);
    assert!(named(&world, "unheard of").await.is_empty());
    world.get("/api/v1/lookup").await.expect(422);
}

#[tokio::test(start_paused = true)]
async fn a_token_of_an_application_reaches_only_that_one() {
    let world = world().await;
    let a = application_id(&world.get("/api/v1/app/a").await.id());
    let token = world.own_token(ApplicationGrant::full(a));
    let get = async |path: &str| -> Reply { world.call_as(&token, Method::GET, path, None).await };
    assert_eq!(event_ids(&get("/api/v1/msg").await.expect(200)), ["three", "one"]);
    let attempts = get("/api/v1/attempt").await.expect(200);
    assert_eq!(attempts["data"].as_array().unwrap().len(), 2);
    assert_eq!(get("/api/v1/attempt/failures").await.expect(200)["data"], json!([]));
    get("/api/v1/msg?app_id=b").await.expect(404);
    let endpoint = world.get("/api/v1/app/b/endpoint/to-b").await.id();
    get(&format!("/api/v1/attempt?endpoint_id={endpoint}")).await.expect(404);
    get("/api/v1/lookup?text=b").await.expect(403);
}

#[tokio::test(start_paused = true)]
async fn an_application_is_searched_and_followed_with_the_hosted_operations() {
    let world = world().await;
    let search = json!({ "limit": 1, "event_types": ["late"], "with_content": true });
    let found = world.post("/api/v1/app/a/msg/search", search).await.expect(200);
    assert_eq!(found["data"][0]["payload"]["user"]["id"], 3);
    let by_value = json!({ "path": "user.id", "value": "1" });
    let found = world.post("/api/v1/app/a/msg/search", by_value).await.expect(200);
    assert_eq!((&found["data"][0]["eventId"], &found["done"]), (&json!("one"), &json!(true)));
    world.post("/api/v1/app/a/msg/search", json!({ "limit": 0 })).await.expect(422);

    let first = world.get("/api/v1/app/a/events?after=2000-01-01T00:00:00Z&limit=1").await;
    let first = first.expect(200);
    assert_eq!((&first["data"][0]["eventId"], &first["done"]), (&json!("one"), &json!(false)));
    let path = |page: &Value| {
        format!("/api/v1/app/a/events?iterator={}", page["iterator"].as_str().unwrap())
    };
    let second = world.get(&path(&first)).await.expect(200);
    assert_eq!((&second["data"][0]["eventId"], &second["done"]), (&json!("three"), &json!(true)));
    let third = world.get(&path(&second)).await.expect(200);
    assert_eq!((&third["data"], &third["iterator"]), (&json!([]), &second["iterator"]));
}

#[tokio::test(start_paused = true)]
async fn a_payload_is_returned_as_it_was_published() {
    let world = world().await;
    let raw = world.get("/api/v1/app/a/msg/one/raw").await.expect(200);
    assert_eq!(raw, json!({ "payload": r#"{"user":{"id":1,"name":"N1"}}"# }));
    world.delete("/api/v1/app/a/msg/one/content").await.expect(204);
    world.get("/api/v1/app/a/msg/one/raw").await.expect(404);
}

#[tokio::test(start_paused = true)]
async fn the_headers_of_an_attempt_are_computed_without_secrets() {
    let world = world().await;
    let attempts = world.get("/api/v1/app/a/attempt/msg/one").await.expect(200);
    let path = format!(
        "/api/v1/app/a/msg/one/attempt/{}/headers",
        attempts["data"][0]["id"].as_str().unwrap()
    );
    let headers = world.get(&path).await.expect(200);
    let sent = &headers["sentHeaders"];
    let call = world.receiver.calls.lock().unwrap()[0].headers().clone();
    for name in ["webhook-id", "webhook-signature", "x-plain", "user-agent", "content-type"] {
        assert_eq!(sent[name], call[name].to_str().unwrap(), "{name}");
    }
    assert_eq!(sent["authorization"], Value::Null);
    assert_eq!(headers["sensitive"], json!(["authorization"]));
    assert_eq!(headers["responseHeaders"], json!([["content-type", "text/plain"]]));
    assert_eq!(headers["endpointChanged"], false);
    world.delete("/api/v1/app/a/msg/one/content").await.expect(204);
    let without_body = world.get(&path).await.expect(200);
    assert_eq!(without_body["sentHeaders"]["webhook-signature"], Value::Null);
    world.delete("/api/v1/app/a/endpoint/to-a").await.expect(204);
    let deleted = world.get(&path).await.expect(200);
    assert_eq!((&deleted["sentHeaders"], &deleted["endpointChanged"]), (&json!({}), &json!(true)));
}
