//! Many readers, slow readers, and the end of connections.

use std::time::Duration;

use postrider_server::Limits;
use serde_json::json;

use super::{
    node::Node,
    page::{Page, SOON},
};

#[tokio::test]
async fn readers_are_limited_by_endpoint_and_by_node() {
    let node = Node::new(json!({ "maxReaders": 1 })).await;
    let first = node.page().await;
    assert_eq!((first.status.as_u16(), node.page().await.status.as_u16()), (200, 503));
    first.close();

    // One application has half of what the others leave free.
    let node = Node::with(json!({}), Limits { live_readers: 4, ..Limits::default() }).await;
    let pages = [node.page().await, node.page().await];
    assert!(pages.iter().all(|it| it.status == 200));
    assert_eq!(node.page().await.status, 503);
}

#[tokio::test]
async fn readers_do_not_shut_out_the_clients_of_the_api() {
    let limits = Limits { connections: 4, reserved_connections: 1, ..Limits::default() };
    let node = Node::with(json!({}), limits).await;
    let mut pages = Vec::new();
    for _ in 0..8 {
        pages.push(node.page().await);
    }
    node.readers(8).await;
    let ping = Page::open(node.address, "/api/v1/health/ping", &[]).await;
    assert_eq!(ping.status, 204);
    node.publish(json!(1)).await;
    for page in &mut pages {
        page.expect(&json!(1)).await;
    }
}

#[tokio::test]
async fn a_slow_reader_is_dropped_without_affecting_others_and_can_come_back() {
    let limits = Limits { live_window: 256 << 10, ..Limits::default() };
    let node = Node::with(json!({}), limits).await;
    let (mut fast, mut slow) = (node.page().await, node.page().await);
    // Together more than the buffers of the sockets hold.
    let large = "x".repeat(60 << 10);
    let payload = |number: u64| json!({ "number": number, "large": large });
    for number in 0..300 {
        node.publish(payload(number)).await;
        fast.expect(&payload(number)).await;
    }
    let (mut next, mut ended) = (0_u64, None);
    while let Some(event) = slow.next().await {
        if event.name == "end" {
            ended = Some(event.json()["reason"].clone());
            break;
        }
        assert_eq!(event.json()["payload"]["value"]["number"], next);
        next += 1;
    }
    assert_eq!(ended, Some(json!("too_slow")));
    assert!((1..300).contains(&next), "{next}");
    let mut back = node.page_after(&slow.close()).await;
    while next < 300 {
        let event = back.next().await.unwrap();
        let number = event.json()["payload"]["value"]["number"].as_u64().unwrap();
        // What was delivered in the last seconds may come again.
        if number >= next {
            assert_eq!(number, next);
            next += 1;
        }
    }
}

#[tokio::test]
async fn streams_end_at_shutdown_and_before_their_connection_is_too_old() {
    let mut node = Node::new(json!({})).await;
    let page = node.page().await;
    let (ended, ()) = tokio::join!(page.end(), node.shut_down());
    assert_eq!(ended, "reconnect");

    let limits = Limits { connection_max_age: Duration::from_secs(2), ..Limits::default() };
    let node = Node::with(json!({}), limits).await;
    let page = node.page().await;
    let ended = tokio::time::timeout(SOON, page.end()).await.unwrap();
    assert_eq!(ended, "reconnect");
}
