//! One rejected request.

use maud::{Markup, html};
use postrider::api::{IngestLogOut, IngestSourceOut};

use super::{
    super::load::path,
    explain::{Difference, Expected, body},
    tone,
};
use crate::{
    context::Context,
    page::Tone,
    site::join,
    ui::{self, Icon, badge, code, form::Confirm},
    viewer::Action,
};

/// Longest stored body: longer ones were cut.
const STORED: usize = 64 << 10;

pub(super) fn entry(
    context: &Context,
    source: &IngestSourceOut,
    it: &IngestLogOut,
    expected: Option<&Expected>,
) -> Markup {
    let id = it.id.to_string();
    let (tone, shape, word) = tone(it);
    html! {
        details.rejection id=(id) open[expected.is_some() || context.query.text("open") == Some(id.as_str())] {
            summary {
                (badge(tone, shape, word))
                span.rejection-reason { (it.error_text) }
                span.soft { (it.method) " · " (it.status_code) }
                (ui::time(context, it.created_at))
            }
            div.stack {
                (buttons(context, source, it, expected.is_some()))
                @if let Some(expected) = expected { (explanation(expected)) }
                (content(source, it))
            }
        }
    }
}

fn buttons(
    context: &Context,
    source: &IngestSourceOut,
    it: &IngestLogOut,
    is_explained: bool,
) -> Markup {
    let (id, log) = (source.id.to_string(), it.id.to_string());
    let confirm = Confirm {
        id: &format!("accept-{log}"),
        button: "Accept",
        shape: Icon::Check,
        title: "Accept this request?",
        submit: "Accept as a message",
        path: &path(&id, &["rejected", &log, "accept"]),
        is_dangerous: false,
    };
    let explain = context.query.with("explain", &log).on(&path(&id, &["rejected"]));
    html! {
        div.buttons {
            @if context.may(Action::Operate) {
                (ui::action_button(context, &path(&id, &["rejected", &log, "verify"]), (Icon::Repeat, "Verify again"), &[]))
                (ui::confirm(context, &confirm, &html! {
                    p { "It becomes a message without being verified, and is delivered to the endpoints of the source. Do this only if you know where it came from." }
                }))
            }
            @if context.may(Action::ReadSecret) && it.duplicate_of.is_none() && !is_explained {
                a.button.secondary href={ (context.link(&explain)) "#" (log) } { "What would have been valid?" }
            }
            @if let Some(message) = it.duplicate_of {
                a.button.secondary href=(context.link(&join(&["apps", &source.app_id.to_string(), "messages", &message.to_string()]))) { "See the first message" }
            }
        }
    }
}

fn explanation(expected: &Expected) -> Markup {
    match expected {
        Err(reason) => ui::notice(Tone::Warning, &html! { (reason) }),
        Ok(differences) if differences.is_empty() => ui::notice(
            Tone::Good,
            &html! {
                "The headers are those that the provider would have sent with this body and the present secret. The secret may have been set after the request arrived: verify it again."
            },
        ),
        Ok(differences) => html! {
            section.section {
                h3 { "What would have been valid" }
                p.hint { "The provider would have sent these headers with this body, signed with the present secret at the time when the request arrived. If only the signature differs, the sender has another secret, or the body was changed on its way." }
                (ui::table("What would have been valid", &["Header", "Received", "Valid"], &html! {
                    @for Difference { name, received, valid } in differences {
                        tr {
                            th scope="row" { code { (name) } }
                            td { @match received { Some(it) => { code { (it) } }, None => { span.soft { "missing" } } } }
                            td { code { (valid) } }
                        }
                    }
                }))
            }
        },
    }
}

fn content(source: &IngestSourceOut, it: &IngestLogOut) -> Markup {
    let headers = ui::text::headers(&it.headers);
    let head = format!("{} {}\n{headers}", it.method, it.target);
    let body = body(it);
    let text = String::from_utf8_lossy(&body);
    html! {
        div.grid {
            (code::block("Request", &head))
            div.stack {
                @if body.is_empty() { p.soft { "The body is empty." } } @else { (code::json("Body", &text, None)) }
                @if body.len() >= STORED { p.hint { "Only the first 64 KiB of the body are stored." } }
                @if headers.contains("[hidden]") {
                    p.hint { "Credentials are replaced by [hidden] before the request is stored." }
                }
                p.hint { "Received by " (source.name) " at " (ui::time::exact(it.created_at)) "." }
            }
        }
    }
}
