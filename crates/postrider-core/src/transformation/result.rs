//! What `handler` returns.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};
use postrider::api::EndpointKind;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Form;
use crate::protected_headers::is_protected;

/// Most headers that the code may set, and most bytes of their names and values together.
const MAX_HEADERS: usize = 50;
const MAX_HEADERS_BYTES: usize = 16 << 10;

/// What is delivered in place of the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shaped {
    /// Nothing: the code cancelled the delivery.
    Cancelled,
    Request(ShapedRequest),
}

/// A request, as far as the code determines it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShapedRequest {
    pub method: Method,
    /// The URL, if the code returned one. It has to be checked like that of an endpoint.
    pub url: Option<String>,
    /// They take precedence over those of the endpoint and of the message.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub body: Bytes,
    /// The body is JSON, whatever the message was.
    pub is_json: bool,
}

/// Why a delivery cannot be made of what the code returned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResultError {
    #[error("`handler` returned what is not an object with the expected fields: {0}")]
    Shape(String),
    #[error("`handler` returned no `{0}`")]
    Missing(&'static str),
    #[error("`method` must be POST, PUT or PATCH, not {0:?}")]
    Method(String),
    #[error("`headers`: the name {0:?} or its value is not valid")]
    Header(String),
    #[error("`headers`: {0:?} cannot be set")]
    Protected(String),
    #[error("`headers` must be at most {MAX_HEADERS} and {MAX_HEADERS_BYTES} bytes")]
    TooManyHeaders,
    #[error("`{field}` must have one element for one event, not {count}")]
    Count { field: &'static str, count: usize },
}

#[derive(Deserialize)]
struct Webhook<'a> {
    method: Option<String>,
    url: Option<String>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
    #[serde(default)]
    headers: Option<BTreeMap<String, String>>,
    #[serde(default)]
    cancel: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Batch<'a> {
    #[serde(borrow)]
    request_body: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    payloads: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    messages: Option<Vec<Entry<'a>>>,
    #[serde(default)]
    cancel: Option<bool>,
}

#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
}

/// Reads the JSON that `handler` returned for one message to an endpoint of this kind.
pub fn read(form: Form, kind: EndpointKind, json: &[u8]) -> Result<Shaped, ResultError> {
    match form {
        Form::Single => read_webhook(json),
        Form::Batch => read_batch(kind, json),
    }
}

fn read_webhook(json: &[u8]) -> Result<Shaped, ResultError> {
    let webhook: Webhook<'_> = parse(json)?;
    if webhook.cancel == Some(true) {
        return Ok(Shaped::Cancelled);
    }
    let payload = webhook.payload.ok_or(ResultError::Missing("payload"))?;
    let (body, is_json) = body(payload)?;
    Ok(Shaped::Request(ShapedRequest {
        method: method(webhook.method)?,
        url: webhook.url,
        headers: headers(webhook.headers.unwrap_or_default())?,
        body,
        is_json,
    }))
}

fn read_batch(kind: EndpointKind, json: &[u8]) -> Result<Shaped, ResultError> {
    let batch: Batch<'_> = parse(json)?;
    if batch.cancel == Some(true) {
        return Ok(Shaped::Cancelled);
    }
    let (field, content) = content(kind, batch)?;
    let (body, is_json) = body(content.ok_or(ResultError::Missing(field))?)?;
    let (method, headers) = (Method::POST, Vec::new());
    Ok(Shaped::Request(ShapedRequest { method, url: None, headers, body, is_json }))
}

/// The field of a batch that endpoints of the kind deliver, and its value for the only event.
fn content(
    kind: EndpointKind,
    batch: Batch<'_>,
) -> Result<(&'static str, Option<&RawValue>), ResultError> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the others are no batches")]
    match kind {
        EndpointKind::Http => Ok(("requestBody", batch.request_body)),
        EndpointKind::S3 => Ok(("data", batch.data)),
        EndpointKind::Sqs | EndpointKind::Sns => {
            let payloads = batch
                .messages
                .map(|entries| entries.into_iter().map(|entry| entry.payload).collect::<Vec<_>>());
            Ok(("messages", only("messages", payloads)?.flatten()))
        },
        _ => Ok(("payloads", only("payloads", batch.payloads)?)),
    }
}

/// The element of a list that must have one.
fn only<T>(field: &'static str, list: Option<Vec<T>>) -> Result<Option<T>, ResultError> {
    let Some(mut list) = list else { return Ok(None) };
    match (list.pop(), list.len()) {
        (Some(element), 0) => Ok(Some(element)),
        (last, rest) => {
            Err(ResultError::Count { field, count: rest + usize::from(last.is_some()) })
        },
    }
}

fn parse<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, ResultError> {
    serde_json::from_slice(json).map_err(|error| ResultError::Shape(error.to_string()))
}

/// A text is sent as it is, anything else as JSON.
fn body(payload: &RawValue) -> Result<(Bytes, bool), ResultError> {
    let json = payload.get();
    if json.starts_with('"') {
        let text: String = parse(json.as_bytes())?;
        return Ok((Bytes::from(text.into_bytes()), false));
    }
    Ok((Bytes::copy_from_slice(json.as_bytes()), true))
}

fn method(name: Option<String>) -> Result<Method, ResultError> {
    let Some(name) = name else { return Ok(Method::POST) };
    match &*name.to_ascii_uppercase() {
        "POST" => Ok(Method::POST),
        "PUT" => Ok(Method::PUT),
        "PATCH" => Ok(Method::PATCH),
        _ => Err(ResultError::Method(name.chars().take(20).collect())),
    }
}

