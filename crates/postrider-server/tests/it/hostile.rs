//! Bodies and queries that are made to cost as much as possible, for every operation of the
//! document. Each has to be answered at once, with less than it sent.
//!
//! What is measured is the processor time of the thread that runs the handler, not the time of
//! day: it is the same on a machine that is busy with other things. The bound is generous, for
//! tests are built without optimization; work that grows with the square of a body's length
//! exceeded it many times.

mod bodies;

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::Request;
use postrider_server::Limits;
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

use self::bodies::{Schemas, valid};
use crate::world::{Reply, World, settings};

/// More than any request takes, and much less than one took that was searched again for every
/// field.
const MOST_TIME: Duration = Duration::from_millis(500);

/// Most bytes of an error.
const MOST_TEXT: usize = 64 << 10;

/// Problems in one error: a wrong value, unknown fields, and the count of the others.
const MOST_PROBLEMS: usize = 22;

/// An operation of the document.
struct Operation {
    method: String,
    path: String,
    /// The schema of its body, if it has one.
    body: Option<Value>,
    queries: Vec<String>,
}

impl Operation {
    fn reads_bodies(&self) -> bool {
        !matches!(self.method.as_str(), "GET" | "HEAD")
    }

    fn limit(&self) -> usize {
        let limits = limits();
        if self.path.ends_with("/msg/batch")
            || self.path.ends_with("/msg/import")
            || self.path.ends_with("/environment/import")
            || self.path.ends_with("/environment/apply")
            || self.path.ends_with("/import/openapi")
        {
            limits.batch_bytes
        } else if self.path.ends_with("/msg")
            || self.path.ends_with("/send-example")
            || self.path.ends_with("/schema-check")
            || self.path.ends_with("/simulate")
            || self.path.ends_with("/e/test")
        {
            limits.max_payload + limits.envelope
        } else if self.path.starts_with("/api/v1/event-type")
            && !self.path.contains("/export")
            && self.method != "DELETE"
        {
            limits.event_type_body
        } else {
            limits.config_body
        }
    }
}

/// Smaller than by default, for tests are built without optimization.
fn limits() -> Limits {
    Limits {
        max_payload: 64 << 10,
        envelope: 16 << 10,
        batch_bytes: 128 << 10,
        config_body: 32 << 10,
        event_type_body: 64 << 10,
        ..Limits::default()
    }
}

/// A server with something for every path.
async fn world() -> (World, String) {
    let world = World::with(postrider_server::Settings { limits: limits(), ..settings() });
    world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await.expect(201);
    world.event_types(&["x"]).await;
    let endpoint = json!({ "url": "https://example.com", "uid": "e" });
    world.post("/api/v1/app/a/endpoint", endpoint.clone()).await.expect(201);
    let destination = json!({ "type": "fifoEndpoint", "uid": "d",
        "config": { "url": "https://example.com" } });
    world.post("/api/v1/app/a/destination", destination).await.expect(201);
    let source = json!({ "name": "S", "type": "custom", "uid": "s", "secrets": ["s"],
        "model": { "verify": [{ "scheme": "hmac", "signature": "header:x" }] } });
    world.post("/ingest/api/v1/source", source).await.expect(201);
    world.post("/ingest/api/v1/source/s/endpoint", endpoint).await.expect(201);
    let event = json!({ "eventType": "x", "payload": {} });
    let message = world.post("/api/v1/app/a/msg", event).await.id();
    (world, message)
}

