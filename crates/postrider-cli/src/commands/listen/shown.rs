//! Requests as one line each.

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::value::RawValue;

use super::wire::Event;

/// Headers that carry the event type, of providers that send it so.
const HEADERS: [&str; 7] = [
    "x-github-event",
    "x-gitlab-event",
    "x-gitea-event",
    "x-shopify-topic",
    "x-event-key",
    "x-wc-webhook-topic",
    "linear-event",
];

/// Members of a JSON body that carry it, of most others.
const MEMBERS: [&str; 6] = ["type", "event_type", "eventType", "event", "event_name", "topic"];

/// Characters of a text from outside that are shown.
const SHOWN: usize = 100;

/// The time of day, in UTC.
pub(in super::super) fn time(now: Duration) -> String {
    let second = now.as_secs() % (24 * 60 * 60);
    format!("{:02}:{:02}:{:02}", second / 3_600, second / 60 % 60, second % 60)
}

/// When, what, how large, what became of it, and how long that took.
pub(super) fn line(
    now: Duration,
    event: &Event,
    (status, took): (u16, Duration),
    fault: Option<&str>,
) -> String {
    let event_type = event_type(event).unwrap_or_else(|| "-".to_owned());
    let fault = fault.map_or_else(String::new, |it| format!("  {}", plain(it)));
    format!(
        "{}  {} /{}  {}  {}  → {status}  {} ms{fault}",
        time(now),
        plain(&event.method),
        plain(&event.target),
        plain(&event_type),
        size(&event.body),
        took.as_millis(),
    )
}

/// How many bytes that is which stands there in base 64.
pub(in super::super) fn size(body: &str) -> String {
    let bytes = body.len() / 4 * 3 - body.bytes().rev().take_while(|it| *it == b'=').count();
    if bytes < 1_024 { format!("{bytes} B") } else { format!("{} KiB", bytes.div_ceil(1_024)) }
}

/// What kind of event that is, as far as that can be seen without knowing who sent it.
pub(super) fn event_type(event: &Event) -> Option<String> {
    if event.event_type.is_some() {
        return event.event_type.clone();
    }
    if let Some(found) = HEADERS.iter().find_map(|name| event.headers.get(*name)) {
        return Some(found.clone());
    }
    let body = BASE64_STANDARD.decode(&event.body).ok()?;
    let body: BTreeMap<String, &RawValue> = serde_json::from_slice(&body).ok()?;
    MEMBERS.iter().find_map(|name| serde_json::from_str(body.get(*name)?.get()).ok())
}

/// A text from outside, which may hold what a terminal would obey.
pub(in super::super) fn plain(text: &str) -> String {
    text.chars().filter(|it| !it.is_control()).take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Event {
        Event {
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
        let took = Duration::from_millis(34);
        assert_eq!(
            line(Duration::from_secs(86_400 + 3_723), &event(), (200, took), None),
            "01:02:03  POST /a?b  invoice.paid  24 B  → 200  34 ms"
        );
    }

    #[test]
    fn numbers_that_no_type_holds_hide_no_event_type() {
        let body = BASE64_STANDARD.encode(r#"{"n": 1e999, "type": 7, "event": "invoice.paid"}"#);
        assert_eq!(event_type(&Event { body, ..event() }).as_deref(), Some("invoice.paid"));
    }

    #[test]
    fn what_a_terminal_would_obey_is_not_shown() {
        let target = "\u{1b}[2J\r\nx".to_owned();
        let shown = line(Duration::ZERO, &Event { target, ..event() }, (200, Duration::ZERO), None);
        assert!(shown.contains("POST /[2Jx  "), "{shown}");
    }
}
