//! A message as queues and topics take it: a text, attributes, and what orders and deduplicates it.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Deserialize;

use super::Refusal;
use crate::{
    kind::Problem,
    message::Message,
    template::{Event, Template, Text},
};

/// The attributes that every message has.
const OWN: [&str; 3] = ["webhook-id", "webhook-timestamp", "webhook-event-type"];

/// Amazon allows ten attributes.
const MAX_ATTRIBUTES: usize = 10 - OWN.len();

/// Most characters of a group.
const MAX_GROUP: usize = 128;

/// Attributes that are configured, with a template for each value.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct Attributes(BTreeMap<String, Template<Text>>);

impl Attributes {
    pub(in crate::kind) fn check(&self, problems: &mut Vec<Problem>) {
        if self.0.len() > MAX_ATTRIBUTES {
            let message = format!("must be at most {MAX_ATTRIBUTES}, because three are added");
            problems.push(Problem::of("attributes", message));
        }
        for name in self.0.keys().filter(|name| !is_name(name)) {
            problems.push(Problem {
                path: vec!["attributes".to_owned(), name.clone()],
                message:
                    "must have a name of letters, digits, `_`, `-` and `.` that is not one of \
                          the server's or Amazon's"
                        .to_owned(),
            });
        }
    }
}

fn is_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let is_reserved = lower.starts_with("aws.") || lower.starts_with("amazon.");
    let has_good_dots = !name.starts_with('.') && !name.ends_with('.') && !name.contains("..");
    (1..=256).contains(&name.len())
        && name.chars().all(is_allowed)
        && has_good_dots
        && !is_reserved
        && !OWN.contains(&lower.as_str())
}

/// How large messages may be.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Bytes of text and attributes.
    pub max: usize,
    /// Who sets the limit.
    pub service: &'static str,
}

/// A message as queues and topics take it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    pub body: String,
    pub attributes: Vec<(String, String)>,
    /// Messages of a group stay in order.
    pub group: Option<String>,
    /// Identifies repetitions.
    pub deduplication_id: Option<String>,
}

/// The configuration that a publication follows from.
#[derive(Clone, Copy, Debug)]
pub(in crate::kind) struct Publishing<'a> {
    pub attributes: &'a Attributes,
    pub group: Option<&'a Template<Text>>,
    /// The service orders and deduplicates messages.
    pub is_fifo: bool,
    pub size: Size,
}

impl Publishing<'_> {
    /// The message, or why it can never be accepted.
    pub(in crate::kind) fn publication(
        &self,
        message: &Message,
        event: &Event,
        body: &Bytes,
    ) -> Result<Publication, Refusal> {
        let publication = Publication {
            body: text(body, self.size.service)?,
            attributes: self.attributes_of(message, event)?,
            group: self.group_of(event)?,
            deduplication_id: self.is_fifo.then(|| event.id.clone()),
        };
        let (size, Size { max, service }) = (publication.size(), self.size);
        if size > max {
            return Err(Refusal::rejected(format!(
                "the message has {size} bytes with its attributes, and {service} accepts at most \
                 {max}; publish a smaller one"
            )));
        }
        Ok(publication)
    }

    /// Empty values are left out, because they are not allowed.
    fn attributes_of(
        &self,
        message: &Message,
        event: &Event,
    ) -> Result<Vec<(String, String)>, Refusal> {
        let seconds = message.created_at().as_millis() / 1_000;
        let values = [event.id.clone(), seconds.to_string(), event.event_type.clone()];
        let mut attributes: Vec<_> = OWN.iter().map(ToString::to_string).zip(values).collect();
        for (name, template) in &self.attributes.0 {
            let value = template.render_field("attributes", event)?;
            if !value.is_empty() {
                attributes.push((name.clone(), value));
            }
        }
        Ok(attributes)
    }

    /// Without a template, all messages of an application stay in order.
    fn group_of(&self, event: &Event) -> Result<Option<String>, Refusal> {
        let Some(template) = self.group else {
            return Ok(self.is_fifo.then(|| event.application.clone()));
        };
        let group = template.render_field("messageGroupId", event)?;
        let is_valid =
            (1..=MAX_GROUP).contains(&group.len()) && group.chars().all(|c| c.is_ascii_graphic());
        if is_valid {
            return Ok(Some(group));
        }
        Err(Refusal::rejected(format!(
            "`messageGroupId` is not 1 to {MAX_GROUP} visible ASCII characters for this message; \
             correct the template"
        )))
    }
}

