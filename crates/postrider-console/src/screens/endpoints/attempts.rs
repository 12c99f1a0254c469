//! The recent attempts of an endpoint.

use maud::{Markup, html};
use postrider::api::{
    ListResponse, MessageAttemptOut, MessageStatus, StatusCodeClass, TriggerType,
};

use super::subject::Subject;
use crate::{
    api::ApiPath,
    context::Context,
    page::Tone,
    ui::{self, Icon, badge, state},
};

/// Attempts on a page.
const LIMIT: usize = 25;

/// A choice of attempts.
struct Filter {
    /// The parameter of the page's URL.
    name: &'static str,
    label: &'static str,
    /// The parameter of the API.
    parameter: Option<(&'static str, u16)>,
}

const fn filter(name: &'static str, label: &'static str, parameter: (&'static str, u16)) -> Filter {
    Filter { name, label, parameter: Some(parameter) }
}

/// All of them; only the first three apply to kinds other than `http`.
const FILTERS: [Filter; 6] = [
    Filter { name: "", label: "All", parameter: None },
    filter("delivered", "Delivered", ("status", MessageStatus::Success.number())),
    filter("failed", "Failed", ("status", MessageStatus::Fail.number())),
    filter("4xx", "4xx", ("status_code_class", StatusCodeClass::Code4xx.number())),
    filter("5xx", "5xx", ("status_code_class", StatusCodeClass::Code5xx.number())),
    filter("none", "No response", ("status_code_class", StatusCodeClass::CodeNone.number())),
];

/// The operation that lists what the page shows.
pub(super) fn path(context: &Context, subject: &Subject) -> ApiPath {
    let app = subject.app.as_str();
    let path = crate::api::v1(&["app", app, "attempt", "endpoint", &subject.id])
        .with("limit", LIMIT)
        .with("with_msg", true)
        .and("iterator", context.query.text("iterator"));
    let filter = FILTERS.iter().find(|it| it.name == chosen(context));
    match filter.and_then(|it| it.parameter) {
        Some((name, value)) => path.with(name, value),
        None => path,
    }
}

fn chosen(context: &Context) -> &str {
    context.query.text("status").unwrap_or_default()
}

pub(super) fn section(
    context: &Context,
    subject: &Subject,
    attempts: &ListResponse<MessageAttemptOut>,
) -> Markup {
    html! {
        section.section {
            div.section-head { h2 { "Attempts" } (filters(context, subject)) }
            @if attempts.data.is_empty() {
                (nothing(context, subject))
            } @else {
                (ui::table("Attempts", &["Result", "Event type", "Message", "Response", "#Duration", "When"], &html! {
                    @for attempt in &attempts.data { (row(context, subject, attempt)) }
                }))
                (ui::pages(context, attempts.iterator.as_deref(), attempts.done))
            }
        }
    }
}

fn filters(context: &Context, subject: &Subject) -> Markup {
    let is_http = subject.endpoint.kind.is_http();
    let chosen = chosen(context);
    html! {
        nav.ranges aria-label="Filter attempts" {
            @for Filter { name, label, .. } in FILTERS.iter().take(if is_http { FILTERS.len() } else { 3 }) {
                @let query = context.query.without("iterator").without("status");
                @let query = if name.is_empty() { query } else { query.with("status", name) };
                a href=(context.link(&query.on(&context.path))) aria-current=[(*name == chosen).then_some("true")] { (label) }
            }
        }
    }
}

fn nothing(context: &Context, subject: &Subject) -> Markup {
    if chosen(context).is_empty() {
        return ui::empty(
            "No attempts yet",
            &html! {
                p { "An attempt is made when a message that the endpoint receives is published." }
                @if context.may(crate::viewer::Action::CreateAttempts) {
                    p { a.button.secondary href=(context.link(&subject.path(context, &["test"]))) { "Send a test" } }
                }
            },
        );
    }
    ui::empty("No such attempts", &html! { p { "No stored attempt has this result." } })
}

fn row(context: &Context, subject: &Subject, attempt: &MessageAttemptOut) -> Markup {
    let message = attempt.msg_id.to_string();
    let to_message = context.app_path(&subject.app, &["messages", &message]);
    let id = attempt.id.to_string();
    let to_attempt = context.app_path(&subject.app, &["messages", &message, "attempts", &id]);
    html! {
        tr {
            td { a.plain-link href=(context.link(&to_attempt)) { (result(attempt)) } }
            td.attempt-cell { @if let Some(msg) = &attempt.msg { code { (msg.event_type) } } }
            td.attempt-cell { a href=(context.link(&to_message)) { code { (shortened(&message)) } } }
            td.response-cell { span.truncate { (response(attempt)) } }
            td.number { (ui::millis(attempt.response_duration_ms.unsigned_abs())) }
            td {
                (ui::time(context, attempt.timestamp))
                @if attempt.trigger_type == TriggerType::Manual { small { "on request" } }
            }
        }
    }
}

fn result(attempt: &MessageAttemptOut) -> Markup {
    if attempt.shadow.is_some() {
        return badge(Tone::Neutral, Icon::Half, "Not sent");
    }
    if attempt.response_status_code == 0 && attempt.status == MessageStatus::Success {
        return badge(Tone::Good, Icon::Check, "Delivered");
    }
    state::response_code(attempt.response_status_code)
}

/// The beginning of the response.
fn response(attempt: &MessageAttemptOut) -> String {
    const SHOWN: usize = 160;
    let text = attempt.response.split_whitespace().collect::<Vec<_>>().join(" ");
    let text: String = text.chars().take(SHOWN).collect();
    if text.is_empty() { "–".to_owned() } else { text }
}

/// The kind and the end of an id, which tell it from others of the same time.
fn shortened(id: &str) -> String {
    const KEPT: usize = 6;
    let Some((kind, rest)) = id.split_once('_') else { return id.to_owned() };
    let skipped = rest.chars().count().saturating_sub(KEPT);
    format!("{kind}_…{}", rest.chars().skip(skipped).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_shortened_at_their_beginning() {
        assert_eq!(shortened("msg_01m8ev54p6e00aapyav62e94bv"), "msg_…2e94bv");
        assert_eq!(shortened("x"), "x");
    }
}
