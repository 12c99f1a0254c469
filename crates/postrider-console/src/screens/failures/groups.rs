//! Groups of failed attempts, with the same endpoint and cause.

use maud::{Markup, html};
use postrider::api::FailureGroupOut;

use super::super::messages::{
    attempt::explain::label,
    names::{Names, app_link},
};
use crate::{
    context::Context,
    page::Tone,
    query::Query,
    ui::{self, Icon, icon, sentence, state},
    viewer::Action,
};

/// The groups. The counts are minimums if there are more attempts than were looked at.
pub(super) fn list(
    context: &Context,
    groups: &[FailureGroupOut],
    names: &Names,
    is_minimum: bool,
) -> Markup {
    html! {
        ul.failure-groups data-rows { @for it in groups { (group(context, it, names, is_minimum)) } }
    }
}

fn group(context: &Context, it: &FailureGroupOut, names: &Names, is_minimum: bool) -> Markup {
    let app = it.app_id.to_string();
    let endpoint = context.app_path(&app, &["endpoints", &it.endpoint_id.to_string()]);
    html! {
        li.card.failure-group {
            div.failure-what {
                div.failure-head {
                    (cause_badge(it))
                    a.strong href=(context.link(&endpoint)) { (it.url) }
                    (app_link(context, names, &app))
                }
                p { (sentence(&it.remedy)) }
                div.failure-foot {
                    span {
                        @if it.count == 1 { (ui::time(context, it.last_at)) }
                        @else { "First " (ui::time(context, it.first_at)) ", last " (ui::time(context, it.last_at)) }
                    }
                    (samples(context, it, &app))
                }
            }
            div.failure-count {
                p {
                    @if is_minimum { span.soft { "at least " } }
                    strong { (ui::number(it.count)) }
                    span.soft { " failed " (if it.count == 1 { "attempt" } else { "attempts" }) }
                }
                @if context.may(Action::Operate) {
                    a.button.secondary href=(context.link(&resend_path(context, it))) { (icon(Icon::Repeat)) "Resend…" }
                }
            }
        }
    }
}

fn cause_badge(it: &FailureGroupOut) -> Markup {
    match it.response_status_code {
        Some(code) => state::response_code(i16::try_from(code).unwrap_or_default()),
        None => state::badge(Tone::Bad, Icon::Cross, label(it.cause)),
    }
}

fn samples(context: &Context, it: &FailureGroupOut, app: &str) -> Markup {
    let path = |message: String, attempt: String| {
        context.link(&context.app_path(app, &["messages", &message, "attempts", &attempt]))
    };
    html! {
        details.samples {
            summary { "Latest attempts" }
            ol {
                @for sample in &it.samples {
                    li { a href=(path(sample.msg_id.to_string(), sample.attempt_id.to_string())) { code { (sample.attempt_id) } } }
                }
            }
        }
    }
}

/// The page that resends the deliveries of a group. The messages may be older than the attempts.
fn resend_path(context: &Context, it: &FailureGroupOut) -> String {
    let cause = match it.response_status_code {
        Some(code) => code.to_string(),
        None => it.cause.name().to_owned(),
    };
    let query = Query::default()
        .with("app", it.app_uid.as_ref().map_or_else(|| it.app_id.to_string(), ToString::to_string))
        .with("endpoint", it.endpoint_id)
        .with("cause", cause);
    let kept = ["range", "from", "until", "type"];
    kept.iter()
        .fold(query, |query, name| query.and(name, context.query.text(name)))
        .on("/failures/resend")
}