/// Every operation; those that delete come last.
async fn operations(world: &World, message: &str) -> Vec<Operation> {
    let document = world.get("/api/v1/openapi.json").await.expect(200);
    let schemas = Schemas::new(&document);
    let mut found = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            let parameters = operation["parameters"].as_array().unwrap().iter();
            let queries = parameters.filter(|it| it["in"] == "query");
            found.push(Operation {
                method: method.to_ascii_uppercase(),
                path: path
                    .replace("{app_id}", "a")
                    .replace("{endpoint_id}", "e")
                    .replace("{destination_id}", "d")
                    .replace("{source_id}", "s")
                    .replace("{connector_id}", "c")
                    .replace("{event_type_name}", "x")
                    .replace("{msg_id}", message),
                body: (!schema.is_null()).then(|| schemas.resolved(schema)),
                queries: queries.map(|it| it["name"].as_str().unwrap().to_owned()).collect(),
            });
        }
    }
    found.sort_by_key(|it| it.method == "DELETE");
    assert!(found.len() > 60, "the document lists {} operations", found.len());
    found
}

async fn send(world: &World, method: &str, path: &str, body: impl Into<Body>) -> Reply {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Bearer {}", world.token))
        .body(body.into());
    world.send(request.unwrap()).await
}

fn time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.try_into().unwrap(), now.tv_nsec.try_into().unwrap())
}

/// Sends a request, and sees that it is answered quickly, without a fault of the server, and
/// shortly if it is refused.
async fn check(world: &World, operation: &Operation, path: &str, body: Bytes, what: &str) {
    let start = time();
    let reply = send(world, &operation.method, path, body).await;
    let took = time().saturating_sub(start);
    let Operation { method, path, .. } = operation;
    let status = reply.status.as_u16();
    assert!(status < 500, "{method} {path}, {what}: {status} {}", reply.text);
    assert!(took < MOST_TIME, "{method} {path}, {what}: {status} took {took:?}");
    if status >= 400 {
        let length = reply.text.len();
        assert!(length <= MOST_TEXT, "{method} {path}, {what}: {status} of {length} bytes");
        let problems = reply.json["detail"].as_array().map_or(0, Vec::len);
        assert!(problems <= MOST_PROBLEMS, "{method} {path}, {what}: {problems} problems");
    }
}

/// Tests that share the operations, because one for all of them takes a minute.
const PARTS: usize = 8;

/// Sends every hostile body to each operation of this part.
async fn check_bodies(part: usize) {
    let (world, message) = world().await;
    let all = operations(&world, &message).await.into_iter().filter(Operation::reads_bodies);
    let chosen = all.enumerate().filter(|(index, _)| index % PARTS == part);
    for (_, operation) in chosen {
        for (what, body) in bodies::hostile(operation.body.as_ref(), operation.limit()) {
            assert!(body.len() <= operation.limit(), "{what} is longer than the limit");
            check(&world, &operation, &operation.path, body, &what).await;
        }
    }
}

macro_rules! parts {
    ($($name:ident: $part:literal,)*) => {
        $(
            #[tokio::test(start_paused = true)]
            async fn $name() {
                check_bodies($part).await;
            }
        )*
        // None is left out.
        const _: () = assert!([$($part),*].len() == PARTS);
    };
}

parts! {
    no_body_is_expensive_to_refuse_part_1: 0,
    no_body_is_expensive_to_refuse_part_2: 1,
    no_body_is_expensive_to_refuse_part_3: 2,
    no_body_is_expensive_to_refuse_part_4: 3,
    no_body_is_expensive_to_refuse_part_5: 4,
    no_body_is_expensive_to_refuse_part_6: 5,
    no_body_is_expensive_to_refuse_part_7: 6,
    no_body_is_expensive_to_refuse_part_8: 7,
}

#[tokio::test(start_paused = true)]
async fn no_query_is_expensive_to_refuse() {
    let (world, message) = world().await;
    for operation in operations(&world, &message).await {
        let near = operation.queries.first().map_or("limit", String::as_str);
        let mut queries = vec![
            repeated(|it| format!("f{it}=0")),
            repeated(|it| format!("{near}{it}=0")),
            format!("{}=0", "f".repeat(60_000)),
        ];
        for name in &operation.queries {
            queries.push(format!("{name}={}", "9".repeat(60_000)));
            queries.push(repeated(|it| format!("{name}={it}")));
            queries.push(format!("{name}={}", "a,".repeat(30_000)));
        }
        for query in queries {
            let path = format!("{}?{query}", operation.path);
            let what = query.get(..40).unwrap_or_default();
            check(&world, &operation, &path, Bytes::new(), what).await;
        }
    }
}

