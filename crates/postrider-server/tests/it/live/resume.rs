//! Readers that come back.

use serde_json::json;

use super::node::Node;

#[tokio::test]
async fn a_reader_that_comes_back_gets_exactly_what_it_missed() {
    let node = Node::new(json!({})).await;
    let mut page = node.page().await;
    for payload in 1..=2 {
        node.publish(json!(payload)).await;
        page.expect(&json!(payload)).await;
    }
    let last = page.close();
    for payload in 3..=5 {
        node.publish(json!(payload)).await;
    }
    let mut page = node.page_after(&last).await;
    for payload in 3..=5 {
        page.expect(&json!(payload)).await;
    }
    node.publish(json!(6)).await;
    page.expect(&json!(6)).await;
}

#[tokio::test]
async fn a_reader_that_has_got_no_event_yet_misses_none_when_it_comes_back() {
    let node = Node::new(json!({})).await;
    let id = node.publish(json!("before")).await;
    node.delivered(&id).await;
    let mut page = node.page().await;
    while page.last_event_id.is_empty() {
        assert!(page.receive().await);
    }
    let last = page.close();
    node.publish(json!(1)).await;
    let mut page = node.page_after(&last).await;
    page.expect(&json!(1)).await;
}

#[tokio::test]
async fn a_reader_catches_up_from_the_store_and_goes_on_live() {
    let mut node = Node::new(json!({})).await;
    let first = node.publish(json!(0)).await;
    for payload in 1..=250 {
        node.publish(json!(payload)).await;
    }
    let last = node.publish(json!(251)).await;
    node.delivered(&last).await;
    node.restart().await;
    let mut page = node.page_after(&first).await;
    let mut payloads = std::collections::BTreeSet::new();
    while payloads.len() < 251 {
        let event = page.next().await.unwrap();
        let payload = event.json()["payload"]["value"].as_u64().unwrap();
        assert!(payloads.insert(payload), "{payload} came twice");
    }
    assert!(!payloads.contains(&0));
    node.publish(json!(252)).await;
    page.expect(&json!(252)).await;
}

#[tokio::test]
async fn nothing_is_missed_while_messages_arrive_during_a_catch_up() {
    let mut node = Node::new(json!({})).await;
    let first = node.publish(json!(0)).await;
    for payload in 1..=50 {
        node.publish(json!(payload)).await;
    }
    node.restart().await;
    let (mut page, mut got) = (node.page_after(&first).await, std::collections::BTreeSet::new());
    let publish = async {
        for payload in 51..=150 {
            node.publish(json!(payload)).await;
        }
    };
    let read = async {
        while got.len() < 150 {
            let event = page.next().await.unwrap();
            got.insert(event.json()["payload"]["value"].as_u64().unwrap());
        }
    };
    tokio::join!(publish, read);
}

#[tokio::test]
async fn filters_apply_to_what_is_caught_up() {
    let mut node = Node::new(json!({})).await;
    let first = node.publish(json!(0)).await;
    for (payload, channel) in [(1, "one"), (2, "two"), (3, "one")] {
        let payload = json!({ "value": payload });
        let message =
            json!({ "eventType": "user.created", "channels": [channel], "payload": payload });
        let id = node.publish_with(message).await;
        node.delivered(&id).await;
    }
    node.restart().await;
    let headers = [("last-event-id", first.as_str())];
    let mut page = node.page_with(json!({ "channels": ["one"] }), &headers).await;
    page.expect(&json!(1)).await;
    page.expect(&json!(3)).await;
}

#[tokio::test]
async fn a_reader_learns_that_events_are_missing() {
    let mut node = Node::new(json!({})).await;
    let first = node.publish(json!(0)).await;
    let expunged = node.publish(json!(1)).await;
    let last = node.publish(json!(2)).await;
    for id in [&expunged, &last] {
        node.delivered(id).await;
    }
    node.world.delete(&node.path(&format!("msg/{expunged}/content"))).await.expect(204);
    node.restart().await;
    let mut page = node.page_after(&first).await;
    let gap = page.next().await.unwrap();
    assert_eq!(gap.name, "gap", "{gap:?}");
    page.expect(&json!(2)).await;
    for (id, requested) in [("msg_00000000000000000000000001", true), ("nonsense", true)] {
        let mut page = node.page_after(id).await;
        let gap = page.next().await.unwrap();
        assert_eq!((gap.name.as_str(), gap.json()["requested"] == id), ("gap", requested));
    }
}
