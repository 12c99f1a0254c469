//! What `handler` gets.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::{Form, Variables};
use crate::message::{Format, Message};

/// Fields of the argument that the code cannot change, as in the hosted API.
pub const READ_ONLY: &[&str] = &["eventType", "env", "transformationsParams"];

/// Why there is no argument for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArgumentError {
    #[error("the body is compressed, and transformations read only what is not")]
    Compressed,
    #[error("the body is neither JSON nor text in UTF-8")]
    Binary,
    #[error("the body was deleted")]
    Expunged,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Webhook<'a> {
    method: &'static str,
    url: &'a str,
    payload: &'a RawValue,
    event_type: &'a str,
    channels: &'a [String],
    env: &'a Variables,
    transformations_params: Parameters<'a>,
}

#[derive(Serialize)]
struct Parameters<'a> {
    headers: BTreeMap<&'a str, &'a str>,
}

#[derive(Serialize)]
struct Batch<'a> {
    events: Vec<Event<'a>>,
    env: &'a Variables,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    payload: Box<RawValue>,
    event_type: &'a str,
}

/// The argument of `handler` for the first message, or for all of them if the code takes batches, as
/// JSON. `url` is that of the endpoint.
///
/// # Panics
///
/// If there are no messages.
pub fn argument(
    form: Form,
    messages: &[&Message],
    url: &str,
    env: &Variables,
) -> Result<Vec<u8>, ArgumentError> {
    let json = match form {
        Form::Single => serde_json::to_vec(&webhook(messages[0], &payload(messages[0])?, url, env)),
        Form::Batch => {
            let events = messages.iter().map(|message| {
                let payload = payload(message)?;
                Ok(Event { payload, event_type: message.event_type.as_str() })
            });
            let events = events.collect::<Result<_, ArgumentError>>()?;
            serde_json::to_vec(&Batch { events, env })
        },
    };
    json.map_err(|_| ArgumentError::Binary)
}

fn webhook<'a>(
    message: &'a Message,
    payload: &'a RawValue,
    url: &'a str,
    env: &'a Variables,
) -> Webhook<'a> {
    Webhook {
        method: "POST",
        url,
        payload,
        event_type: message.event_type.as_str(),
        channels: &message.channels,
        env,
        transformations_params: Parameters { headers: headers(&message.format) },
    }
}

/// The body: JSON, or a text if it is not JSON.
pub(crate) fn payload(message: &Message) -> Result<Box<RawValue>, ArgumentError> {
    let body = message.body.as_ref().ok_or(ArgumentError::Expunged)?;
    if is_compressed(&message.format) {
        return Err(ArgumentError::Compressed);
    }
    let text = std::str::from_utf8(body).map_err(|_| ArgumentError::Binary)?;
    // It is checked again, because what was received need not be JSON.
    RawValue::from_string(text.trim().to_owned())
        .or_else(|_| to_raw_value(text))
        .map_err(|_| ArgumentError::Binary)
}

fn is_compressed(format: &Format) -> bool {
    headers(format)
        .iter()
        .any(|(name, value)| name.eq_ignore_ascii_case("content-encoding") && *value != "identity")
}

/// The headers that the publisher gave, or that were received.
fn headers(format: &Format) -> BTreeMap<&str, &str> {
    match format {
        Format::Json => BTreeMap::new(),
        Format::Raw { headers } => {
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
        },
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::{Value, json};

    use super::*;
    use crate::fixtures;

    fn raw(body: &'static [u8], headers: &[(&str, &str)]) -> Message {
        let headers =
            headers.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        let body = Some(Bytes::from_static(body));
        Message { body, format: Format::Raw { headers }, ..fixtures::message() }
    }

    fn made(form: Form, message: &Message) -> Result<Value, ArgumentError> {
        let env = [("KEY".to_owned(), "k".to_owned())].into();
        let json = argument(form, &[message], "https://example.com/hook", &env)?;
        Ok(serde_json::from_slice(&json).unwrap())
    }

    #[test]
    fn a_webhook_has_the_fields_of_the_hosted_api() {
        let message = Message { channels: vec!["c".to_owned()], ..fixtures::message() };
        assert_eq!(
            made(Form::Single, &message).unwrap(),
            json!({
                "method": "POST",
                "url": "https://example.com/hook",
                "payload": { "name": "Ada" },
                "eventType": "user.created",
                "channels": ["c"],
                "env": { "KEY": "k" },
                "transformationsParams": { "headers": {} },
            })
        );
        assert_eq!(
            made(Form::Batch, &message).unwrap(),
            json!({
                "events": [{ "payload": { "name": "Ada" }, "eventType": "user.created" }],
                "env": { "KEY": "k" },
            })
        );
    }

    #[test]
    fn a_body_that_is_not_json_is_a_text() {
        for (body, expected) in [
            (&b"a=1&b=2"[..], json!("a=1&b=2")),
            (b" [1] ", json!([1])),
            (b"{\"a\":1}}, \"env\": {", json!("{\"a\":1}}, \"env\": {")),
            (b"", json!("")),
        ] {
            let argument = made(Form::Single, &raw(body, &[("x-a", "1")])).unwrap();
            assert_eq!(argument["payload"], expected);
            assert_eq!(argument["transformationsParams"]["headers"]["x-a"], "1");
        }
    }

    #[test]
    fn what_is_not_text_is_an_error() {
        let gzip = raw(b"{}", &[("Content-Encoding", "gzip")]);
        assert_eq!(made(Form::Single, &gzip), Err(ArgumentError::Compressed));
        assert_eq!(made(Form::Single, &raw(b"\xff", &[])), Err(ArgumentError::Binary));
        let expunged = Message { body: None, ..fixtures::message() };
        assert_eq!(made(Form::Single, &expunged), Err(ArgumentError::Expunged));
    }
}
