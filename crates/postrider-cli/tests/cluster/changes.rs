//! Configuration changes through one node, which the others apply within a second.

use std::time::{Duration, Instant};

use http::Method;
use serde_json::{Value, json};

use crate::{
    cluster::{Bounds, Cluster, Setup},
    now, pass,
    receiver::Arrival,
    report, until,
};

/// All nodes apply a change within this time.
const SOON: Duration = Duration::from_secs(1);

const ENDPOINT: &str = "/app/acme/endpoint/watched";

/// Publishes through a node until a call matches; returns how long that took.
async fn followed(
    cluster: &Cluster,
    node: usize,
    since: Instant,
    is_so: impl Fn(&Arrival) -> bool,
) -> Duration {
    let deadline = since + Duration::from_secs(10);
    let mut ids = Vec::new();
    loop {
        let body = json!({ "eventType": "change.event", "payload": { "n": 1 } });
        let message = cluster.must(node, Method::POST, "/app/acme/msg", Some(body)).await;
        ids.push(message["id"].as_str().unwrap().to_owned());
        let arrivals = cluster.receiver.arrivals();
        if let Some(found) = arrivals.iter().find(|it| ids.contains(&it.id) && is_so(it)) {
            return found.at.saturating_duration_since(since);
        }
        assert!(now() < deadline, "node {node} did not follow");
        pass(Duration::from_millis(10)).await;
    }
}

/// Makes a change through the first node, and waits until the others apply it.
async fn change(
    cluster: &Cluster,
    what: &str,
    (method, path, body): (Method, &str, Value),
    is_so: impl Fn(&Arrival) -> bool,
) {
    // All nodes have the endpoints in memory.
    cluster.accept(12).await;
    let body = (!body.is_null()).then_some(body);
    cluster.must(0, method, path, body).await;
    let since = now();
    let (second, third) =
        tokio::join!(followed(cluster, 1, since, &is_so), followed(cluster, 2, since, &is_so));
    report(format_args!("{what}: the others followed in {second:?} and {third:?}"));
    assert!(second.max(third) <= SOON, "{what}: {second:?}, {third:?}");
}

async fn secret(cluster: &Cluster) -> String {
    let path = format!("{ENDPOINT}/secret");
    let secret = cluster.must(0, Method::GET, &path, None).await;
    secret["key"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn all_nodes_apply_a_change_within_a_second() {
    let cluster = Cluster::start(Setup::steady()).await;
    let event_type = json!({ "name": "change.event", "description": "Of a test." });
    cluster.must(0, Method::POST, "/event-type", Some(event_type)).await;
    let watched = |path: &str, is_disabled: bool| {
        json!({ "url": cluster.receiver.url(path), "uid": "watched", "disabled": is_disabled,
                "eventTypes": ["change.event"] })
    };

    let new = (Method::POST, "/app/acme/endpoint", watched("old", false));
    change(&cluster, "a new endpoint", new, |it| it.endpoint == "old").await;
    let moved = (Method::PUT, ENDPOINT, watched("new", false));
    change(&cluster, "another URL", moved, |it| it.endpoint == "new").await;

    let path = format!("{ENDPOINT}/secret/rotate");
    let key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let rotated = (Method::POST, path.as_str(), json!({ "key": key }));
    change(&cluster, "another secret", rotated, |it| it.is_verified(key)).await;
    assert_eq!(secret(&cluster).await, key);

    disabled(&cluster, watched("new", true)).await;
    let enabled = (Method::PUT, ENDPOINT, watched("new", false));
    change(&cluster, "an endpoint that is enabled", enabled, |it| it.endpoint == "new").await;
    cluster.prove("changed", Bounds { duplicates: 0, wait: Duration::from_secs(2) }).await;
}

/// Disables the endpoint through the first node. A second later the others publish, and nothing
/// must be delivered.
async fn disabled(cluster: &Cluster, body: Value) {
    // Pending deliveries would be cancelled, but the load must be delivered completely.
    let waiting = "SELECT count(*) FROM queue q JOIN endpoint e
        ON e.application = q.application AND e.id = q.endpoint WHERE e.uid = 'watched'";
    cluster.postgres.until_none(waiting).await;
    cluster.must(0, Method::PUT, ENDPOINT, Some(body)).await;
    pass(SOON).await;
    let mut ids = Vec::new();
    for node in [1, 2] {
        let body = json!({ "eventType": "change.event", "payload": { "n": 1 } });
        let message = cluster.must(node, Method::POST, "/app/acme/msg", Some(body)).await;
        ids.push(message["id"].as_str().unwrap().to_owned());
    }
    let has = |endpoint: &str, id: &String| {
        cluster.receiver.arrivals().iter().any(|it| it.endpoint == endpoint && it.id == *id)
    };
    // The messages are for endpoints of all events; once those have them, nothing more is sent.
    until("the others have it", || ids.iter().all(|id| has("plain", id))).await;
    pass(Duration::from_millis(200)).await;
    assert!(!ids.iter().any(|id| has("new", id)), "a disabled endpoint was called");
}
