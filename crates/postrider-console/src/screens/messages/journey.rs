//! What became of a message: accepted, then sent to endpoints, with the attempts of each.

use std::collections::BTreeSet;

use maud::{Markup, html};
use postrider::{
    EndpointId,
    api::{
        EndpointOut, MessageAttemptOut, MessageEndpointOut, MessageOut, MessageStatus, TriggerType,
    },
};

use super::why::not_sent;
use crate::{
    context::Context,
    page::Tone,
    ui::{self, Icon, icon, state},
    viewer::Action,
};

/// A message with everything that is shown of its way.
#[derive(Clone, Debug)]
pub(super) struct Journey {
    pub(super) app: String,
    pub(super) message: MessageOut,
    pub(super) deliveries: Vec<MessageEndpointOut>,
    /// Newest first.
    pub(super) attempts: Vec<MessageAttemptOut>,
    /// Whether these are all attempts.
    pub(super) has_all_attempts: bool,
    /// All endpoints of the application.
    pub(super) endpoints: Vec<EndpointOut>,
}

/// The class of a step and its icon.
const fn mark(status: MessageStatus) -> (Tone, Icon) {
    match status {
        MessageStatus::Success => (Tone::Good, Icon::Check),
        MessageStatus::Fail => (Tone::Bad, Icon::Cross),
        MessageStatus::Sending => (Tone::Warning, Icon::Repeat),
        MessageStatus::Pending => (Tone::Neutral, Icon::Clock),
        MessageStatus::Canceled => (Tone::Neutral, Icon::Pause),
    }
}

pub(super) fn journey(context: &Context, it: &Journey) -> Markup {
    html! {
        section.section aria-labelledby="journey-title" {
            h2 #journey-title { "Deliveries" }
            ol.journey {
                (accepted(context, it))
                @for delivery in &it.deliveries { (step(context, it, delivery)) }
                (others(context, it))
            }
            @if !it.has_all_attempts {
                p.hint { "Only the latest " (it.attempts.len()) " attempts are shown." }
            }
        }
    }
}

fn accepted(context: &Context, it: &Journey) -> Markup {
    let count = it.deliveries.len() as u64;
    html! {
        li.step {
            span.mark.good { (icon(Icon::Check)) }
            div.step-body {
                div.step-head {
                    h3 { "Accepted" }
                    span.soft { (ui::time(context, it.message.timestamp)) }
                }
                p.soft {
                    @match count {
                        0 => { "No endpoint receives it." },
                        _ => { "To be delivered to " (ui::plural(count, "endpoint")) "." },
                    }
                    @if let Some(at) = it.message.deliver_at {
                        " The first attempts " (if at > context.now { "are" } else { "were" }) " due " (ui::time(context, at)) "."
                    }
                }
            }
        }
    }
}

fn step(context: &Context, it: &Journey, delivery: &MessageEndpointOut) -> Markup {
    let (tone, shape) = mark(delivery.status);
    let attempts: Vec<_> =
        it.attempts.iter().filter(|attempt| attempt.endpoint_id == delivery.id).collect();
    html! {
        li.step {
            span class={ "mark " (tone.class()) } { (icon(shape)) }
            div.step-body {
                div.step-head {
                    h3 { (endpoint_link(context, it, delivery.id, &delivery.description, &delivery.url)) }
                    (state::delivery(delivery.status))
                    @if !delivery.disabled && context.may(Action::CreateAttempts) {
                        (resend_button(context, it, delivery.id))
                    }
                }
                @if !delivery.description.is_empty() { p.soft.small { (delivery.url) } }
                p { (outlook(context, delivery, attempts.len() as u64)) }
                @if !attempts.is_empty() { (attempt_list(context, it, &attempts)) }
            }
        }
    }
}

/// The name of an endpoint, with a link unless it was deleted.
fn endpoint_link(
    context: &Context,
    it: &Journey,
    id: EndpointId,
    description: &str,
    url: &str,
) -> Markup {
    let text = match (description, url) {
        ("", "") => id.to_string(),
        ("", url) => url.to_owned(),
        (description, _) => description.to_owned(),
    };
    if it.endpoints.iter().any(|endpoint| endpoint.id == id) {
        return ui::link(
            context,
            &context.app_path(&it.app, &["endpoints", &id.to_string()]),
            &text,
        );
    }
    html! { (text) " " span.soft { "(deleted)" } }
}

