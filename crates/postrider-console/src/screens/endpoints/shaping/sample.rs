//! What a transformation is tried on: a past message, or a payload that was entered.

use jiff::Timestamp;
use maud::{Markup, html};
use postrider::api::{ListResponse, MessageOut, MessageRawPayloadOut};
use serde_json::{Map, Value};

use super::super::subject::Subject;
use crate::{
    api::{ApiFailure, v1},
    context::Context,
    form::Form,
    ui::{
        code,
        refusal::{Problem, Refusal},
    },
};

/// Messages to choose from.
const MAX_MESSAGES: usize = 20;

/// The event type of a payload that was entered without one.
const EVENT_TYPE: &str = "example.event";

/// What a transformation is tried on.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) event_type: String,
    pub(super) channels: Option<Vec<String>>,
    pub(super) payload: Map<String, Value>,
    /// The payload as it is shown.
    pub(super) text: String,
}

/// The latest messages of the application, without payloads.
pub(super) async fn latest(
    context: &Context,
    subject: &Subject,
) -> Result<Vec<MessageOut>, ApiFailure> {
    let path = v1(&["app", &subject.app, "msg"]).with("limit", MAX_MESSAGES);
    let found: ListResponse<MessageOut> = context.api.get(path.with("with_content", false)).await?;
    Ok(found.data)
}

/// What a form chooses, or why it is not suitable.
pub(super) async fn chosen(
    context: &Context,
    subject: &Subject,
    form: &Form,
) -> Result<Result<Sample, Problem>, ApiFailure> {
    let Some(id) = form.text("message") else { return Ok(entered(form)) };
    let of_message = |rest: &[&str]| v1(&[&["app", &subject.app, "msg", id], rest].concat());
    let (message, raw) = tokio::try_join!(
        context.api.find::<MessageOut>(of_message(&[]).with("with_content", false)),
        context.api.find::<MessageRawPayloadOut>(of_message(&["raw"])),
    )?;
    Ok(match message.zip(raw) {
        Some((message, raw)) => of_message_with(message, raw.payload),
        None => Err(("message", "Its payload has expired; choose another one.".to_owned())),
    })
}

fn of_message_with(message: MessageOut, text: String) -> Result<Sample, Problem> {
    let payload = serde_json::from_str(&text).map_err(|_| {
        ("message", "Its payload is not a JSON object; choose another one.".to_owned())
    })?;
    let event_type = message.event_type.to_string();
    Ok(Sample { event_type, channels: message.channels, payload, text })
}

fn entered(form: &Form) -> Result<Sample, Problem> {
    let text = form.text("payload").unwrap_or("{}").to_owned();
    let payload = serde_json::from_str(&text)
        .map_err(|error| ("payload", format!("This is not a JSON object: {error}.")))?;
    let event_type = form.text("eventType").unwrap_or(EVENT_TYPE).to_owned();
    Ok(Sample { event_type, channels: None, payload, text })
}

impl Sample {
    pub(super) fn markup(&self) -> Markup {
        html! {
            section.stack aria-label="Input" {
                h3 { "Input" }
                p.request-line { code { (self.event_type) } }
                (code::json("Published payload", &self.text, None))
            }
        }
    }
}

/// The fields that choose a sample.
pub(super) fn fields(messages: &[MessageOut], form: &Form, refusal: &Refusal) -> Markup {
    let named: Vec<_> = messages.iter().map(|it| (it.id.to_string(), name(it))).collect();
    let mut options: Vec<_> = named.iter().map(|(id, name)| (id.as_str(), name.as_str())).collect();
    options.push(("", "A payload of your own"));
    let message = refusal.field(form, "message", "Message", "message");
    // At first, the latest message is chosen.
    let latest = options.first().map_or("", |it| it.0);
    let message = if form.raw("message").is_none() { message.value(latest) } else { message };
    html! {
        fieldset.sample {
            legend { "Try it on" }
            (message.select(&options))
            div.own-sample {
                (refusal.field(form, "eventType", "Event type", "eventType").placeholder(EVENT_TYPE).code(1).line())
                (refusal.field(form, "payload", "Payload", "payload").placeholder("{\"id\": 1}").code(5).area())
            }
        }
    }
}

fn name(message: &MessageOut) -> String {
    format!("{}, {}", message.event_type, at(message.timestamp))
}

fn at(timestamp: Timestamp) -> String {
    timestamp.strftime("%b %-d, %H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_that_are_entered_are_objects() {
        let form = |text: &str| Form::filled([("payload", text.to_owned())]);
        assert!(entered(&form(" ")).unwrap().payload.is_empty());
        assert_eq!(entered(&form("{\"a\": 1}")).unwrap().event_type, EVENT_TYPE);
        for text in ["[]", "1", "{a}"] {
            let (field, problem) = entered(&form(text)).unwrap_err();
            assert_eq!(field, "payload");
            assert!(problem.starts_with("This is not a JSON object: "), "{problem}");
        }
    }
}
