//! Why an endpoint gets no messages, and what to do about it.

use maud::{Markup, html};
use postrider::api::{DisabledOut, DisabledReason, StatisticsSeriesOut};
use postrider_core::statistics::Cause;

use super::{
    condition::{Condition, disabled_reason},
    subject::{Subject, pending},
};
use crate::{context::Context, page::Tone, ui, viewer::Action};

/// The banner; empty if all is well.
pub(super) fn banner(context: &Context, subject: &Subject, series: &StatisticsSeriesOut) -> Markup {
    let condition = Condition::of(&subject.state);
    let waiting = pending(&subject.state);
    let time = |at| ui::time(context, at);
    match condition {
        // A paused endpoint has a banner of its own.
        Condition::Enabled | Condition::Paused => Markup::default(),
        Condition::Throttled(until) => ui::banner(
            Tone::Warning,
            "Deliveries wait for the rate limit",
            &html! {
                p { "The endpoint’s rate limit, or a response of the receiver, delays attempts. The " (waiting) " continue " (time(until)) "." }
            },
        ),
        Condition::Failing(since) => ui::banner(
            Tone::Bad,
            "The endpoint is failing",
            &html! {
                p { "A delivery was given up " (time(since)) ", and none has succeeded since. If this goes on for days, the endpoint is disabled." }
                (remedy(context, subject, series))
            },
        ),
        Condition::BreakerOpen { since, next_probe_at } => ui::banner(
            Tone::Bad,
            "Deliveries are paused because the last ones failed",
            &html! {
                p {
                    "The circuit breaker opened " (time(since)) ". "
                    @match next_probe_at {
                        Some(next) if next > context.now => { "The next attempt is " strong { (time(next)) } "; " },
                        Some(_) | None => { "An attempt is being made now; " },
                    }
                    "if it succeeds, the " (waiting) " continue."
                }
                (remedy(context, subject, series))
            },
        ),
        Condition::Disabled(disabled) => off(context, subject, disabled),
    }
}

fn off(context: &Context, subject: &Subject, disabled: &DisabledOut) -> Markup {
    let tone = if disabled.reason == DisabledReason::Requested { Tone::Warning } else { Tone::Bad };
    ui::banner(
        tone,
        "The endpoint is disabled",
        &html! {
            p {
                "Disabled " (disabled_reason(context, disabled))
                @if let Some(at) = disabled.at { ", " (ui::time(context, at)) }
                @if let Some(since) = disabled.failing_since { ". It had been failing since " (ui::time(context, since)) }
                ". Its " (pending(&subject.state)) " wait; messages that are published now are not queued for it."
            }
            @if context.may(Action::ManageEndpoints) {
                p { @match disabled.reason {
                    DisabledReason::Gone => "The receiver responded with 410, which asks for no more messages. Delete the endpoint, or enable it after the receiver accepts messages again.",
                    DisabledReason::Failing => "Test it, correct the receiver, then enable it and recover the messages that failed.",
                    DisabledReason::Requested | DisabledReason::Unknown => "Enable it to continue, then recover the messages that it missed.",
                } }
            }
        },
    )
}

/// What most often went wrong, and what to do.
fn remedy(context: &Context, subject: &Subject, series: &StatisticsSeriesOut) -> Markup {
    let most = series.total.causes.iter().max_by_key(|it| it.1);
    let cause = most.and_then(|(name, _)| Cause::ALL.into_iter().find(|it| it.name() == name));
    html! {
        @if let Some(cause) = cause {
            p { (said(cause)) " What to do: " (cause.remedy()) "." }
        }
        @if context.may(Action::CreateAttempts) {
            p { a href=(context.link(&subject.path(context, &["test"]))) { "Send a test" } " to see the response." }
        }
    }
}

fn said(cause: Cause) -> &'static str {
    match cause {
        Cause::Informational => "The receiver responds with a status from 100 to 199.",
        Cause::Redirect => "The receiver responds with a redirect (3xx).",
        Cause::ClientError => "The receiver refuses the request (4xx).",
        Cause::ServerError => "The receiver responds with an error of its own (5xx).",
        Cause::OtherStatus => "The receiver responds with an unusual status.",
        Cause::Resolve => "The host name does not resolve.",
        Cause::Connect => "The connection cannot be made.",
        Cause::Tls => "The TLS handshake fails.",
        Cause::Timeout => "There is no complete response within the time limit.",
        Cause::Forbidden => "The address is not allowed.",
        Cause::Protocol => "The connection breaks, or the service does not speak the protocol.",
        Cause::Rejected => "The service does not accept the messages.",
        Cause::Misconfigured => "The endpoint or the service is configured incorrectly.",
        Cause::Unavailable => "The service is not available.",
        Cause::Busy => "The service asks for fewer messages.",
        Cause::Transformation => "The transformation fails, so nothing is sent.",
        Cause::Damaged => "Stored messages are damaged, so they are not sent.",
    }
}
