//! `postrider endpoint test` and `postrider endpoint check`.

use std::{fmt::Write, process::ExitCode};

use anyhow::Context;
use postrider::api::{EndpointTestIn, EndpointTestOut};

use crate::{
    client::Call,
    commands::api::{ApiArgs, fields, json},
    output,
};

/// The body of a request for a test.
pub(super) fn body(event_type: Option<String>, payload: Option<String>) -> anyhow::Result<Vec<u8>> {
    let payload = payload.map(|word| fields::json(&word)).transpose()?;
    let payload = payload.map(|text| serde_json::from_str(text.trim())).transpose()?;
    Ok(serde_json::to_vec(&EndpointTestIn { event_type, payload })?)
}

/// Makes the call, prints the result, and returns the exit code.
pub(super) fn run(api: &ApiArgs, call: Call) -> anyhow::Result<ExitCode> {
    let response = api.raw_response(call)?.context("the server's response is empty")?;
    let result: EndpointTestOut = serde_json::from_str(response.get())
        .context("the server's response is not the result of a test")?;
    if api.json {
        output::line(json::pretty(&response))?;
    } else {
        output::text(&report(&result))?;
    }
    Ok(if result.success { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The result for people: a sentence, and below it what is known.
fn report(result: &EndpointTestOut) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        writeln!(text, "{name:<9} {}", plain(value)).expect("writing to a string cannot fail");
    };
    line(if result.success { "success" } else { "failure" }, &result.detail);
    if let Some(remedy) = &result.remedy {
        line("remedy", remedy);
    }
    line("url", &result.url);
    if let Some(address) = &result.address {
        line("address", address);
    }
    line("duration", &format!("{} ms", result.duration_ms));
    if let Some(id) = &result.msg_id {
        line("message", &id.to_string());
    }
    for (name, value) in result.response_headers.iter().flatten() {
        line("header", &format!("{name}: {value}"));
    }
    if let Some(body) = result.response.as_ref().filter(|it| !it.is_empty()) {
        line("response", body);
    }
    if let Some(note) = &result.response_note {
        line("note", note);
    }
    text
}

/// The text on one line. Control characters in a receiver's response must not reach the terminal.
fn plain(text: &str) -> String {
    text.chars().map(|it| if it.is_control() { ' ' } else { it }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_result_is_a_sentence_and_what_is_known() {
        let result = json!({
            "success": false, "outcome": "status", "remedy": "correct the path",
            "detail": "the receiver responded with status 404", "durationMs": 12,
            "url": "https://example.com/x", "address": "192.0.2.1:443",
            "responseStatusCode": 404, "responseHeaders": [["x-a", "1"]], "response": "no\u{1b}[3m",
        });
        let expected = "failure   the receiver responded with status 404\n\
                        remedy    correct the path\n\
                        url       https://example.com/x\n\
                        address   192.0.2.1:443\n\
                        duration  12 ms\n\
                        header    x-a: 1\n\
                        response  no [3m\n";
        assert_eq!(report(&serde_json::from_value(result).unwrap()), expected);
    }
}