fn headers(given: BTreeMap<String, String>) -> Result<Vec<(HeaderName, HeaderValue)>, ResultError> {
    let bytes: usize = given.iter().map(|(name, value)| name.len() + value.len()).sum();
    if given.len() > MAX_HEADERS || bytes > MAX_HEADERS_BYTES {
        return Err(ResultError::TooManyHeaders);
    }
    given.into_iter().map(header).collect()
}

fn header((name, value): (String, String)) -> Result<(HeaderName, HeaderValue), ResultError> {
    if is_protected(&name) {
        return Err(ResultError::Protected(name));
    }
    match (name.parse(), value.parse()) {
        (Ok(name), Ok(value)) => Ok((name, value)),
        (Err(_), _) | (_, Err(_)) => Err(ResultError::Header(name.chars().take(80).collect())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn single(value: &Value) -> Result<Shaped, ResultError> {
        read(Form::Single, EndpointKind::Http, value.to_string().as_bytes())
    }

    fn request(value: &Value) -> ShapedRequest {
        match single(value) {
            Ok(Shaped::Request(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_webhook_is_a_request() {
        let returned = json!({
            "method": "put",
            "url": "https://example.com/other",
            "payload": { "text": "hi" },
            "headers": { "X-A": "1" },
            "eventType": "user.created",
        });
        let request = request(&returned);
        assert_eq!(request.method, Method::PUT);
        assert_eq!(request.url.as_deref(), Some("https://example.com/other"));
        assert_eq!((&*request.body, request.is_json), (&br#"{"text":"hi"}"#[..], true));
        let [(name, value)] = &*request.headers else { panic!("{request:?}") };
        assert_eq!((name.as_str(), value.as_bytes()), ("x-a", &b"1"[..]));
    }

    #[test]
    fn a_text_is_sent_without_quotes() {
        for (payload, body, is_json) in [
            (json!("a=1"), "a=1", false),
            (json!("a \"b\""), "a \"b\"", false),
            (json!(false), "false", true),
            (json!([1]), "[1]", true),
            (json!(7), "7", true),
        ] {
            let request = request(&json!({ "payload": payload }));
            assert_eq!((&*request.body, request.is_json), (body.as_bytes(), is_json));
            assert_eq!((request.method, request.url), (Method::POST, None));
        }
    }

    #[test]
    fn a_cancelled_webhook_needs_nothing_else() {
        assert_eq!(single(&json!({ "cancel": true })), Ok(Shaped::Cancelled));
        assert!(matches!(
            single(&json!({ "cancel": false, "payload": 1 })),
            Ok(Shaped::Request(_))
        ));
    }

    #[test]
    fn what_is_not_a_request_is_an_error() {
        let many: Value = (0..60).map(|it| (format!("x-{it}"), json!("1"))).collect();
        for (returned, expected) in [
            (json!([]), "not an object"),
            (json!("x"), "not an object"),
            (json!({}), "no `payload`"),
            (json!({ "payload": null }), "no `payload`"),
            (json!({ "payload": 1, "method": "GET" }), "\"GET\""),
            (json!({ "payload": 1, "method": 1 }), "not an object with"),
            (json!({ "payload": 1, "headers": { "a b": "1" } }), "\"a b\""),
            (json!({ "payload": 1, "headers": { "a": "1\n2" } }), "\"a\""),
            (json!({ "payload": 1, "headers": { "Webhook-Id": "1" } }), "cannot be set"),
            (json!({ "payload": 1, "headers": { "Host": "1" } }), "cannot be set"),
            (json!({ "payload": 1, "headers": many }), "at most 50"),
            (json!({ "payload": 1, "cancel": "yes" }), "not an object with"),
        ] {
            let error = single(&returned).unwrap_err().to_string();
            assert!(error.contains(expected), "{returned}: {error}");
        }
    }

    #[test]
    fn a_batch_is_read_as_its_kind_wants() {
        for (kind, returned, expected) in [
            (EndpointKind::Http, json!({ "requestBody": "a" }), Ok("a")),
            (EndpointKind::Http, json!({ "requestBody": { "a": 1 } }), Ok(r#"{"a":1}"#)),
            (EndpointKind::S3, json!({ "config": { "format": "raw" }, "data": "a" }), Ok("a")),
            (EndpointKind::Sqs, json!({ "messages": [{ "payload": "a" }] }), Ok("a")),
            (EndpointKind::Rabbitmq, json!({ "payloads": ["a"] }), Ok("a")),
            (EndpointKind::Http, json!({ "payload": "a" }), Err("no `requestBody`")),
            (EndpointKind::Sns, json!({ "messages": [{}] }), Err("no `messages`")),
            (EndpointKind::Sns, json!({ "messages": [] }), Err("not 0")),
            (EndpointKind::Kafka, json!({ "payloads": [1, 2, 3] }), Err("not 3")),
        ] {
            let read = read(Form::Batch, kind, returned.to_string().as_bytes());
            match (read, expected) {
                (Ok(Shaped::Request(it)), Ok(body)) => assert_eq!(&*it.body, body.as_bytes()),
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
                (other, _) => panic!("{kind} {returned}: {other:?}"),
            }
        }
        let cancelled = read(Form::Batch, EndpointKind::S3, br#"{"cancel":true}"#);
        assert_eq!(cancelled, Ok(Shaped::Cancelled));
    }
}
