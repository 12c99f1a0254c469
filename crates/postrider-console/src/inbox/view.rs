//! The page: a list of requests, and one of them in full.

use http::{HeaderMap, HeaderName};
use jiff::Timestamp;
use maud::{Markup, html};

use super::{
    entry::Entry,
    page::InboxPage,
    ring::{CAPACITY, MAX_BODY, Numbered},
};
use crate::{
    page::Tone,
    site,
    theme::{Preferences, Zone},
    ui::{Icon, badge, bytes, code, empty, facts, icon, millis, number, time},
};

/// When the page is rendered, and in which zone it shows times.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub now: Timestamp,
    pub zone: Zone,
}

/// The parts of the page that change.
#[derive(Debug)]
pub(super) struct Parts {
    list: Markup,
    detail: Markup,
}

impl Parts {
    /// The parts with the ids of their elements.
    pub(super) fn named(&self) -> [(&'static str, &Markup); 2] {
        [("requests", &self.list), ("request", &self.detail)]
    }
}

/// The parts of the page that change, now.
pub(super) fn render(page: &InboxPage, headers: &HeaderMap, selected: Option<u64>) -> Parts {
    let zone = Preferences::find(headers, page.common.site.transport()).zone;
    let moment = Moment { now: (page.clock)(), zone };
    parts(page, &page.ring.snapshot(), selected, moment)
}

/// The parts: the request with the selected number in full, or else the newest one.
pub(super) fn parts(
    page: &InboxPage,
    requests: &[Numbered],
    selected: Option<u64>,
    moment: Moment,
) -> Parts {
    let shown = match selected {
        Some(number) => requests.iter().find(|it| it.number == number),
        None => requests.first(),
    };
    let list =
        if requests.is_empty() { nothing(page) } else { list(page, requests, shown, moment) };
    let detail = match (shown, selected) {
        (Some(it), _) => detail(page, it, selected.is_none(), moment),
        (None, Some(_)) => forgotten(page),
        (None, None) => Markup::default(),
    };
    Parts { list, detail }
}

/// The body of the document.
pub(super) fn body(page: &InboxPage, parts: &Parts) -> Markup {
    html! {
        body.inbox data-live {
            a.skip href="#content" { "Skip to content" }
            div.topbar {
                (page.common.brand())
                div.account {
                    @if page.has_console {
                        a.button.plain href=(page.common.link("/messages")) { (icon(Icon::Messages)) "Messages" }
                        a.button.plain href=(page.common.link("/")) { (icon(Icon::Overview)) "Console" }
                    }
                }
            }
            main #content tabindex="-1" {
                header.page-head {
                    h1 { "Inbox" }
                    p.lead {
                        span { "The requests that the endpoint of the application " code { (page.welcome.application) } " has received. New ones appear by themselves." }
                    }
                }
                div #stale hidden { (crate::ui::notice(Tone::Warning, &html! {
                    span #stale-text {} " " a href="" { "Reload" }
                })) }
                div.inbox-columns {
                    @for (id, markup) in parts.named() { div.part id=(id) { (markup) } }
                }
            }
        }
    }
}

fn nothing(page: &InboxPage) -> Markup {
    let url = page.common.site.url(&format!("/api/v1/app/{}/msg", page.welcome.application));
    let event_type = &page.welcome.event_type;
    let command = format!(
        "curl -X POST {url} \\\n  -H \"Authorization: Bearer $POSTRIDER_TOKEN\" \\\n  -H 'Content-Type: application/json' \\\n  -d '{{\"eventType\": \"{event_type}\", \"payload\": {{\"hello\": \"world\"}}}}'"
    );
    empty(
        "No requests yet",
        &html! {
            p { "Send an event, and its delivery appears here. " code { "postrider dev" } " has printed the token, and this command with the token in it." }
            (code::block("Send an event", &command))
        },
    )
}

fn forgotten(page: &InboxPage) -> Markup {
    empty(
        "This request is no longer kept",
        &html! {
            p { "The inbox keeps the last " (CAPACITY) " requests, until the server stops." }
            a.button.secondary href=(page.common.link(&page.welcome.inbox_path)) { "Show the newest" }
        },
    )
}

