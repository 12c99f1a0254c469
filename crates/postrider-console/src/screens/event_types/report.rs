//! What was found when payloads of an event type were checked against its schema.

use maud::{Markup, html};
use postrider::api::{SchemaMismatch, SchemaReportOut, SchemaValidation};

use super::validation;
use crate::{
    api::{ApiFailure, v1},
    context::Context,
    page::Tone,
    ui::{self, Icon, badge},
};

/// The report on the event type; none in the portal, where it is not shown.
pub(super) async fn read(
    context: &Context,
    name: &str,
) -> Result<Option<SchemaReportOut>, ApiFailure> {
    if context.is_portal() {
        return Ok(None);
    }
    context.api.find(v1(&["event-type", name, "schema-report"])).await
}

/// The section of a page, if there is something to say.
pub(super) fn section(context: &Context, report: &SchemaReportOut) -> Markup {
    if report.validation == SchemaValidation::Off && report.since.is_none() {
        return Markup::default();
    }
    html! {
        section.section #payloads {
            div.section-head {
                h2 { "Checked payloads" }
                @if let Some(since) = report.since { span.soft.small { "since " (ui::time(context, since)) } }
            }
            p.hint { (mode(report)) }
            @if let Some(error) = &report.error {
                (ui::notice(Tone::Warning, &html! {
                    "The newest schema cannot be used: it " (error) ". Every payload is accepted."
                }))
            }
            div.numbers {
                (number("Matched", report.valid, "accepted"))
                (number("Did not match", report.warned, "accepted and reported"))
                (number("Did not match", report.rejected, "refused"))
            }
            @if !report.recent.is_empty() { (recent(context, &report.recent)) }
        }
    }
}

/// The effective mode and the version, in words.
fn mode(report: &SchemaReportOut) -> Markup {
    html! {
        @match &report.version {
            None => "The event type has no schema, so every payload is accepted.",
            Some(version) => {
                "Payloads that do not match version " (version) " of the schema "
                (validation::words(Some(report.validation)).to_lowercase())
                ". Received webhooks are always accepted."
            },
        }
    }
}

fn number(name: &str, value: u64, note: &str) -> Markup {
    html! { div { span.name { (name) } span.value { (ui::number(value)) } span.note { (note) } } }
}

fn recent(context: &Context, recent: &[SchemaMismatch]) -> Markup {
    html! {
        h3 { "Last payloads that did not match" }
        (ui::table("Last payloads that did not match", &["Message", "Result", "Where it does not match"], &html! {
            @for it in recent { tr {
                td { (origin(context, it)) }
                td {
                    @if it.rejected { (badge(Tone::Bad, Icon::Cross, "Refused")) }
                    @else { (badge(Tone::Warning, Icon::Warning, "Accepted")) }
                }
                td { ul.latest { @for problem in &it.problems { li {
                    code { @if problem.pointer.is_empty() { "(whole payload)" } @else { (problem.pointer) } }
                    " " (problem.message)
                } } } }
            } }
        }))
    }
}

/// The message with its application or its source, as far as they are known.
fn origin(context: &Context, it: &SchemaMismatch) -> Markup {
    html! {
        div.stack-tight {
            @match (&it.message_id, &it.event_id) {
                (Some(message), _) => {
                    @let path = context.app_path(&it.application, &["messages", &message.to_string()]);
                    a.truncate href=(context.link(&path)) { code { (message) } }
                },
                (None, Some(event)) => code { (event) },
                (None, None) => span.soft { "without an event id" },
            }
            span.soft.small {
                @match &it.source_id {
                    Some(source) => {
                        "from " (ui::link(context, &format!("/sources/{source}"), "a source"))
                    },
                    None => { "application " (ui::link(context, &context.app_path(&it.application, &[]), &it.application)) },
                }
                ", " (ui::time(context, it.timestamp))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_is_described_with_the_version() {
        let report = |version: Option<&str>, validation| SchemaReportOut {
            validation,
            version: version.map(str::to_owned),
            error: None,
            since: None,
            valid: 0,
            warned: 0,
            rejected: 0,
            recent: Vec::new(),
        };
        for (version, validation, expected) in [
            (None, SchemaValidation::Warn, "has no schema"),
            (
                Some("2"),
                SchemaValidation::Warn,
                "version 2 of the schema are accepted and reported.",
            ),
            (Some("2"), SchemaValidation::Reject, "version 2 of the schema are refused."),
        ] {
            let text = mode(&report(version, validation)).into_string();
            assert!(text.contains(expected), "{text}");
        }
    }
}
