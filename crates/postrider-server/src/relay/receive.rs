//! Receives requests for listeners, and returns the response of the listener's program.

use std::{collections::BTreeMap, sync::Arc};

use axum::{body::HttpBody as _, extract::Request, response::Response};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, Uri, header, request::Parts, uri::Authority};
use postrider::listen::{
    RECEIVE_PATH, RelayedRequest, ServerMessage, append_header, is_hop_by_hop, is_short_token,
};
use tokio::{
    sync::{OwnedSemaphorePermit, oneshot},
    time::timeout,
};

use super::{
    paths::IN_PATH,
    request_filter,
    response_filter::response,
    sessions::{Forward, ProgramResponse, Session, Trust},
    state::Relay,
};
use crate::{
    api::error::ApiError,
    http::{
        Peer,
        client_address::client_network,
        memory::{RELAY_CALLER, Reservation},
        upload::{self, BodyLimits},
    },
    settings::SizeLimit,
};

/// Memory that a request needs, as a multiple of its body: the body itself, its form in base 64,
/// and the encoded message, each of which is a third longer than the body.
const COPIES: usize = 4;

/// Bytes that are reserved before the length of a body is known.
const INITIAL_RESERVATION: usize = 1 << 10;

/// Forwards the request to the listener whose token is in its path.
pub(crate) async fn receive(relay: &Relay, request: Request) -> Response {
    let redirect = || ApiError::NoResponse {
        detail: "the listener's program responded with a redirect, which is not returned",
        is_late: false,
    };
    let forwarded = forward(relay, request).await.map(|mut from| {
        let reserved = relay.memory.force(RELAY_CALLER, from.body.len());
        from.body = reserved.bind(from.body);
        from
    });
    let response = forwarded.and_then(|from| response(from).ok_or_else(redirect));
    let metrics = &relay.metrics;
    if response.is_ok() { &metrics.responded } else { &metrics.failed }.inc();
    response.unwrap_or_else(|error| relay.errors.response(error).into_response())
}

async fn forward(relay: &Relay, request: Request) -> Result<ProgramResponse, ApiError> {
    let (token, target) = split_path(request.uri()).ok_or(ApiError::NotFound("listener"))?;
    admit(relay, &request)?;
    let session = find(relay, token, &request)?;
    let permit = Arc::clone(&session.in_flight).try_acquire_owned();
    let too_many = "the listener has too many requests without a response";
    let _permit = permit.map_err(|_| ApiError::TooMany(too_many))?;
    let (relayed, _memory) = {
        let target = target.to_owned();
        let (parts, body) = request.into_parts();
        let (body, memory) = read(relay, body, session.trust).await?;
        let headers = headers(&parts.headers, session.trust);
        (relayed(relay, &parts, (target, headers), body), memory)
    };
    let (sender, response) = oneshot::channel();
    let id = relayed.id.clone();
    let message = ServerMessage::Event(relayed).to_json();
    let disconnected =
        || ApiError::NoResponse { detail: "the listener disconnected", is_late: false };
    let forward = Forward { id, message, response: sender };
    session.forwards.try_send(forward).map_err(|_| disconnected())?;
    let late =
        || ApiError::NoResponse { detail: "the listener did not respond in time", is_late: true };
    let limit = relay.settings.limits.relay_timeout;
    timeout(limit, response).await.map_err(|_| late())?.map_err(|_| disconnected())
}

/// Rejects browsers, and requests for another host name, before the listener is looked up: their
/// responses must not reveal whether it exists.
fn admit(relay: &Relay, request: &Request) -> Result<(), ApiError> {
    if request_filter::is_browser(request.method(), request.headers()) {
        return Err(ApiError::Forbidden(
            "this URL receives webhooks and cannot be opened in a browser",
        ));
    }
    let own = relay.settings.relay_url.as_deref();
    let own = own.and_then(|it| it.parse::<Uri>().ok());
    if own.is_some_and(|own| own.host() != host(request).as_deref()) {
        return Err(ApiError::Forbidden("the relay has another host name (`relay_url`)"));
    }
    Ok(())
}

/// The host that the request is for, without a port.
fn host(request: &Request) -> Option<String> {
    let header = || request.headers().get(header::HOST)?.to_str().ok()?.parse::<Authority>().ok();
    let authority = request.uri().authority().cloned().or_else(header)?;
    Some(authority.host().to_ascii_lowercase())
}