fn list(page: &InboxPage, all: &[Numbered], shown: Option<&Numbered>, moment: Moment) -> Markup {
    let path = page.common.link(&page.welcome.inbox_path);
    html! {
        section.section aria-labelledby="requests-title" {
            div.section-head {
                h2 #requests-title { "Requests" }
                span.soft.small { (counted(all)) }
            }
            ul.requests data-rows {
                @for it in all {
                    li {
                        a href={ (path) "?request=" (it.number) } aria-current=[shown.is_some_and(|shown| shown.number == it.number).then_some("true")] {
                            span.request-type { (event_type(&it.entry)) }
                            (verdict(&it.entry))
                            span.soft { (time::of(it.entry.received_at, moment.now, moment.zone)) @if let Some(latency) = latency(&it.entry) { " · " (latency) } }
                        }
                    }
                }
            }
        }
    }
}

/// How many requests there were.
fn counted(all: &[Numbered]) -> String {
    let total = all.first().map_or(0, |it| it.number);
    if all.len() < CAPACITY {
        number(total)
    } else {
        format!("last {CAPACITY} of {}", number(total))
    }
}

fn event_type(entry: &Entry) -> &str {
    entry.event_type.as_deref().unwrap_or("Unknown message")
}

fn latency(entry: &Entry) -> Option<String> {
    let latency = entry.latency?;
    Some(millis(u64::try_from(latency.as_millis()).unwrap_or(u64::MAX)))
}

fn verdict(entry: &Entry) -> Markup {
    match entry.verification {
        Ok(()) => badge(Tone::Good, Icon::Check, "Verified"),
        Err(_) => badge(Tone::Bad, Icon::Cross, "Rejected"),
    }
}

fn detail(page: &InboxPage, it: &Numbered, is_newest: bool, moment: Moment) -> Markup {
    let entry = &it.entry;
    html! {
        section.section aria-labelledby="request-title" {
            div.section-head {
                h2 #request-title { (event_type(entry)) }
                span.soft.small { @if is_newest { "Newest request" } @else { "Request " (it.number) } }
            }
            @if let Err(reason) = &entry.verification {
                (crate::ui::notice(Tone::Bad, &html! { "The signature was rejected: " (reason) "." }))
            }
            (facts(&[
                ("Response", crate::ui::state::response_code(i16::try_from(entry.status.as_u16()).unwrap_or(0))),
                ("Signature", verdict(entry)),
                ("Received", time::of(entry.received_at, moment.now, moment.zone)),
                ("Since acceptance", html! { (latency(entry).unwrap_or_else(|| "unknown".to_owned())) }),
            ]))
            @if !entry.message_id.is_empty() { (message(page, entry)) }
            (payload(it))
            (headers(&entry.headers))
        }
    }
}

fn message(page: &InboxPage, entry: &Entry) -> Markup {
    let path = site::join(&["apps", &page.welcome.application, "messages", &entry.message_id]);
    html! {
        div.buttons {
            (crate::ui::id(&entry.message_id))
            @if page.has_console && entry.event_type.is_some() {
                a href=(page.common.link(&path)) { "Show the message" }
            }
        }
    }
}

fn payload(it: &Numbered) -> Markup {
    let body = String::from_utf8_lossy(&it.entry.body);
    html! {
        @if it.body_bytes == 0 {
            p.hint { "The request had no body." }
        } @else {
            (code::json("Body", &body, None))
            @if it.body_bytes > MAX_BODY {
                p.hint { "The body had " (bytes(it.body_bytes as u64)) ". Only its beginning is kept." }
            }
        }
    }
}

fn headers(headers: &HeaderMap) -> Markup {
    html! {
        div.table-scroll tabindex="0" role="region" aria-label="Headers" {
            table.data {
                thead { tr { th scope="col" { "Header" } th scope="col" { "Value" } } }
                tbody {
                    @for (name, value) in headers {
                        tr {
                            th scope="row" { code { (name) } }
                            td {
                                @if is_secret(name) { span.soft { "hidden" } }
                                @else { code { (String::from_utf8_lossy(value.as_bytes())) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Whether a header may contain a secret. Signatures do not.
fn is_secret(name: &HeaderName) -> bool {
    let name = name.as_str();
    let is_signature = name.ends_with("-signature") || name.ends_with("-timestamp");
    let words = ["auth", "cookie", "token", "key", "secret", "password", "credential"];
    !is_signature && name != "idempotency-key" && words.iter().any(|it| name.contains(it))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_headers_are_hidden() {
        let cases = [
            ("authorization", true),
            ("x-api-key", true),
            ("cookie", true),
            ("webhook-signature", false),
            ("webhook-id", false),
            ("idempotency-key", false),
            ("content-type", false),
        ];
        for (name, expected) in cases {
            assert_eq!(is_secret(&HeaderName::from_static(name)), expected, "{name}");
        }
    }
}
