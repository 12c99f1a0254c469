//! Headers of published messages.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Problem;
use crate::{
    message::Message,
    template::{Event, Template, TemplateError, Text},
};

/// Names that every message has in addition to the configured ones.
pub const WEBHOOK_ID: &str = "webhook-id";
pub const WEBHOOK_TIMESTAMP: &str = "webhook-timestamp";
pub const WEBHOOK_EVENT_TYPE: &str = "webhook-event-type";

/// Most headers of a configuration.
const MAX_HEADERS: usize = 50;

/// Headers that are configured, with a template for each value.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct Headers(BTreeMap<String, Template<Text>>);

impl Headers {
    pub(super) fn check(&self, problems: &mut Vec<Problem>) {
        if self.0.len() > MAX_HEADERS {
            problems.push(Problem::of("headers", format!("must have at most {MAX_HEADERS} names")));
        }
        for name in self.0.keys() {
            let is_ours = [WEBHOOK_ID, WEBHOOK_TIMESTAMP, WEBHOOK_EVENT_TYPE]
                .iter()
                .any(|ours| name.eq_ignore_ascii_case(ours));
            let message = match name {
                _ if is_ours => "is set by the server; choose another name",
                _ if name.is_empty() || name.len() > 255 => "must have 1 to 255 bytes as its name",
                _ => continue,
            };
            problems.push(Problem {
                path: vec!["headers".to_owned(), name.clone()],
                message: message.to_owned(),
            });
        }
    }

    /// The headers of a message: id, time and type, and those that are configured.
    pub fn of(
        &self,
        message: &Message,
        event: &Event,
    ) -> Result<Vec<(String, String)>, TemplateError> {
        let seconds = message.created_at().as_seconds();
        let mut headers = vec![
            (WEBHOOK_ID.to_owned(), event.id.clone()),
            (WEBHOOK_TIMESTAMP.to_owned(), seconds.to_string()),
            (WEBHOOK_EVENT_TYPE.to_owned(), event.event_type.clone()),
        ];
        for (name, value) in &self.0 {
            headers.push((name.clone(), value.render(event)?));
        }
        Ok(headers)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::fixtures;

    #[test]
    fn a_message_has_its_own_headers_and_the_configured_ones() {
        let headers: Headers = serde_json::from_str(r#"{"name":"{{ payload.name }}"}"#).unwrap();
        let message = fixtures::message();
        let event = Event::new(&message, &Bytes::from_static(br#"{"name":"Ada"}"#));
        let names = ["webhook-id", "webhook-timestamp", "webhook-event-type", "name"];
        let seconds = (message.created_at().as_seconds()).to_string();
        let values = [event.id.as_str(), &seconds, "user.created", "Ada"];
        let expected: Vec<_> = names.into_iter().zip(values).collect();
        let found = headers.of(&message, &event).unwrap();
        let found: Vec<_> = found.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn names_of_the_server_cannot_be_configured() {
        let headers: Headers = serde_json::from_str(r#"{"Webhook-Id":"x","":"y"}"#).unwrap();
        let mut problems = Vec::new();
        headers.check(&mut problems);
        assert_eq!(problems.len(), 2);
    }
}