/// The listener with this token. An address that tries short tokens has to wait, whether the next
/// one exists or not.
fn find(relay: &Relay, token: &str, request: &Request) -> Result<Arc<Session>, ApiError> {
    let peer = request.extensions().get::<Peer>().copied();
    let proxies = &relay.settings.trusted_proxies;
    let guesser = is_short_token(token)
        .then(|| (client_network(proxies, peer, request.headers()), relay.now()));
    if let Some((address, now)) = guesser
        && relay.guess_limiter.refuses(address, now)
    {
        return Err(ApiError::TooMany("too many requests for listeners that do not exist"));
    }
    relay.sessions.find(token).ok_or_else(|| {
        if let Some((address, now)) = guesser {
            relay.guess_limiter.add(address, now);
        }
        if relay.settings.relay { ApiError::NotFound("listener") } else { Relay::closed() }
    })
}

/// The token, and the undecoded text that follows it.
fn split_path(uri: &Uri) -> Option<(&str, &str)> {
    let whole = uri.path_and_query()?.as_str();
    let whole = whole.strip_prefix(RECEIVE_PATH).or_else(|| whole.strip_prefix(IN_PATH))?;
    let end = whole.find(['/', '?']).unwrap_or(whole.len());
    let (token, rest) = whole.split_at_checked(end)?;
    // The slash after the token belongs to the listener's URL.
    Some((token, rest.strip_prefix('/').unwrap_or(rest)))
}

/// Reads the body if there is memory for it.
async fn read(
    relay: &Relay,
    body: axum::body::Body,
    trust: Trust,
) -> Result<(Bytes, (OwnedSemaphorePermit, Reservation)), ApiError> {
    let limits = &relay.settings.limits;
    let announced = body.size_hint().upper().and_then(|it| usize::try_from(it).ok());
    let size = announced.unwrap_or(limits.max_payload).min(limits.max_payload);
    let permits = relay.capacity(trust).try_reserve(size * COPIES);
    let full = |_| ApiError::Unavailable("requests for listeners take too much memory", None);
    let permits = permits.map_err(full)?;
    let limit = SizeLimit { bytes: limits.max_payload, setting: "max_payload" };
    let mut reserved = relay.memory.reserve(RELAY_CALLER, INITIAL_RESERVATION)?;
    let body = upload::read(body, BodyLimits::for_request(limits, limit), &mut reserved).await?;
    reserved.grow(body.len() * (COPIES - 1))?;
    Ok((body, (permits, reserved)))
}

fn relayed(
    relay: &Relay,
    parts: &Parts,
    (target, headers): (String, BTreeMap<String, String>),
    body: Bytes,
) -> RelayedRequest {
    RelayedRequest {
        id: relay.engine.clock().message_id().to_string().replacen("msg_", "req_", 1),
        method: parts.method.to_string(),
        body: BASE64_STANDARD.encode(body),
        headers,
        target,
        event_type: None,
    }
}

/// The headers that are forwarded.
fn headers(headers: &HeaderMap, trust: Trust) -> BTreeMap<String, String> {
    let mut forwarded: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in headers {
        let Ok(value) = std::str::from_utf8(value.as_bytes()) else { continue };
        if is_of_connection(headers, name) || !request_filter::is_forwarded(name, trust) {
            continue;
        }
        append_header(&mut forwarded, name.to_string(), value);
    }
    // The listener's program has another `host`; this is where programs behind a proxy look for
    // the original one.
    if let Some(host) = headers.get(header::HOST).and_then(|it| it.to_str().ok()) {
        forwarded.entry("x-forwarded-host".to_owned()).or_insert_with(|| host.to_owned());
    }
    forwarded
}

/// Whether the header concerns the connection: by definition, or because `connection` names it.
fn is_of_connection(headers: &HeaderMap, name: &HeaderName) -> bool {
    let named = headers.get_all(header::CONNECTION).iter().filter_map(|it| it.to_str().ok());
    is_hop_by_hop(name.as_str())
        || named
            .flat_map(|it| it.split(','))
            .any(|it| it.trim().eq_ignore_ascii_case(name.as_str()))
}
