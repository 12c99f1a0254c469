//! What all clusters of nodes have: secrets, a token, an application with endpoints, and what each
//! endpoint has to get.

use http::Method;
use serde_json::{Value, json};

use crate::{
    invariants,
    load::{Accepted, Caller, PLAIN, TURN},
    node::{Node, Variables},
    postrider,
    receiver::{Arrival, Receiver},
};

/// Calls per second that the strict endpoint allows.
pub(crate) const RATE: u32 = 30;

const SECRETS: [(&str, &str); 2] = [
    ("POSTRIDER_JWT_SECRET", "a secret that is the same for all nodes"),
    ("POSTRIDER_MAIN_SECRET", "and so is this one that encrypts what is secret"),
];

/// Settings of nodes, and the secrets that all of them have.
pub(crate) fn with_secrets(settings: &[(&'static str, &str)]) -> Variables {
    settings.iter().chain(&SECRETS).map(|(name, value)| (*name, (*value).to_owned())).collect()
}

pub(crate) fn token() -> String {
    let output = postrider(&["token", "create"]).envs(SECRETS).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Creates the application, the event types and the endpoints over a node.
pub(crate) async fn catalog(
    caller: &Caller,
    (node, receiver): (&str, &Receiver),
    endpoints: &[&str],
) {
    let make = async |path: &str, body: Value| {
        must(caller, node, Method::POST, path, Some(body)).await;
    };
    make("/app", json!({ "name": "acme", "uid": "acme" })).await;
    for name in [PLAIN, TURN] {
        make("/event-type", json!({ "name": name, "description": "Of a test." })).await;
    }
    for &endpoint in endpoints {
        let mut body = json!({ "url": receiver.url(endpoint), "uid": endpoint });
        match endpoint {
            "fifo" => {
                body["ordering"] = json!("fifo");
                body["eventTypes"] = json!([TURN]);
            },
            "batches" => {
                body["ordering"] = json!("fifo");
                body["batch"] = json!({ "size": 20, "maxWaitSeconds": 1 });
                body["eventTypes"] = json!([TURN]);
            },
            "strict" => {
                body["throttleRate"] = json!(RATE);
                body["strictRate"] = json!(true);
                body["eventTypes"] = json!([TURN]);
            },
            _ => {},
        }
        make("/app/acme/endpoint", body).await;
    }
}

/// Calls the API of a node; the response must be 2xx.
pub(crate) async fn must(
    caller: &Caller,
    node: &str,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> Value {
    let response = caller.call(node, method, path, body).await.unwrap();
    assert!((200..300).contains(&response.status), "{path} got {response:?}");
    response.body
}

fn is_for(message: &Accepted, endpoint: &str) -> bool {
    message.event_type == TURN || ["plain", "flaky"].contains(&endpoint)
}

pub(crate) fn of<'a>(arrivals: &'a [Arrival], endpoint: &str) -> Vec<&'a Arrival> {
    arrivals.iter().filter(|it| it.endpoint == endpoint).collect()
}

/// The messages that endpoints did not get, by endpoint.
pub(crate) fn missing<'a>(
    endpoints: &[&'a str],
    accepted: &[Accepted],
    arrivals: &[Arrival],
) -> Vec<(&'a str, Vec<String>)> {
    let missing = endpoints.iter().map(|endpoint| {
        let theirs = accepted.iter().filter(|it| is_for(it, endpoint));
        (*endpoint, invariants::missing(theirs, &of(arrivals, endpoint)))
    });
    missing.filter(|(_, missing)| !missing.is_empty()).collect()
}

/// The last lines of the nodes' logs.
pub(crate) fn last_lines(nodes: &[Node]) -> String {
    let tail = |log: String| {
        let lines: Vec<_> = log.lines().rev().take(20).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    };
    nodes.iter().map(|node| tail(node.log())).collect::<Vec<_>>().join("\n\n")
}