fn resend_button(context: &Context, it: &Journey, endpoint: EndpointId) -> Markup {
    let path = context.app_path(&it.app, &["messages", &it.message.id.to_string(), "resend"]);
    let fields = [("endpoint", &*endpoint.to_string())];
    html! { span.step-action { (ui::action_button(context, &path, (Icon::Repeat, "Resend"), &fields)) } }
}

/// What happens next.
fn outlook(context: &Context, delivery: &MessageEndpointOut, attempts: u64) -> Markup {
    let waits = html! { " It waits for its turn: the endpoint is slow, limited or paused." };
    let is_late = delivery.next_attempt.is_some_and(|it| it < context.now);
    html! {
        @match (delivery.status, delivery.next_attempt) {
            (MessageStatus::Success, _) => { "Delivered with " (ui::plural(attempts, "attempt")) "." },
            (MessageStatus::Pending, Some(at)) => {
                "The first attempt " (if is_late { "was" } else { "is" }) " due " (ui::time(context, at)) "."
                @if is_late { (waits) }
            },
            (MessageStatus::Sending, Some(at)) => {
                (ui::plural(attempts, "attempt")) " failed. The next one " (if is_late { "was" } else { "is" }) " due " (ui::time(context, at)) "."
                @if is_late { (waits) }
            },
            (MessageStatus::Pending | MessageStatus::Sending, None) => { "The next attempt is about to begin." },
            (MessageStatus::Fail, _) => {
                (ui::plural(attempts, "attempt")) " failed, and no more are planned. Resend it once the receiver works."
            },
            (MessageStatus::Canceled, _) => { "Canceled on request, or because the endpoint, the application or the payload was deleted." },
        }
    }
}

fn attempt_list(context: &Context, it: &Journey, attempts: &[&MessageAttemptOut]) -> Markup {
    let message = it.message.id.to_string();
    let has_reasons = attempts.iter().any(|it| it.response_status_code == 0);
    let mut heads = vec!["Attempt", "Result", "Began", "#Duration", "Trigger"];
    heads.extend(has_reasons.then_some("Reason"));
    let rows = html! {
        @for (place, attempt) in attempts.iter().enumerate() {
            @let path = context.app_path(&it.app, &["messages", &message, "attempts", &attempt.id.to_string()]);
            tr {
                td { (ui::link(context, &path, &attempt_name(it, attempts.len() - place))) }
                td { (state::response_code(attempt.response_status_code)) }
                td { (ui::time(context, attempt.timestamp)) }
                td.number { (ui::millis(attempt.response_duration_ms.unsigned_abs())) }
                td { (trigger(attempt.trigger_type)) }
                @if has_reasons { td.said { @if attempt.response_status_code == 0 { (attempt.response) } } }
            }
        }
    };
    html! { div.attempts { (ui::table("Attempts", &heads, &rows)) } }
}

/// Attempts are numbered only if the first ones are known.
fn attempt_name(it: &Journey, number: usize) -> String {
    if it.has_all_attempts { format!("Attempt {number}") } else { "Attempt".to_owned() }
}

pub(super) const fn trigger(trigger: TriggerType) -> &'static str {
    match trigger {
        TriggerType::Scheduled => "Schedule",
        TriggerType::Manual => "Resend",
    }
}

/// Endpoints that did not get the message, and why.
fn others(context: &Context, it: &Journey) -> Markup {
    let sent: BTreeSet<_> = it.deliveries.iter().map(|it| it.id).collect();
    let others: Vec<_> = it.endpoints.iter().filter(|it| !sent.contains(&it.id)).collect();
    if others.is_empty() {
        return Markup::default();
    }
    html! {
        li.step {
            span.mark.neutral { (icon(Icon::Dot)) }
            div.step-body {
                h3 { "Not sent to " (ui::plural(others.len() as u64, "endpoint")) }
                ul.not-sent {
                    @for endpoint in others {
                        li {
                            (endpoint_link(context, it, endpoint.id, &endpoint.description, &endpoint.url))
                            span.soft { " " (not_sent(endpoint, &it.message)) }
                        }
                    }
                }
            }
        }
    }
}
