//! `postrider endpoint test-filter`.

use std::{fmt::Write, process::ExitCode};

use anyhow::Context;
use postrider::api::{FilterExampleOut, FilterTestOut};

use crate::{
    client::Call,
    commands::api::{ApiArgs, json},
    output,
};

/// Makes the call and prints the result.
pub(super) fn run(api: &ApiArgs, call: Call) -> anyhow::Result<ExitCode> {
    let response = api.raw_response(call)?.context("the server's response is empty")?;
    if api.json {
        output::line(json::pretty(&response))?;
    } else {
        let result: FilterTestOut = serde_json::from_str(response.get())
            .context("the server's response is not the result of a filter")?;
        output::text(&report(&result))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The counts, and below each of them some messages.
fn report(result: &FilterTestOut) -> String {
    let mut text = String::new();
    let mut section = |count: u64, name: &str, examples: &[FilterExampleOut]| {
        writeln!(text, "{count:>5} {name}").expect("writing to a string cannot fail");
        for it in examples {
            let reason = it.reason.as_ref().map_or_else(String::new, |it| format!("  {it}"));
            writeln!(text, "      {}  {}{reason}", it.id, it.event_type)
                .expect("writing to a string cannot fail");
        }
    };
    let examples = &result.examples;
    section(result.matching, "match", &examples.matching);
    section(result.not_matching, "do not match", &examples.not_matching);
    if result.not_evaluated > 0 {
        section(result.not_evaluated, "cannot be evaluated", &examples.not_evaluated);
    }
    if result.excluded > 0 {
        section(result.excluded, "are excluded by event type or channel", &[]);
    }
    section(result.messages, "messages in total", &[]);
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_result_shows_counts_and_examples() {
        let example = |reason: Option<&str>| {
            json!([{
                "id": "msg_00000000000000000000000000", "eventType": "order.paid",
                "timestamp": "2026-01-02T03:04:05Z", "reason": reason,
            }])
        };
        let result = json!({
            "messages": 100, "matching": 40, "notMatching": 59, "notEvaluated": 1, "excluded": 0,
            "examples": {
                "matching": example(None), "notMatching": [],
                "notEvaluated": example(Some("line 1, column 1: `payload` has no field `a`")),
            },
        });
        let expected = "   40 match\n      msg_00000000000000000000000000  order.paid\n   \
                        59 do not match\n    \
                        1 cannot be evaluated\n      msg_00000000000000000000000000  order.paid  \
                        line 1, column 1: `payload` has no field `a`\n  \
                        100 messages in total\n";
        assert_eq!(report(&serde_json::from_value(result).unwrap()), expected);
    }
}
