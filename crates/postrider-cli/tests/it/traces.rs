//! Distributed traces: what a collector gets, and what endpoints get.

use std::net::TcpListener;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use serde_json::{Value, json};

use crate::{
    collector::Collector,
    port::free_port,
    provider::Provider,
    receiver::{Behavior, Receiver},
    server::{Server, postrider, until_async},
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

fn traceparent() -> String {
    format!("00-{TRACE}-{SPAN}-01")
}

/// Posts with these headers; the response must be 2xx.
async fn post(url: &str, headers: &[(&str, &str)], body: &Value) -> Bytes {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let request = headers
        .iter()
        .fold(Request::post(url), |request, (name, value)| request.header(*name, *value))
        .header("content-type", "application/json")
        .body(Full::new(body.to_string().into()))
        .unwrap();
    let response = client.request(request).await.unwrap();
    assert!(response.status().is_success(), "{url}: {}", response.status());
    response.into_body().collect().await.unwrap().to_bytes()
}

/// Publishes within a trace; returns the id of the message.
async fn publish(server: &Server, traceparent: &str) -> String {
    let body = json!({ "eventType": "test.event", "payload": {} });
    let token = format!("Bearer {}", server.token);
    let headers =
        [("authorization", &*token), ("traceparent", traceparent), ("tracestate", "shop=1")];
    let url = format!("{}/api/v1/app/acme/msg?with_content=false", server.url);
    let message: Value = serde_json::from_slice(&post(&url, &headers, &body).await).unwrap();
    message["id"].as_str().unwrap().to_owned()
}

async fn forwarding_endpoint(server: &Server, url: &str) -> String {
    let body = json!({ "url": url, "forwardTraceContext": true });
    let endpoint = server.post("/app/acme/endpoint", body).await;
    assert_eq!(endpoint["forwardTraceContext"], true);
    endpoint["id"].as_str().unwrap().to_owned()
}

/// A server that exports to the collector at once.
fn traced(collector: &str, variables: &[(&'static str, &str)]) -> Server {
    let mut all = vec![
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector),
        ("OTEL_BSP_SCHEDULE_DELAY", "50"),
        ("POSTRIDER_RETRY_SCHEDULE", "100ms,200ms,300ms,500ms,500ms,500ms"),
    ];
    all.extend(variables);
    Server::with_variables(&all)
}

#[tokio::test]
async fn a_message_is_traced_from_its_publisher_to_its_endpoints() {
    let (collector, receiver) = (Collector::start().await, Receiver::start().await);
    let server = traced(
        &collector.url(),
        &[
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=acme%20one"),
            ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test"),
        ],
    );
    server.application("acme").await;
    let flaky = forwarding_endpoint(&server, &receiver.url("flaky?key=secret")).await;
    server.endpoint("acme", &receiver.url("plain")).await;
    receiver.set_behavior("flaky", Behavior::FailFirst(1));
    let message = publish(&server, &traceparent()).await;

    let published = collector.until(1, |it| it.is(SpanKind::Server, &message)).await.remove(0);
    assert_eq!(published.span.name, "POST /api/v1/app/{app_id}/msg");
    assert_eq!((published.trace_id(), published.parent()), (TRACE.to_owned(), SPAN.to_owned()));
    assert_eq!(published.span.trace_state, "shop=1");
    for (name, expected) in [
        ("http.request.method", "POST"),
        ("http.route", "/api/v1/app/{app_id}/msg"),
        ("url.path", "/api/v1/app/acme/msg"),
        ("http.response.status_code", "202"),
        ("server.address", "127.0.0.1"),
        ("postrider.operation", "v1.message.create"),
    ] {
        assert_eq!(published.attribute(name), expected, "{name}");
    }
    assert_eq!(published.of_service("service.name"), "postrider");
    assert_eq!(published.of_service("deployment.environment.name"), "test");
    assert_eq!(published.headers["content-encoding"], "gzip");
    assert_eq!(published.headers["x-tenant"], "acme one");

    let attempts = collector.until(3, |it| it.is(SpanKind::Client, &message)).await;
    let of_flaky: Vec<_> =
        attempts.iter().filter(|it| it.attribute("postrider.endpoint.id") == flaky).collect();
    let [first, retry] = of_flaky[..] else { panic!("{attempts:#?}") };
    assert_eq!(first.span.name, "POST");
    assert_eq!((first.trace_id(), first.parent()), (TRACE.to_owned(), published.span_id()));
    assert!(first.has_failed());
    assert_eq!(first.attribute("error.type"), "500");
    assert_eq!(first.attribute("http.response.status_code"), "500");
    assert_eq!(first.attribute("http.request.resend_count"), "");
    assert_eq!(first.attribute("server.port"), receiver.address.port().to_string());
    let shown = receiver.url("flaky?key=REDACTED");
    assert_eq!(first.attribute("url.full"), shown);

    assert_ne!(retry.trace_id(), TRACE);
    assert_eq!((retry.parent(), retry.has_failed()), (String::new(), false));
    assert_eq!(retry.links(), [(TRACE.to_owned(), published.span_id())]);
    assert_eq!(retry.attribute("http.request.resend_count"), "1");

    let calls = receiver.calls("flaky");
    for (call, attempt) in calls.iter().zip([first, retry]) {
        let expected = format!("00-{}-{}-01", attempt.trace_id(), attempt.span_id());
        assert_eq!(call.header("traceparent"), expected);
    }
    assert_eq!(calls[0].header("tracestate"), "shop=1");
    let plain = &receiver.until("plain", |calls| calls.len() == 1).await[0];
    assert_eq!((plain.header("traceparent"), plain.header("tracestate")), ("", ""));
}

#[tokio::test]
async fn a_retry_after_a_crash_is_linked_to_the_request_that_published_the_message() {
    let (collector, receiver) = (Collector::start().await, Receiver::start().await);
    let mut server = traced(&collector.url(), &[]);
    server.application("acme").await;
    server.endpoint("acme", &receiver.url("down")).await;
    receiver.set_behavior("down", Behavior::Status(500));
    let message = publish(&server, &traceparent()).await;
    let published = collector.until(1, |it| it.is(SpanKind::Server, &message)).await.remove(0);
    collector.until(1, |it| it.is(SpanKind::Client, &message)).await;
    // If the attempt is not stored before the crash, it is repeated as the first one.
    let attempts = format!("/app/acme/attempt/msg/{message}");
    let is_stored = |page: &Value| page["data"].as_array().is_some_and(|it| !it.is_empty());
    until_async(|| server.get(&attempts), is_stored).await;
    server.kill();
    let before = collector.spans().iter().filter(|it| it.is(SpanKind::Client, &message)).count();
    receiver.set_behavior("down", Behavior::Status(200));
    server.restart();
    let attempts = collector.until(before + 1, |it| it.is(SpanKind::Client, &message)).await;
    let last = attempts.last().unwrap();
    assert_eq!(last.links(), [(TRACE.to_owned(), published.span_id())]);
    assert_eq!(last.attribute("http.response.status_code"), "200");
}

#[tokio::test]
async fn callers_decide_which_of_their_traces_are_recorded() {
    let (collector, receiver) = (Collector::start().await, Receiver::start().await);
    let mut server = traced(&collector.url(), &[]);
    server.application("acme").await;
    forwarding_endpoint(&server, &receiver.url("ok")).await;
    let skipped = publish(&server, &format!("00-{TRACE}-{SPAN}-00")).await;
    let recorded = publish(&server, &traceparent()).await;
    let calls = receiver.until("ok", |calls| calls.len() == 2).await;
    let call = calls.iter().find(|it| it.id() == skipped).unwrap();
    assert!(call.header("traceparent").starts_with(&format!("00-{TRACE}-")));
    assert!(call.header("traceparent").ends_with("-00"));
    // The last spans are exported before the process ends. The collector runs meanwhile.
    let ended = tokio::task::spawn_blocking(move || (server.terminate().code(), server.log()));
    let (code, log) = ended.await.unwrap();
    assert_eq!(code, Some(0), "{log}");
    for kind in [SpanKind::Server, SpanKind::Client] {
        let spans = collector.spans();
        assert!(spans.iter().any(|it| it.is(kind, &recorded)), "{spans:#?}");
        assert!(!spans.iter().any(|it| it.is(kind, &skipped)), "{spans:#?}");
    }
}

#[tokio::test]
async fn a_context_is_kept_and_forwarded_without_a_collector() {
    let receiver = Receiver::start().await;
    let mut server = Server::start();
    server.application("acme").await;
    forwarding_endpoint(&server, &receiver.url("hook")).await;
    server.endpoint("acme", &receiver.url("plain")).await;
    receiver.set_behavior("hook", Behavior::FailFirst(1));
    let message = publish(&server, &traceparent()).await;
    receiver.until("hook", |calls| calls.len() == 1).await;
    server.kill_and_restart();
    let calls = receiver.until("hook", |calls| calls.len() >= 2).await;
    for call in &calls {
        let found = (call.id(), call.header("traceparent"), call.header("tracestate"));
        assert_eq!(found, (&*message, &*traceparent(), "shop=1"));
    }
    let plain = receiver.until("plain", |calls| !calls.is_empty()).await;
    assert_eq!(plain[0].header("traceparent"), "");
    // What is not valid is ignored.
    let invalid = publish(&server, "00-0-0-00").await;
    let of_invalid = |calls: &[crate::receiver::Call]| calls.iter().any(|it| it.id() == invalid);
    let calls = receiver.until("hook", of_invalid).await;
    assert_eq!(calls.last().unwrap().header("traceparent"), "");
}

#[tokio::test]
async fn a_received_webhook_begins_a_trace_of_its_own() {
    let (collector, receiver) = (Collector::start().await, Receiver::start().await);
    let server = traced(&collector.url(), &[]);
    let ask = json!({ "name": "x", "type": "stripe", "config": { "secret": "whsec_abc" } });
    let source = server.ingest("/source", ask).await;
    let path = source["ingestUrl"].as_str().unwrap().split_once("/in/").unwrap().1;
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let request = Request::post(format!("{}/in/{path}", server.url))
        .header("traceparent", traceparent())
        .body(Full::new(Bytes::from_static(b"{}")))
        .unwrap();
    let status = client.request(request).await.unwrap().status().as_u16();
    let id = source["id"].as_str().unwrap();
    let span = collector.until(1, |it| it.attribute("postrider.source.id") == id).await.remove(0);
    assert_eq!(span.span.name, "POST /in/{token}");
    assert_ne!(span.trace_id(), TRACE);
    assert_eq!((span.parent(), span.links()), (String::new(), vec![(TRACE.into(), SPAN.into())]));
    assert_eq!(span.attribute("url.path"), "/in/{token}");
    assert_eq!(span.attribute("http.response.status_code"), status.to_string());
    let token = path.trim_end_matches('/');
    assert!(!format!("{:?}", collector.spans()).contains(token));

    let provider = Provider::of(&server, &receiver.url("hook")).await;
    provider.post("evt_1", "x").await.unwrap();
    let calls = receiver.until("hook", |calls| calls.len() == 1).await;
    let message = calls[0].id();
    let received = collector.until(1, |it| it.is(SpanKind::Server, message)).await.remove(0);
    let attempt = collector.until(1, |it| it.is(SpanKind::Client, message)).await.remove(0);
    assert_eq!(attempt.trace_id(), received.trace_id());
    assert_eq!(attempt.parent(), received.span_id());
    assert_eq!(received.attribute("postrider.provider"), "stripe");
}

#[tokio::test]
async fn a_caller_without_a_valid_token_does_not_choose_the_trace() {
    let collector = Collector::start().await;
    let server = traced(&collector.url(), &[]);
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let request = Request::get(format!("{}/api/v1/app", server.url))
        .header("traceparent", traceparent())
        .body(Full::default())
        .unwrap();
    assert_eq!(client.request(request).await.unwrap().status(), 401);
    let span = collector.until(1, |it| it.attribute("http.response.status_code") == "401").await;
    assert_ne!(span[0].trace_id(), TRACE);
    assert_eq!(span[0].links(), [(TRACE.to_owned(), SPAN.to_owned())]);
}

#[tokio::test]
async fn a_collector_that_is_down_does_not_stop_deliveries() {
    let receiver = Receiver::start().await;
    // Nothing listens on the port of a listener that is closed.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let metrics = format!("127.0.0.1:{}", free_port());
    let mut server = traced(
        &format!("http://{closed}"),
        &[
            ("OTEL_BSP_MAX_QUEUE_SIZE", "5"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "200"),
            ("POSTRIDER_METRICS_LISTEN", &metrics),
        ],
    );
    server.application("acme").await;
    server.endpoint("acme", &receiver.url("ok")).await;
    for _ in 0..20 {
        publish(&server, &traceparent()).await;
    }
    receiver.until("ok", |calls| calls.len() == 20).await;
    let dropped = || async { Value::from(dropped(&metrics, &server).await) };
    until_async(dropped, |it| it.as_f64().unwrap() > 5.0).await;
    let log = || async { Value::from(server.log()) };
    until_async(log, |it| it.as_str().unwrap().contains("does not accept spans")).await;
    assert_eq!(server.log().matches("does not accept spans").count(), 1);
    assert_eq!(server.terminate().code(), Some(0), "{}", server.log());
}

/// How many spans were dropped.
async fn dropped(address: &str, server: &Server) -> f64 {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let log = server.log();
    let request = Request::get(format!("http://{address}/metrics")).body(Full::default()).unwrap();
    let response = client.request(request).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let metrics = String::from_utf8(body.to_vec()).unwrap();
    let line = metrics.lines().find_map(|it| it.strip_prefix("postrider_dropped_spans_total "));
    line.unwrap_or_else(|| panic!("{metrics}{log}")).parse().unwrap()
}

#[test]
fn a_variable_that_cannot_be_used_stops_the_start() {
    for (name, value, expected) in [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "http/protobuf"),
        ("OTEL_TRACES_SAMPLER", "jaeger_remote", "always_on"),
        ("OTEL_PROPAGATORS", "b3", "tracecontext"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let output = postrider(&["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(folder.path().join("data"))
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
            .env(name, value)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{name}");
        assert!(said.contains(name) && said.contains(expected), "{said}");
    }
}

#[tokio::test]
async fn an_endpoint_can_be_told_to_forward_the_context() {
    let server = Server::start();
    server.application("acme").await;
    let body = json!({ "url": "https://example.com/", "uid": "main" });
    let made = server.post("/app/acme/endpoint", body.clone()).await;
    assert_eq!(made["forwardTraceContext"], Value::Null);
    let path = "/app/acme/endpoint/main";
    let patch = json!({ "forwardTraceContext": true });
    let changed = server.must(Method::PATCH, path, Some(patch)).await;
    assert_eq!(changed["forwardTraceContext"], true);
    // A client that does not know the field does not reset it.
    let replaced = server.must(Method::PUT, path, Some(body)).await;
    assert_eq!(replaced["forwardTraceContext"], true);
}
