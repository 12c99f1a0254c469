//! The HTML of pages, as snapshots: what changes by chance is left out.

use http::{Request, header};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::json;

use crate::server::Server;

/// The content of a page, for a person with the server's token.
async fn content(server: &Server, path: &str) -> String {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let request = Request::get(format!("{}{path}", server.url))
        .header(header::COOKIE, format!("postrider-console={}", server.token))
        .body(Empty::new())
        .unwrap();
    let response = client.request(request).await.unwrap();
    let html = response.into_body().collect().await.unwrap().to_bytes();
    let html = str::from_utf8(&html).unwrap();
    let main = html.split_once("<main").unwrap().1.split_once("</main>").unwrap().0;
    // The panel shows the times of the object.
    let main = main.split("<details class=\"api-panel\"").next().unwrap();
    let host = server.url.trim_start_matches("http://");
    without_chance(&main.replace(host, "HOST"))
}

/// One element per line, without times, and with the same ids and digests in each run.
fn without_chance(html: &str) -> String {
    let mut text = String::new();
    let mut rest = html;
    while let Some((before, after)) = rest.split_once("<time") {
        text.push_str(before);
        text.push_str("<time>");
        rest = after.split_once("</time>").unwrap().1;
    }
    text.push_str(rest);
    let is_part = |mark: char| mark.is_ascii_alphanumeric() || mark == '_';
    let mut plain = String::new();
    let mut word = String::new();
    for mark in text.chars().chain([' ']) {
        if is_part(mark) {
            word.push(mark);
        } else {
            plain.push_str(&constant(&word));
            word.clear();
            plain.push(mark);
        }
    }
    plain.replace("><", ">\n<")
}

/// A word, or what it is if it is different in each run.
fn constant(word: &str) -> String {
    match word.split_once('_') {
        Some((kind, id)) if id.len() >= 20 && !id.contains('_') => format!("{kind}_ID"),
        None if word.len() == 32 && word.bytes().all(|it| it.is_ascii_hexdigit()) => {
            "DIGEST".to_owned()
        },
        Some(_) | None => word.to_owned(),
    }
}

#[tokio::test]
async fn empty_lists_explain_themselves() {
    let server = Server::start();
    for page in [
        "apps",
        "endpoints",
        "messages",
        "failures",
        "tasks",
        "sources",
        "event-types",
        "connectors",
    ] {
        insta::assert_snapshot!(
            format!("empty-{page}"),
            content(&server, &format!("/{page}")).await
        );
    }
}

#[tokio::test]
async fn forms_have_labels_hints_and_problems() {
    let server = Server::start();
    server.application("acme").await;
    for (name, path) in [
        ("app", "/apps/new"),
        ("event-type", "/event-types/new"),
        ("key", "/settings/keys"),
        ("kinds", "/apps/acme/endpoints/new"),
    ] {
        insta::assert_snapshot!(format!("form-{name}"), content(&server, path).await);
    }
}

#[tokio::test]
async fn an_event_type_shows_its_schema_as_a_table() {
    let server = Server::start();
    let schema = json!({
        "type": "object",
        "required": ["id"],
        "properties": {
            "id": { "type": "string", "description": "The order's id" },
            "items": { "type": "array", "items": { "type": "object", "properties": {
                "sku": { "type": "string" },
            } } },
        },
    });
    let body = json!({ "name": "order.paid", "description": "An order was paid", "schemas": { "1": schema } });
    server.post("/event-type", body).await;
    insta::assert_snapshot!("event-type", content(&server, "/event-types/order.paid").await);
}