impl Publication {
    /// What counts towards the limits.
    pub fn size(&self) -> usize {
        let attribute =
            |(name, value): &(String, String)| name.len() + "String".len() + value.len();
        self.body.len() + self.attributes.iter().map(attribute).sum::<usize>()
    }
}

/// The body, if it is a text that the service accepts.
fn text(body: &Bytes, service: &str) -> Result<String, Refusal> {
    let is_allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    let text = std::str::from_utf8(body).ok().filter(|text| text.chars().all(is_allowed));
    let text = text.ok_or_else(|| {
        Refusal::rejected(format!(
            "the message is not a text, and {service} accepts nothing else; publish it as JSON"
        ))
    })?;
    if text.is_empty() {
        return Err(Refusal::rejected(format!(
            "the message is empty, which {service} does not accept"
        )));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fixtures, outcome::Failure};

    fn publish(fields: &str, is_fifo: bool, body: &'static [u8]) -> Result<Publication, Refusal> {
        let attributes: Attributes = serde_json::from_str(fields).unwrap();
        let group = Template::new("{{ payload.group }}").unwrap();
        let size = Size { max: 200, service: "SQS" };
        let group = is_fifo.then_some(&group);
        let publishing = Publishing { attributes: &attributes, group, is_fifo, size };
        let (message, body) = (fixtures::message(), Bytes::from_static(body));
        publishing.publication(&message, &Event::new(&message, &body), &body)
    }

    #[test]
    fn a_message_has_its_own_attributes_and_the_configured_ones() {
        let body = br#"{"name":"Ada","none":"","group":"a"}"#;
        let fields = r#"{"name":"{{ payload.name }}","none":"{{ payload.none }}"}"#;
        let publication = publish(fields, true, body).unwrap();
        let names: Vec<_> = publication.attributes.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["webhook-id", "webhook-timestamp", "webhook-event-type", "name"]);
        assert_eq!(publication.group.as_deref(), Some("a"));
        assert_eq!(publication.deduplication_id, Some(fixtures::message().id.to_string()));
        assert_eq!(publication.body.as_bytes(), body);
    }

    #[test]
    fn what_can_never_be_accepted_is_rejected() {
        for (is_fifo, body, reason) in [
            (false, &b"\xff"[..], "not a text"),
            (false, b"\"\x01\"", "not a text"),
            (false, b"", "empty"),
            (false, &[b'x'; 200], "at most 200"),
            (true, br#"{"group":""}"#, "messageGroupId"),
            (true, br#"{"group":"a b"}"#, "messageGroupId"),
        ] {
            let error = publish("{}", is_fifo, body).unwrap_err();
            assert_eq!(error.failure, Failure::Rejected);
            assert!(error.reason.contains(reason), "{error:?}");
        }
    }

    #[test]
    fn names_that_are_not_allowed_are_problems() {
        let names = ["Webhook-Id", "AWS.x", "amazon.x", "a b", "", ".a", "a..b", "good.one"];
        let fields: BTreeMap<_, _> = names.iter().map(|name| (*name, "x")).collect();
        let attributes = serde_json::from_value(serde_json::to_value(fields).unwrap()).unwrap();
        let mut problems = Vec::new();
        Attributes::check(&attributes, &mut problems);
        assert_eq!(problems.len(), 8, "{problems:?}");
    }
}
