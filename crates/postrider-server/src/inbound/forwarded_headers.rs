//! The headers of a received webhook that its deliveries carry.

use postrider::provider::{Redaction, Selector, Verified};
use postrider_core::{hops, message::Format, request};

use super::request::InboundRequest;

/// Most headers that are forwarded, and their total size.
const MAX_HEADERS: usize = 50;
const MAX_BYTES: usize = 16 << 10;

/// Headers that are not forwarded unless the source's `forward_headers` names them: credentials,
/// and the path that the request took.
const WITHHELD: [&str; 7] =
    ["authorization", "cookie", "forwarded", "via", "accept", "x-real-ip", "priority"];

/// Prefix of our own headers. Received headers with it are dropped, because an endpoint would take
/// them for ours.
const OWN_PREFIX: &str = "postrider-";

const EVENT_ID: &str = "postrider-event-id";

/// Prefixes of the names of such headers.
const WITHHELD_PREFIXES: [&str; 3] = ["x-forwarded-", "cf-", "sec-"];

/// Parts of the names of headers that carry signatures, tokens and secrets.
const WITHHELD_PARTS: [&str; 5] = ["signature", "hmac", "secret", "token", "api-key"];

/// The headers of the webhook's deliveries, ours first.
pub(super) fn headers(request: &InboundRequest, verified: &Verified) -> Vec<(String, String)> {
    let mut bytes_left = MAX_BYTES;
    let mut headers = Vec::new();
    let own = own_headers(request, verified).into_iter();
    let received = request.raw_headers.iter().filter_map(|(name, value)| {
        let value = std::str::from_utf8(value.as_bytes()).ok()?;
        let is_forwarded = is_forwarded(request, name.as_str()) && !request.contains_secret(value);
        is_forwarded.then(|| (name.to_string(), value.to_owned()))
    });
    for (name, value) in own.chain(received) {
        let Some(left) = bytes_left.checked_sub(name.len() + value.len()) else { continue };
        if headers.len() < MAX_HEADERS {
            headers.push((name, value));
            bytes_left = left;
        }
    }
    headers
}

fn own_headers(request: &InboundRequest, verified: &Verified) -> Vec<(String, String)> {
    let source = &request.source.source;
    let fields = [
        ("postrider-source", Some(source.id.to_string())),
        ("postrider-provider", Some(request.source.provider.id.clone())),
        (EVENT_ID, verified.event_id.clone()),
        ("postrider-event-type", verified.event_type.clone()),
        ("postrider-received-at", Some(request.at.as_seconds().to_string())),
        (hops::HEADER, Some(request.hops.clone())),
        ("postrider-query", request.query_without_secrets().cloned()),
    ];
    let named = |(name, value): (&str, Option<String>)| Some((name.to_owned(), value?));
    fields.into_iter().filter_map(named).collect()
}

/// The provider's event id of a received message.
pub(super) fn event_id(format: &Format) -> Option<&str> {
    match format {
        Format::Json => None,
        Format::Raw { headers } => {
            headers.iter().find(|(name, _)| name == EVENT_ID).map(|(_, value)| value.as_str())
        },
    }
}

fn is_forwarded(request: &InboundRequest, name: &str) -> bool {
    if name == "content-encoding" || name == "content-type" {
        return true;
    }
    // An endpoint that knew the secret could forge requests to the source.
    let is_secret = request.source.transmitted.has_header(name);
    if request::is_protected(name) || name.starts_with(OWN_PREFIX) || is_secret {
        return false;
    }
    if let Some(chosen) = &request.source.source.forward_headers {
        return chosen.iter().any(|it| it.eq_ignore_ascii_case(name));
    }
    let is_known_secret = Redaction::known().has_header(name);
    !is_withheld(name) && !is_known_secret && !is_credential(request, name)
}

/// Whether the provider sends a signature or a secret in the header.
fn is_credential(request: &InboundRequest, name: &str) -> bool {
    request.source.provider.model.credentials().any(|place| match place {
        Selector::Header(header) => header == name,
        Selector::Query(_)
        | Selector::Form(..)
        | Selector::Json(_)
        | Selector::Key(_)
        | Selector::Field(_) => false,
    })
}

fn is_withheld(name: &str) -> bool {
    WITHHELD.contains(&name)
        || WITHHELD_PREFIXES.iter().any(|it| name.starts_with(it))
        || WITHHELD_PARTS.iter().any(|it| name.contains(it))
        || name.ends_with("-sig")
}
