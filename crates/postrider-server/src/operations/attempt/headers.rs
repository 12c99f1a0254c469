//! The headers of an attempt.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use http::{HeaderMap, Method, header::AUTHORIZATION};
use postrider::{
    ApplicationId, AttemptId, MessageId,
    api::{Capability, MessageAttemptHeadersOut},
};
use postrider_core::{
    delivery::{Attempt, Response, ShadowRequest, TransformedRequest},
    kind::MASK,
    message::Message,
    request::{Prepared, is_sensitive},
    transformation::ShapedRequest,
};
use postrider_engine::Entry;
use postrider_store::IdOrUid;

use crate::{
    api::{access::Access, error::ApiError, operation::operations, reply::Done},
    operations::{call::Call, message},
};
use postrider::api::Permission;

operations! {
    tag "Message Attempt";

    /// Get the headers of an attempt
    GetHeaders "v1.message-attempt.get-headers" = GET "/api/v1/app/{app_id}/msg/{msg_id}/attempt/{attempt_id}/headers"
        path { app_id: IdOrUid<ApplicationId>, msg_id: IdOrUid<MessageId>, attempt_id: AttemptId }
        -> Done<MessageAttemptHeadersOut> = get,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);
}

async fn get(call: Call, input: GetHeaders) -> Result<Done<MessageAttemptHeadersOut>, ApiError> {
    let entry = call.application(&input.app_id).await?;
    let message = message::find(&call, entry.application.id, &input.msg_id).await?;
    let mut attempt = super::find(&call, &message, input.attempt_id).await?;
    // The note, the transformation and the request of shadow mode are stored among the headers.
    attempt.response.as_mut().and_then(Response::take_note);
    let shadow = attempt.response.as_mut().and_then(Response::take_shadow);
    let transformed = attempt.response.as_mut().and_then(Response::take_transformed);
    let is_shadow = shadow.is_some();
    let (sent_headers, sensitive) = match (shadow, transformed) {
        (Some(request), _) => recorded(request),
        (None, None) => sent(&entry, &message, &attempt),
        (None, Some(transformed)) => {
            sent_transformed(&entry, &message, &attempt, transformed.request)
        },
    };
    let endpoint = entry.endpoints.iter().find(|it| it.id == attempt.delivery.endpoint);
    let has_response = !is_shadow && attempt.outcome.status().is_some();
    let response = attempt.response.filter(|_| has_response);
    Ok(Done(MessageAttemptHeadersOut {
        sent_headers,
        response_headers: response.map(|it| it.headers),
        sensitive,
        endpoint_changed: endpoint.is_none_or(|it| it.updated_at > attempt.at),
    }))
}

/// The headers that the request had, computed as the sender computes them, and the names of those
/// that are not shown.
fn sent(
    entry: &Entry,
    message: &Message,
    attempt: &Attempt,
) -> (BTreeMap<String, String>, BTreeSet<String>) {
    let target = entry.target(attempt.delivery.endpoint);
    let Some(prepared) = target.and_then(|it| it.http()) else {
        return (BTreeMap::new(), BTreeSet::new());
    };
    let body = message.body.clone().unwrap_or_default();
    let mut request = prepared.request(message, body, attempt.at);
    if message.body.is_none() {
        unsign(prepared, request.headers_mut());
    }
    let (sent, mut sensitive) = shown(request.headers());
    if prepared.oauth.is_some() {
        sensitive.insert(AUTHORIZATION.to_string());
    }
    (sent, sensitive)
}

/// The same for a request that a transformation made.
fn sent_transformed(
    entry: &Entry,
    message: &Message,
    attempt: &Attempt,
    request: Option<TransformedRequest>,
) -> (BTreeMap<String, String>, BTreeSet<String>) {
    let target = entry.target(attempt.delivery.endpoint);
    let prepared = target.and_then(|it| it.http());
    let (Some(prepared), Some(request)) = (prepared, request) else { return Default::default() };
    let header = |(name, value): (String, String)| Some((name.parse().ok()?, value.parse().ok()?));
    let shaped = ShapedRequest {
        method: Method::POST,
        url: None,
        headers: request.headers.into_iter().filter_map(header).collect(),
        body: Bytes::from(request.body),
        is_json: request.is_json,
    };
    let Some(prepared) =
        request.url.parse().ok().and_then(|url| prepared.transformed(&shaped, &url).ok())
    else {
        return Default::default();
    };
    let mut made = prepared.request(message, shaped.body, attempt.at);
    if request.is_truncated {
        unsign(&prepared, made.headers_mut());
    }
    shown(made.headers())
}

/// Removes the signature, which covers a payload that is not known.
fn unsign(prepared: &Prepared, headers: &mut HeaderMap) {
    for name in prepared.signature_names() {
        headers.remove(name);
    }
}

/// The headers of a request that was recorded and not sent.
fn recorded(request: ShadowRequest) -> (BTreeMap<String, String>, BTreeSet<String>) {
    let (hidden, sent): (Vec<_>, Vec<_>) =
        request.headers.into_iter().partition(|(_, value)| value == MASK);
    (sent.into_iter().collect(), hidden.into_iter().map(|(name, _)| name).collect())
}

fn shown(headers: &HeaderMap) -> (BTreeMap<String, String>, BTreeSet<String>) {
    let mut sent = BTreeMap::<String, String>::new();
    let mut sensitive = BTreeSet::new();
    for (name, value) in headers {
        if value.is_sensitive() || is_sensitive(name.as_str()) {
            sensitive.insert(name.to_string());
            continue;
        }
        let value = String::from_utf8_lossy(value.as_bytes());
        sent.entry(name.to_string())
            .and_modify(|it| {
                it.push_str(", ");
                it.push_str(&value);
            })
            .or_insert_with(|| value.to_string());
    }
    (sent, sensitive)
}