/// As many parameters as fit into the head of a request.
fn repeated(parameter: impl Fn(usize) -> String) -> String {
    let mut query = String::new();
    for more in (0..).map(parameter) {
        if query.len() + more.len() > 60_000 {
            break;
        }
        query.push('&');
        query.push_str(&more);
    }
    query
}

#[tokio::test(start_paused = true)]
async fn a_body_above_its_limit_is_refused_with_the_name_of_the_limit() {
    let (world, message) = world().await;
    for operation in operations(&world, &message).await {
        if !operation.reads_bodies() {
            continue;
        }
        let limit = operation.limit();
        let reply = send(&world, &operation.method, &operation.path, " ".repeat(limit + 1)).await;
        assert_eq!(reply.status, 413, "{} {}", operation.method, operation.path);
        let detail = reply.json["detail"].as_str().unwrap();
        assert!(detail.contains(&format!("{limit} bytes (`")), "{} {detail}", operation.path);
    }
}

#[tokio::test(start_paused = true)]
async fn a_large_webhook_is_verified_apart_from_other_requests() {
    let (world, _) = world().await;
    let model = json!({ "verify": [{ "scheme": "hmac", "signature": "header:x",
        "content": "{body_crc32}" }] });
    let source = json!({ "name": "S", "type": "custom", "secrets": ["s"], "model": model });
    let source = world.post("/ingest/api/v1/source", source).await.expect(201);
    let url = source["ingestUrl"].as_str().unwrap();
    let path = url.strip_prefix("http://portal.example").unwrap();
    let request = Request::post(path).header("x", "00").body(Body::from(vec![b'x'; 2 << 20]));
    let start = time();
    assert_eq!(world.send(request.unwrap()).await.status, 401);
    let took = time().saturating_sub(start);
    // Computing the check sum takes several times as long.
    assert!(took < Duration::from_millis(50), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn the_first_problems_are_listed_and_the_others_counted() {
    let (world, _) = world().await;
    let mut body = valid("/api/v1/app/a/endpoint");
    for index in 0..1_000 {
        body[format!("f{index}")] = json!(0);
    }
    body["throttleRate"] = json!("many");
    let error = world.post("/api/v1/app/a/endpoint", body).await.expect(422);
    let detail = error["detail"].as_array().unwrap();
    assert_eq!(detail.len(), 22);
    assert_eq!(detail[0]["loc"], json!(["body", "throttleRate"]));
    assert_eq!(detail[1]["loc"], json!(["body", "f0"]));
    assert_eq!(detail[21]["msg"], "980 more problems are not listed");
    assert_eq!(detail[21]["loc"], json!(["body"]));
}

#[tokio::test(start_paused = true)]
async fn long_names_and_values_are_not_repeated_in_full() {
    let (world, _) = world().await;
    let long = "x".repeat(12_000);
    let mut body = valid("/api/v1/app/a/endpoint");
    body[&long] = json!(0);
    body["throttleRate"] = json!(long);
    let reply = world.post("/api/v1/app/a/endpoint", body).await;
    assert!(reply.text.len() < 4_096, "{}", reply.text.len());
    reply.expect(422);
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_field_is_named_in_the_response() {
    let (world, _) = world().await;
    for (body, field) in [
        (r#"{"name":"A","uid":"b","name":"B"}"#, "name"),
        (r#"{"name":"A","uid":"b","throttleRate":1,"throttleRate":2}"#, "throttleRate"),
    ] {
        let error = send(&world, "POST", "/api/v1/app", body).await.expect(422);
        assert_eq!(error["detail"][0]["loc"], json!(["body", field]), "{error}");
    }
}
