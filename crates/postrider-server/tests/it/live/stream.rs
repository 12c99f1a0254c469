//! What readers get.

use serde_json::json;

use super::{node::Node, page::Page};

#[tokio::test]
async fn a_page_gets_each_message_as_an_event() {
    let node = Node::new(json!({})).await;
    let mut page = node.page().await;
    assert_eq!(page.status, 200);
    assert_eq!(page.headers["content-type"], "text/event-stream");
    assert_eq!(page.headers["cache-control"], "no-store");
    let message = json!({
        "eventType": "user.created",
        "channels": ["one"],
        "payload": { "value": "Ada" },
    });
    let id = node.publish_with(message).await;
    let event = page.expect(&json!("Ada")).await;
    assert!(event.last_event_id.starts_with(&id), "{event:?}");
    let data = event.json();
    assert_eq!(data["id"], id.as_str());
    assert_eq!(data["type"], "user.created");
    assert_eq!(data["channels"], json!(["one"]));
    assert!(data["timestamp"].as_str().unwrap().ends_with('Z'), "{data}");
    assert!(page.retry.is_some());
    let attempt = node.delivered(&id).await;
    assert_eq!(attempt["response"], "sent to 1 reader on this node");
    assert_eq!(attempt["url"], "live:/");
}

#[tokio::test]
async fn a_delivery_without_readers_succeeds() {
    let node = Node::new(json!({})).await;
    let id = node.publish(json!(1)).await;
    assert_eq!(node.delivered(&id).await["response"], "sent to 0 readers on this node");
}

#[tokio::test]
async fn events_can_have_the_body_alone_and_the_type_as_their_name() {
    let node = Node::new(json!({ "envelope": false, "event": "type" })).await;
    let mut page = node.page().await;
    node.publish(json!("Ada")).await;
    let event = page.next().await.unwrap();
    assert_eq!((event.name.as_str(), event.data.as_str()), ("user.created", r#"{"value":"Ada"}"#));
}

#[tokio::test]
async fn the_filters_of_the_endpoint_and_of_the_token_apply() {
    let node = Node::new(json!({})).await;
    let filter = json!({ "eventTypes": ["user.created"] });
    node.world.patch(&node.endpoint_path(""), filter).await.expect(200);
    let mut all = node.page().await;
    let mut one = node.page_with(json!({ "channels": ["one"] }), &[]).await;
    let mut none = node.page_with(json!({ "eventTypes": ["user.deleted"] }), &[]).await;
    let message = |event_type: &str, channel: &str, value: u8| json!({ "eventType": event_type, "channels": [channel], "payload": { "value": value } });
    for message in [
        message("user.deleted", "one", 1),
        message("user.created", "two", 2),
        message("user.created", "one", 3),
    ] {
        node.publish_with(message).await;
    }
    all.expect(&json!(2)).await;
    all.expect(&json!(3)).await;
    one.expect(&json!(3)).await;
    node.world.delete(&node.endpoint_path("")).await.expect(204);
    assert_eq!(none.next().await.unwrap().json()["reason"], "endpoint_gone");
}

#[tokio::test]
async fn all_readers_get_an_event_that_is_sent_again() {
    let node = Node::new(json!({})).await;
    let mut pages = [node.page().await, node.page().await];
    let id = node.publish(json!(1)).await;
    for page in &mut pages {
        page.expect(&json!(1)).await;
    }
    node.delivered(&id).await;
    let path = node.path(&format!("msg/{id}/endpoint/{}/resend", node.endpoint));
    node.world.post(&path, json!({})).await.expect(202);
    for page in &mut pages {
        assert!(page.expect(&json!(1)).await.last_event_id.starts_with(&id));
    }
}

#[tokio::test]
async fn a_silent_stream_has_heartbeats() {
    let node = Node::new(json!({ "heartbeat": "1s" })).await;
    let mut page = node.page().await;
    while page.comments < 2 {
        assert!(page.receive().await);
    }
}

#[tokio::test]
async fn a_stream_ends_when_its_token_expires() {
    let node = Node::new(json!({})).await;
    let path = node.stream(json!({ "expiresIn": 1 })).await;
    let page = Page::open(node.address, &path, &[]).await;
    assert_eq!(page.end().await, "token_expired");
    let refused = Page::open(node.address, &path, &[]).await;
    assert_eq!(refused.status, 401);
    node.readers(0).await;
}

#[tokio::test]
async fn streams_end_when_the_endpoint_is_deleted_or_disabled() {
    for is_deleted in [true, false] {
        let node = Node::new(json!({})).await;
        let page = node.page().await;
        if is_deleted {
            node.world.delete(&node.endpoint_path("")).await.expect(204);
        } else {
            let change = json!({ "disabled": true });
            node.world.patch(&node.endpoint_path(""), change).await.expect(200);
        }
        assert_eq!(page.end().await, "endpoint_gone");
        node.readers(0).await;
    }
}

#[tokio::test]
async fn a_change_of_the_configuration_applies_to_open_streams() {
    let node = Node::new(json!({})).await;
    let mut page = node.page().await;
    node.publish(json!(1)).await;
    page.expect(&json!(1)).await;
    let change = json!({ "config": { "envelope": false } });
    node.world.patch(&node.endpoint_path(""), change).await.expect(200);
    node.publish(json!(2)).await;
    assert_eq!(page.next().await.unwrap().json(), json!({ "value": 2 }));
}
