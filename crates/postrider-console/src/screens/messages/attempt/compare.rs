//! Two attempts side by side.

use maud::{Markup, html};
use postrider::api::MessageAttemptOut;

use super::super::diff::{Line, lines};
use crate::{
    context::Context,
    ui::{self, state},
};

/// Longest response that is compared.
const MAX_COMPARED: usize = 64 << 10;

pub(super) fn comparison(
    context: &Context,
    earlier: &MessageAttemptOut,
    later: &MessageAttemptOut,
) -> Markup {
    let address =
        |it: &MessageAttemptOut| it.address.clone().unwrap_or_else(|| "unknown".to_owned());
    html! {
        section.section #comparison aria-labelledby="comparison-title" {
            h2 #comparison-title { "Compared with the previous attempt" }
            div.table-scroll tabindex="0" role="region" aria-label="Comparison" {
                table.data.comparison {
                    thead { tr { td {} th scope="col" { "Previous attempt" } th scope="col" { "This attempt" } } }
                    tbody {
                        (row("Began", false, &ui::time(context, earlier.timestamp), &ui::time(context, later.timestamp)))
                        (row("Result", earlier.response_status_code != later.response_status_code,
                            &state::response_code(earlier.response_status_code), &state::response_code(later.response_status_code)))
                        (row("Duration", false, &duration(earlier), &duration(later)))
                        (row("Address", address(earlier) != address(later), &html! { (address(earlier)) }, &html! { (address(later)) }))
                        (row("URL", earlier.url != later.url, &html! { (earlier.url) }, &html! { (later.url) }))
                    }
                }
            }
            (responses(earlier, later))
        }
    }
}

fn row(name: &str, has_changed: bool, earlier: &Markup, later: &Markup) -> Markup {
    html! {
        tr {
            th scope="row" { (name) @if has_changed { span.soft { " changed" } } }
            td { (earlier) }
            td { (later) }
        }
    }
}

fn duration(attempt: &MessageAttemptOut) -> Markup {
    html! { (ui::millis(attempt.response_duration_ms.unsigned_abs())) }
}

/// The headers and the body as one text.
fn response(attempt: &MessageAttemptOut) -> String {
    let headers = attempt.response_headers.as_deref().unwrap_or_default();
    let headers: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let pretty = serde_json::from_str::<serde_json::Value>(&attempt.response).ok();
    let pretty = pretty.and_then(|it| serde_json::to_string_pretty(&it).ok());
    format!("{}\n\n{}", headers.join("\n"), pretty.as_deref().unwrap_or(&attempt.response))
}

fn responses(earlier: &MessageAttemptOut, later: &MessageAttemptOut) -> Markup {
    let (before, after) = (response(earlier), response(later));
    if before.len().max(after.len()) > MAX_COMPARED {
        return html! { p.soft { "The responses are too long to be compared." } };
    }
    if before == after {
        return html! { p.soft { "Both responses are the same." } };
    }
    let lines = lines(&before, &after);
    html! {
        div.diff {
            (side("Response of the previous attempt", &lines, true))
            (side("Response of this attempt", &lines, false))
        }
    }
}

fn side(label: &str, lines: &[Line<'_>], is_earlier: bool) -> Markup {
    html! {
        figure.code-block {
            figcaption { span { (label) } }
            pre tabindex="0" aria-label=(label) { code {
                @for line in lines {
                    @match (line, is_earlier) {
                        (Line::Same(text), _) => { (text) "\n" },
                        (Line::Removed(text), true) => { del { "- " (text) } "\n" },
                        (Line::Added(text), false) => { ins { "+ " (text) } "\n" },
                        (Line::Removed(_), false) | (Line::Added(_), true) => { "\n" },
                    }
                }
            } }
        }
    }
}
