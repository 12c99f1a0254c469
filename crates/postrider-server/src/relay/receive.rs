//! The provider's side: takes a request, waits for the program's answer, and gives it.

use std::{collections::BTreeMap, sync::Arc};

use axum::{body::HttpBody as _, extract::Request, response::Response};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, Uri, header, request::Parts, uri::Authority};
use tokio::{
    sync::{OwnedSemaphorePermit, oneshot},
    time::timeout,
};

use super::{
    IN, RECEIVE, Relay, UNIT, guard, name, response,
    sessions::{Answered, Forward, Session, Trust},
    visitor,
    wire::Event,
};
use crate::{
    api::error::ApiError,
    http::{
        Peer,
        memory::{RELAY, Reserved},
        upload::{self, Bounds},
    },
    settings::SizeLimit,
};

/// A request is held as it came, in base 64 and once more while it is encoded.
const COPIES: usize = 4;

/// Headers that concern one connection, and not the message.
const HOP_BY_HOP: [&str; 10] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

pub(super) async fn receive(relay: &Relay, request: Request) -> Response {
    let redirect = || ApiError::NoAnswer {
        detail: "the listener's program responded with a redirect, which is not passed on",
        is_late: false,
    };
    let answered = pass(relay, request).await.map(|mut answered| {
        let reserved = relay.context.memory.force(RELAY, answered.body.len());
        answered.body = reserved.bind(answered.body);
        answered
    });
    let response = answered.and_then(|it| response::response(it).ok_or_else(redirect));
    response.unwrap_or_else(|error| relay.context.answer(error).into_response())
}

async fn pass(relay: &Relay, request: Request) -> Result<Answered, ApiError> {
    let (token, target) = place(request.uri()).ok_or(ApiError::NotFound("listener"))?;
    admit(relay, &request)?;
    let session = find(relay, token, &request)?;
    let slot = Arc::clone(&session.slots).try_acquire_owned();
    let _slot = slot.map_err(|_| ApiError::TooMany("the listener has too much to answer"))?;
    let (body, _room) = {
        let target = target.to_owned();
        let (parts, body) = request.into_parts();
        let (body, room) = read(relay, body, session.trust).await?;
        let headers = headers(&parts.headers, session.trust);
        (event(relay, &parts, (target, headers), body), room)
    };
    let (answer, answered) = oneshot::channel();
    let forward = Forward { id: body.id.clone(), text: body.to_json(), answer };
    drop(body);
    let gone = || ApiError::NoAnswer { detail: "the listener went away", is_late: false };
    session.forwards.try_send(forward).map_err(|_| gone())?;
    let late = || ApiError::NoAnswer { detail: "the listener did not answer", is_late: true };
    let limit = relay.context.settings.limits.relay_timeout;
    timeout(limit, answered).await.map_err(|_| late())?.map_err(|_| gone())
}

/// Browsers are turned away before anything is looked up, so that they learn nothing.
fn admit(relay: &Relay, request: &Request) -> Result<(), ApiError> {
    if visitor::is_browser(request.method(), request.headers()) {
        return Err(ApiError::Forbidden(
            "this URL takes webhooks and cannot be opened in a browser",
        ));
    }
    let own = relay.context.settings.relay_url.as_deref();
    let own = own.and_then(|it| it.parse::<Uri>().ok());
    if own.is_some_and(|own| own.host() != host(request).as_deref()) {
        return Err(ApiError::Forbidden("the relay has a host name of its own on this server"));
    }
    Ok(())
}

/// The host that the request is for, without a port.
fn host(request: &Request) -> Option<String> {
    let header = || request.headers().get(header::HOST)?.to_str().ok()?.parse::<Authority>().ok();
    let authority = request.uri().authority().cloned().or_else(header)?;
    Some(authority.host().to_ascii_lowercase())
}

