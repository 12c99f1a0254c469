//! A message as a form and as the body of a request.

use postrider::api::MessageIn;
use serde_json::value::RawValue;

use crate::{form::Form, ui::refusal::Problem};

/// The body of a request that publishes a message.
pub(crate) fn body(form: &Form) -> Result<MessageIn, Problem> {
    let words = |name| Some(form.words(name)).filter(|it| !it.is_empty());
    Ok(MessageIn {
        event_type: form.text("type").unwrap_or_default().to_owned(),
        payload: payload(form.text("payload").unwrap_or_default())?,
        event_id: form.text("event_id").map(ToOwned::to_owned),
        channels: words("channels"),
        tags: words("tags"),
        application: None,
        transformations_params: None,
        deliver_at: None,
        payload_retention_period: None,
        payload_retention_hours: None,
    })
}

/// The payload as it was entered, so that numbers and the order of fields stay the same.
fn payload(text: &str) -> Result<Box<RawValue>, Problem> {
    serde_json::from_str(text).map_err(|error| ("payload", format!("is not JSON: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(form: &str, expected: &str) {
        let body = body(&Form::parse(form.as_bytes()));
        let json = body.map_or_else(|problem| problem.1, |it| serde_json::to_string(&it).unwrap());
        assert_eq!(json, expected, "{form}");
    }

    #[test]
    fn a_form_becomes_a_body() {
        check(
            "type=a.b&payload=%7B%22z%22%3A1.0%7D%0A&event_id=&channels=&tags=",
            r#"{"eventType":"a.b","payload":{"z":1.0}}"#,
        );
        check(
            "type=a.b&payload=%7B%7D&event_id=e1&channels=eu%2C+us&tags=x",
            r#"{"eventType":"a.b","payload":{},"eventId":"e1","channels":["eu","us"],"tags":["x"]}"#,
        );
    }

    #[test]
    fn the_payload_is_sent_as_it_was_entered() {
        check(
            "type=a.b&payload=%7B+%22n%22%3A+1.50+%7D&tags=x%2C+y",
            r#"{"eventType":"a.b","payload":{ "n": 1.50 },"tags":["x","y"]}"#,
        );
    }

    #[test]
    fn a_payload_that_is_not_json_is_explained() {
        check(
            "type=a.b&payload=%7B",
            "is not JSON: EOF while parsing an object at line 1 column 1",
        );
        check("type=a.b", "is not JSON: EOF while parsing a value at line 1 column 0");
    }
}
