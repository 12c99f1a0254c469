//! Requests as lines of text, and parts of such lines.

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use postrider::listen::RelayedRequest;
use serde_json::value::RawValue;

/// Headers in which some providers send the event type.
const EVENT_TYPE_HEADERS: [&str; 7] = [
    "x-github-event",
    "x-gitlab-event",
    "x-gitea-event",
    "x-shopify-topic",
    "x-event-key",
    "x-wc-webhook-topic",
    "linear-event",
];

/// Members of a JSON body in which most others send it.
const EVENT_TYPE_MEMBERS: [&str; 6] =
    ["type", "event_type", "eventType", "event", "event_name", "topic"];

/// Most characters that are printed of a text from outside.
const MAX_PLAIN: usize = 100;

/// The time of day, in UTC.
pub(in super::super) fn time(now: Duration) -> String {
    let second = now.as_secs() % (24 * 60 * 60);
    format!("{:02}:{:02}:{:02}", second / 3_600, second / 60 % 60, second % 60)
}

/// One line: time, request line, event type, size, status, duration and problem.
pub(super) fn line(
    now: Duration,
    request: &RelayedRequest,
    (status, duration): (u16, Duration),
    problem: Option<&str>,
) -> String {
    let event_type = event_type(request).unwrap_or_else(|| "-".to_owned());
    let problem = problem.map_or_else(String::new, |it| format!("  {}", plain(it)));
    format!(
        "{}  {} /{}  {}  {}  → {status}  {} ms{problem}",
        time(now),
        plain(&request.method),
        plain(&request.target),
        plain(&event_type),
        size(&request.body),
        duration.as_millis(),
    )
}

/// Size of a body that is encoded in base 64.
pub(in super::super) fn size(body: &str) -> String {
    let bytes = body.len() / 4 * 3 - body.bytes().rev().take_while(|it| *it == b'=').count();
    if bytes < 1_024 { format!("{bytes} B") } else { format!("{} KiB", bytes.div_ceil(1_024)) }
}

/// The event type, as far as it can be found without knowing the provider.
pub(super) fn event_type(request: &RelayedRequest) -> Option<String> {
    if request.event_type.is_some() {
        return request.event_type.clone();
    }
    if let Some(found) = EVENT_TYPE_HEADERS.iter().find_map(|name| request.headers.get(*name)) {
        return Some(found.clone());
    }
    let body = BASE64_STANDARD.decode(&request.body).ok()?;
    let body: BTreeMap<String, &RawValue> = serde_json::from_slice(&body).ok()?;
    EVENT_TYPE_MEMBERS.iter().find_map(|name| serde_json::from_str(body.get(*name)?.get()).ok())
}

/// A text from outside without the control characters that a terminal would interpret.
pub(in super::super) fn plain(text: &str) -> String {
    text.chars().filter(|it| !it.is_control()).take(MAX_PLAIN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> RelayedRequest {
        RelayedRequest {
            id: "req_1".to_owned(),
            method: "POST".to_owned(),
            body: BASE64_STANDARD.encode(r#"{"type": "invoice.paid"}"#),
            headers: BTreeMap::new(),
            target: "a?b".to_owned(),
            event_type: None,
        }
    }

    #[test]
    fn a_request_is_one_line() {
        let duration = Duration::from_millis(34);
        assert_eq!(
            line(Duration::from_secs(86_400 + 3_723), &request(), (200, duration), None),
            "01:02:03  POST /a?b  invoice.paid  24 B  → 200  34 ms"
        );
    }

    #[test]
    fn a_number_out_of_range_does_not_hide_the_event_type() {
        let body = BASE64_STANDARD.encode(r#"{"n": 1e999, "type": 7, "event": "invoice.paid"}"#);
        assert_eq!(
            event_type(&RelayedRequest { body, ..request() }).as_deref(),
            Some("invoice.paid")
        );
    }

    #[test]
    fn control_characters_are_not_printed() {
        let target = "\u{1b}[2J\r\nx".to_owned();
        let shown = line(
            Duration::ZERO,
            &RelayedRequest { target, ..request() },
            (200, Duration::ZERO),
            None,
        );
        assert!(shown.contains("POST /[2Jx  "), "{shown}");
    }
}
