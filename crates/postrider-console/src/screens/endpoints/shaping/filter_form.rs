//! The form of a filter, and what it does with the latest messages.

use maud::{Markup, html};
use postrider::api::{FilterExampleOut, FilterTestOut};

use super::super::subject::Subject;
use crate::{
    api::ApiFailure,
    context::Context,
    form::Form,
    page::Tone,
    ui::{self, Field, Icon, icon},
};

/// How many messages a filter can be tried on.
const LIMITS: [(&str, &str); 3] =
    [("10", "10 messages"), ("100", "100 messages"), ("1000", "1,000 messages")];

/// What came of a trial.
#[derive(Clone, Copy)]
pub(super) enum FilterTrial<'a> {
    None,
    Refused(&'a ApiFailure),
    Tried(&'a FilterTestOut),
}

pub(super) fn section(
    context: &Context,
    subject: &Subject,
    form: &Form,
    trial: FilterTrial<'_>,
) -> Markup {
    let failure = match trial {
        FilterTrial::Refused(failure) => Some(failure),
        FilterTrial::None | FilterTrial::Tried(_) => None,
    };
    html! {
        section.section {
            h2 { "Filter" }
            div.try-out {
                div.stack { (fields(form, failure)) }
                div.stack role="region" aria-label="Result of the filter" {
                    @match trial {
                        FilterTrial::Tried(result) => (tried(context, subject, result)),
                        FilterTrial::None | FilterTrial::Refused(_) => (advice()),
                    }
                }
            }
        }
    }
}

/// The fields with the stored filter.
pub(super) fn filled(subject: &Subject) -> Form {
    Form::filled([("filter", subject.endpoint.filter.clone().unwrap_or_default())])
}

/// The filter with the line breaks of the person's text; browsers send two characters for each.
pub(super) fn text(form: &Form) -> String {
    form.text("filter").unwrap_or_default().replace("\r\n", "\n")
}

/// Whether the form has a filter that differs from the stored one.
pub(super) fn is_unsaved(subject: &Subject, form: &Form) -> bool {
    form.has("filter") && text(form) != text(&filled(subject))
}

fn fields(form: &Form, failure: Option<&ApiFailure>) -> Markup {
    html! {
        (ui::form::problems(failure, &["filter", "limit"]))
        (Field::new("filter", "Expression").code(3).placeholder("payload.amount > 100 && payload.currency == \"EUR\"")
            .sent(form, failure, "filter").hint(html! {
                "The endpoint gets only messages for which it is true. Empty for all messages. In CEL, over "
                code { "type" } ", " code { "channels" } ", " code { "tags" } ", " code { "metadata" } ", "
                code { "headers" } " and " code { "payload" } "."
            }).area())
        (Field::new("limit", "Try it on the latest").value("100").sent(form, failure, "limit").select(&LIMITS))
        div.buttons {
            button.secondary type="submit" name="do" value="try" { (icon(Icon::Inspect)) "Try filter" }
            button type="submit" name="do" value="save" { "Save filter" }
        }
    }
}

fn advice() -> Markup {
    ui::empty(
        "Try it before you save it",
        &html! {
            p { "A trial evaluates the expression for messages that the application has already sent, and changes nothing." }
            p { "A message for which the expression cannot be evaluated is not delivered. If a field may be absent, test for it first: " code { "has(payload.amount) && payload.amount > 100" } "." }
        },
    )
}

fn tried(context: &Context, subject: &Subject, result: &FilterTestOut) -> Markup {
    let FilterTestOut { messages, matching, not_matching, not_evaluated, excluded, examples } =
        result;
    let of = |title: &str, shape, found: &[FilterExampleOut]| {
        list(context, subject, (title, shape), found)
    };
    html! {
        @if *messages == 0 {
            (ui::empty("There are no messages to try it on", &html! { p { "Publish a message to the application first." } }))
        } @else {
            div.numbers {
                div { span.name { "Match" } span.value { (ui::number(*matching)) } span.note { "of " (ui::plural(*messages, "message")) } }
                div { span.name { "Do not match" } span.value { (ui::number(*not_matching)) } span.note { "not delivered" } }
                div { span.name { "Cannot be evaluated" } span.value { (ui::number(*not_evaluated)) } span.note { "not delivered" } }
            }
            @if *excluded > 0 {
                p.hint { (ui::plural(*excluded, "other message")) " would not be sent to the endpoint anyway, because of its event types or channels." }
            }
            @if *matching == 0 && *excluded < *messages {
                (ui::notice(Tone::Warning, &html! { "No message matches. With this filter, the endpoint would have received nothing." }))
            }
            (of("Cannot be evaluated", Icon::Warning, &examples.not_evaluated))
            (of("Match", Icon::Check, &examples.matching))
            (of("Do not match", Icon::Cross, &examples.not_matching))
        }
    }
}

fn list(
    context: &Context,
    subject: &Subject,
    (title, shape): (&str, Icon),
    examples: &[FilterExampleOut],
) -> Markup {
    if examples.is_empty() {
        return Markup::default();
    }
    html! {
        section.filter-examples {
            h3 { (icon(shape)) (title) }
            ul {
                @for it in examples {
                    @let path = context.app_path(&subject.app, &["messages", &it.id.to_string()]);
                    li {
                        a href=(context.link(&path)) { code { (it.event_id.as_ref().map_or_else(|| it.id.to_string(), ToString::to_string)) } }
                        span.soft.small { (it.event_type) ", " (ui::time(context, it.timestamp)) }
                        @if let Some(reason) = &it.reason { p.problem { (ui::sentence(reason)) } }
                    }
                }
            }
        }
    }
}
