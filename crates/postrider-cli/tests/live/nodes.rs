//! Two nodes over one PostgreSQL: readers of both get what either of them accepts.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::json;

use crate::{live::Live, schema::Schema, server::Server, stream::Stream};

/// Two nodes with the same secrets.
fn pair() -> [Server; 2] {
    let (schema, folder) = (Arc::new(Schema::create()), Arc::new(tempfile::tempdir().unwrap()));
    [(); 2].map(|()| Server::on_store(&folder, Some(&schema), &[]))
}

#[tokio::test]
async fn a_reader_gets_what_another_node_accepts() {
    let servers = pair();
    let live = Live::create(&servers[0], "acme", json!({})).await;
    let path = live.path(&servers[0]).await;
    let mut streams = Vec::new();
    for server in &servers {
        streams.push(Stream::open(server, &path, "").await);
    }
    for number in 0..20 {
        servers[number % 2].publish("acme", json!({ "number": number })).await;
    }
    for stream in &mut streams {
        let mut got = BTreeSet::new();
        while got.len() < 20 {
            let number = stream.next().await["payload"]["number"].as_u64().unwrap();
            assert!(got.insert(number), "{number} came twice");
        }
    }
}

#[tokio::test]
async fn a_reader_that_moves_to_another_node_misses_nothing() {
    let servers = pair();
    let live = Live::create(&servers[0], "acme", json!({})).await;
    let path = live.path(&servers[0]).await;
    let mut got = BTreeSet::new();
    let mut stream = Stream::open(&servers[0], &path, "").await;
    let publish = async {
        for number in 0..300 {
            servers[number % 2].publish("acme", json!({ "number": number })).await;
        }
    };
    let read = async {
        let mut repeated = 0;
        // It moves again and again, in the middle of the stream.
        for (move_at, next) in (40..=300).step_by(40).chain([300]).zip([1, 0].into_iter().cycle()) {
            while got.len() < move_at {
                let number = stream.next().await["payload"]["number"].as_u64().unwrap();
                repeated += usize::from(!got.insert(number));
            }
            stream = Stream::open(&servers[next], &path, &stream.last_event_id.clone()).await;
        }
        repeated
    };
    let ((), repeated) = tokio::join!(publish, read);
    println!("{repeated} events came again");
}

#[tokio::test]
async fn a_reader_comes_back_after_its_node_was_killed() {
    let mut servers = pair();
    let live = Live::create(&servers[0], "acme", json!({})).await;
    let path = live.path(&servers[0]).await;
    let mut stream = Stream::open(&servers[0], &path, "").await;
    servers[0].publish("acme", json!({ "number": 0 })).await;
    stream.next().await;
    servers[0].kill();
    for number in 1..=5 {
        servers[1].publish("acme", json!({ "number": number })).await;
    }
    servers[0].restart();
    let mut stream = Stream::open(&servers[0], &path, &stream.last_event_id).await;
    let mut got = BTreeSet::new();
    while got.len() < 5 {
        got.insert(stream.next().await["payload"]["number"].as_u64().unwrap());
    }
    assert!(!got.contains(&0), "{got:?}");
}

#[tokio::test]
async fn a_token_of_a_reader_is_not_logged() {
    let server = Server::embedded(&[("POSTRIDER_LOG_LEVEL", "trace")]);
    let live = Live::create(&server, "acme", json!({})).await;
    let path = live.path(&server).await;
    let mut stream = Stream::open(&server, &path, "").await;
    server.publish("acme", json!({ "number": 0 })).await;
    stream.next().await;
    let (_, token) = path.split_once("token=").unwrap();
    let log = server.log();
    assert!(log.contains("v1.endpoint.live-token"), "{log}");
    assert!(!log.contains(token), "{log}");
}