/// The program that listens under the token. An address that tries short tokens has to wait,
/// whether the next one is right or not.
fn find(relay: &Relay, token: &str, request: &Request) -> Result<Arc<Session>, ApiError> {
    let peer = request.extensions().get::<Peer>().copied();
    let proxies = &relay.context.settings.trusted_proxies;
    let guesser = name::is_short(token)
        .then(|| (guard::address(proxies, peer, request.headers()), relay.now()));
    if let Some((address, now)) = guesser
        && relay.guard.refuses(address, now)
    {
        return Err(ApiError::TooMany("too many listeners were asked for that do not exist"));
    }
    relay.sessions.find(token).ok_or_else(|| {
        if let Some((address, now)) = guesser {
            relay.guard.add(address, now);
        }
        if relay.context.settings.relay { ApiError::NotFound("listener") } else { Relay::closed() }
    })
}

/// The token, and what follows it as it stands there.
fn place(uri: &Uri) -> Option<(&str, &str)> {
    let whole = uri.path_and_query()?.as_str();
    let whole = whole.strip_prefix(RECEIVE).or_else(|| whole.strip_prefix(IN))?;
    let end = whole.find(['/', '?']).unwrap_or(whole.len());
    let (token, rest) = whole.split_at_checked(end)?;
    // A slash at the end is the URL's own.
    Some((token, rest.strip_prefix('/').unwrap_or(rest)))
}

/// Reads the body once there is room for it.
async fn read(
    relay: &Relay,
    body: axum::body::Body,
    trust: Trust,
) -> Result<(Bytes, (OwnedSemaphorePermit, Reserved)), ApiError> {
    let limits = &relay.context.settings.limits;
    let announced = body.size_hint().upper().and_then(|it| usize::try_from(it).ok());
    let size = announced.unwrap_or(limits.max_payload).min(limits.max_payload);
    let units = u32::try_from((size * COPIES).div_ceil(UNIT) + 1).unwrap_or(u32::MAX);
    let room = Arc::clone(&relay.shares(trust).room).try_acquire_many_owned(units);
    let full = |_| ApiError::Unavailable("too much is on its way to listeners", None);
    let room = room.map_err(full)?;
    let limit = SizeLimit { bytes: limits.max_payload, setting: "max_payload" };
    let mut reserved = relay.context.memory.reserve(RELAY, UNIT)?;
    let body = upload::read(body, Bounds::of_request(limits, limit), &mut reserved).await?;
    reserved.grow(body.len() * (COPIES - 1))?;
    Ok((body, (room, reserved)))
}

fn event(
    relay: &Relay,
    parts: &Parts,
    (target, headers): (String, BTreeMap<String, String>),
    body: Bytes,
) -> Event {
    Event {
        id: relay.context.engine.clock().message_id().to_string().replacen("msg_", "req_", 1),
        method: parts.method.to_string(),
        body: BASE64_STANDARD.encode(body),
        headers,
        target,
        event_type: None,
    }
}

/// The headers that the program may see, as the protocol has them: each once.
fn headers(headers: &HeaderMap, trust: Trust) -> BTreeMap<String, String> {
    let mut passed: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in headers {
        let Ok(value) = std::str::from_utf8(value.as_bytes()) else { continue };
        if is_of_connection(headers, name) || !visitor::may_pass(name, trust) {
            continue;
        }
        passed
            .entry(name.to_string())
            .and_modify(|whole| *whole = format!("{whole}, {value}"))
            .or_insert_with(|| value.to_owned());
    }
    // The program's own server has another name; this is where such servers look for ours.
    if let Some(host) = headers.get(header::HOST).and_then(|it| it.to_str().ok()) {
        passed.entry("x-forwarded-host".to_owned()).or_insert_with(|| host.to_owned());
    }
    passed
}

/// Whether the header is about the connection, which those are too that it names itself.
fn is_of_connection(headers: &HeaderMap, name: &HeaderName) -> bool {
    let named = headers.get_all(header::CONNECTION).iter().filter_map(|it| it.to_str().ok());
    HOP_BY_HOP.contains(&name.as_str())
        || named
            .flat_map(|it| it.split(','))
            .any(|it| it.trim().eq_ignore_ascii_case(name.as_str()))
}
