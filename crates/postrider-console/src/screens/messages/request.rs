//! The request and the response of an attempt.

use maud::{Markup, html};
use postrider::api::{MessageAttemptHeadersOut, MessageAttemptOut, attempt::EXPUNGED};

use super::{
    curl::{self, variable},
    signature::{self, Signed},
};
use crate::ui::{self, code, state};

/// What is shown of the request and the response.
#[derive(Clone, Debug)]
pub(super) struct Exchange<'a> {
    pub(super) attempt: &'a MessageAttemptOut,
    pub(super) headers: &'a MessageAttemptHeadersOut,
    pub(super) payload: Option<&'a str>,
    /// The link that downloads the payload.
    pub(super) download: String,
    /// The link to the endpoint.
    pub(super) endpoint: Markup,
}

pub(super) fn request(it: &Exchange<'_>) -> Markup {
    html! {
        section.section aria-labelledby="request-title" {
            h2 #request-title { "Request" }
            p.request-line { strong { "POST" } " " code { (it.attempt.url) } }
            @if it.headers.endpoint_changed {
                p.hint { "The endpoint was changed after this attempt. The headers are computed from its present settings, so the request may have had others." }
            }
            (sent_headers(it.headers))
            @match it.payload {
                Some(text) => (code::json("Body", text, Some(&it.download))),
                None => p.soft { "The body is not shown: the payload has expired or was deleted." },
            }
        }
    }
}

fn sent_headers(headers: &MessageAttemptHeadersOut) -> Markup {
    if headers.sent_headers.is_empty() && headers.sensitive.is_empty() {
        return html! { p.soft { "The headers are not known: the endpoint was deleted, or is not called over HTTP." } };
    }
    let shown = headers.sent_headers.iter().map(|(name, value)| (name.as_str(), html! { (value) }));
    let hidden = headers
        .sensitive
        .iter()
        .map(|it| (it.as_str(), html! { span.soft { "secret, not shown" } }));
    header_list("Headers of the request", shown.chain(hidden))
}

fn header_list<'a>(label: &str, headers: impl Iterator<Item = (&'a str, Markup)>) -> Markup {
    html! {
        dl.headers aria-label=(label) {
            @for (name, value) in headers { div { dt { (name) } dd { (value) } } }
        }
    }
}

pub(super) fn response(it: &Exchange<'_>) -> Markup {
    let attempt = it.attempt;
    html! {
        section.section aria-labelledby="response-title" {
            h2 #response-title { "Response" }
            p.request-line { (state::response_code(attempt.response_status_code)) span.soft { "after " (ui::millis(attempt.response_duration_ms.unsigned_abs())) } }
            @if let Some(headers) = attempt.response_headers.as_deref().filter(|it| !it.is_empty()) {
                (header_list("Headers of the response", headers.iter().map(|it| (it.0.as_str(), html! { (it.1) }))))
            }
            (body(attempt))
            @if let Some(note) = &attempt.response_note { p.hint { (note) } }
        }
    }
}

fn body(attempt: &MessageAttemptOut) -> Markup {
    match (attempt.response_status_code, attempt.response.as_str()) {
        (_, EXPUNGED) => html! { p.soft { "The response was deleted." } },
        (0, "") => html! { p.soft { "There was no response." } },
        (0, text) => html! { p { (text) } },
        (_, "") => html! { p.soft { "The body was empty." } },
        (_, text) => code::json("Body", text, None),
    }
}

/// How the signature is made, and the request as a command.
pub(super) fn tools(it: &Exchange<'_>) -> Markup {
    let signed = Signed::find(&it.headers.sent_headers);
    let request = curl::Request {
        url: &it.attempt.url,
        headers: &it.headers.sent_headers,
        sensitive: &it.headers.sensitive,
        body: it.payload,
    };
    let hidden: Vec<_> = it.headers.sensitive.iter().map(|it| variable(it)).collect();
    html! {
        details.tool {
            summary { "The signature, and how to verify it" }
            (signature::explanation(signed.as_ref(), &it.endpoint))
        }
        @if it.payload.is_some() && !it.headers.sent_headers.is_empty() {
            details.tool {
                summary { "Repeat the request with curl" }
                div.stack {
                    (code::block("curl", &curl::command(&request)))
                    p.hint {
                        @if hidden.is_empty() { "The command has the signature of this attempt, which receivers accept for five minutes." }
                        @else { "Secret headers are not included: set " (hidden.join(", ")) ". The signature is that of this attempt, which receivers accept for five minutes." }
                    }
                }
            }
        }
    }
}
