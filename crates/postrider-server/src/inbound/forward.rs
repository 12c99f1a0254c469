//! Which headers of a received webhook are passed on.

use postrider::provider::{Redaction, Source, Verified};
use postrider_core::{hops, message::Format, request};

use super::Arrival;

/// Most headers that are passed on, and most bytes of them together.
const MAX_HEADERS: usize = 50;
const MAX_BYTES: usize = 16 << 10;

/// Headers that are not passed on unless the source's owner names them: who vouches for the
/// request, and how it came here.
const WITHHELD: [&str; 7] =
    ["authorization", "cookie", "forwarded", "via", "accept", "x-real-ip", "priority"];

/// What our own headers begin with; nobody else's may stand for them.
const OURS: &str = "postrider-";

const EVENT_ID: &str = "postrider-event-id";

/// What the names of such headers begin with.
const WITHHELD_PREFIXES: [&str; 3] = ["x-forwarded-", "cf-", "sec-"];

/// What the names of headers hold that carry signatures, tokens and secrets.
const WITHHELD_PARTS: [&str; 5] = ["signature", "hmac", "secret", "token", "api-key"];

/// The headers that a message of this webhook carries, ours first.
pub(super) fn headers(arrival: &Arrival, verified: &Verified) -> Vec<(String, String)> {
    let mut room = MAX_BYTES;
    let mut headers = Vec::new();
    let own = ours(arrival, verified).into_iter();
    let theirs = arrival.raw_headers.iter().filter_map(|(name, value)| {
        let value = std::str::from_utf8(value.as_bytes()).ok()?;
        let is_passed_on = is_passed_on(arrival, name.as_str()) && !arrival.holds_secret(value);
        is_passed_on.then(|| (name.to_string(), value.to_owned()))
    });
    for (name, value) in own.chain(theirs) {
        let Some(left) = room.checked_sub(name.len() + value.len()) else { continue };
        if headers.len() < MAX_HEADERS {
            headers.push((name, value));
            room = left;
        }
    }
    headers
}

fn ours(arrival: &Arrival, verified: &Verified) -> Vec<(String, String)> {
    let source = &arrival.source.source;
    let fields = [
        ("postrider-source", Some(source.id.to_string())),
        ("postrider-provider", Some(arrival.source.provider.id.clone())),
        (EVENT_ID, verified.event_id.clone()),
        ("postrider-event-type", verified.event_type.clone()),
        ("postrider-received-at", Some(arrival.at.as_seconds().to_string())),
        (hops::HEADER, Some(arrival.hops.clone())),
        ("postrider-query", arrival.shown_query().cloned()),
    ];
    let named = |(name, value): (&str, Option<String>)| Some((name.to_owned(), value?));
    fields.into_iter().filter_map(named).collect()
}

/// The provider's id of the event that a message was made of.
pub(super) fn event_id(format: &Format) -> Option<&str> {
    match format {
        Format::Json => None,
        Format::Raw { headers } => {
            headers.iter().find(|(name, _)| name == EVENT_ID).map(|(_, value)| value.as_str())
        },
    }
}

fn is_passed_on(arrival: &Arrival, name: &str) -> bool {
    if name == "content-encoding" || name == "content-type" {
        return true;
    }
    // A secret that makes requests believed is not for those who receive them.
    let is_secret = arrival.source.transmitted.has_header(name);
    if request::is_protected(name) || name.starts_with(OURS) || is_secret {
        return false;
    }
    match &arrival.source.source.forward_headers {
        Some(chosen) => chosen.iter().any(|it| it.eq_ignore_ascii_case(name)),
        None => {
            let is_known_secret = Redaction::known().has_header(name);
            !is_withheld(name) && !is_known_secret && !vouches(arrival, name)
        },
    }
}

/// Whether it is a signature or a secret of the source's provider.
fn vouches(arrival: &Arrival, name: &str) -> bool {
    arrival.source.provider.model.credentials().any(|it| match it {
        Source::Header(it) => it == name,
        Source::Query(_)
        | Source::Form(..)
        | Source::Json(_)
        | Source::Key(_)
        | Source::Field(_) => false,
    })
}

fn is_withheld(name: &str) -> bool {
    WITHHELD.contains(&name)
        || WITHHELD_PREFIXES.iter().any(|it| name.starts_with(it))
        || WITHHELD_PARTS.iter().any(|it| name.contains(it))
        || name.ends_with("-sig")
}
