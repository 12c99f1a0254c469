//! What is published for a delivery: the body, headers and texts from templates.

use std::{cell::OnceCell, collections::BTreeMap};

use bytes::Bytes;
use postrider_core::{
    message::Format,
    template::{Escaping, Event, Json, Template, Text},
};
use postrider_engine::Call;

use crate::failed::Failed;

/// Renders the templates of an endpoint for a delivery.
#[derive(Debug)]
pub(crate) struct Content<'a> {
    call: &'a Call,
    /// Made when a template needs it, because it parses the payload.
    event: OnceCell<Event>,
}

impl<'a> Content<'a> {
    pub(crate) const fn new(call: &'a Call) -> Self {
        Self { call, event: OnceCell::new() }
    }

    /// The text of a template that must be one line. `field` is the template's name.
    pub(crate) fn line(&self, field: &str, template: &Template<Text>) -> Result<String, Failed> {
        let text = self.render(field, template)?;
        if text.contains(char::is_control) {
            let reason = format!(
                "`{field}` is a text with line breaks or control characters for this message; \
                 change the template so that it removes them"
            );
            return Err(Failed::rejected(reason));
        }
        Ok(text)
    }

    /// The texts of several templates, by name.
    pub(crate) fn texts(
        &self,
        field: &str,
        templates: &BTreeMap<String, Template<Text>>,
    ) -> Result<Vec<(String, String)>, Failed> {
        let text = |(name, template): (&String, &Template<Text>)| {
            Ok((name.clone(), self.render(&format!("{field}.{name}"), template)?))
        };
        templates.iter().map(text).collect()
    }

    /// Headers that every message has, and those of the endpoint, which replace them.
    pub(crate) fn headers(
        &self,
        templates: &BTreeMap<String, Template<Text>>,
    ) -> Result<BTreeMap<String, String>, Failed> {
        let mut headers = self.standard_headers();
        for (name, template) in templates {
            let text = self.line(&format!("headers.{name}"), template)?;
            headers.retain(|other, _| !other.eq_ignore_ascii_case(name));
            headers.insert(name.clone(), text);
        }
        Ok(headers)
    }

    fn standard_headers(&self) -> BTreeMap<String, String> {
        let message = &self.call.message;
        BTreeMap::from([
            ("webhook-id".to_owned(), message.id.to_string()),
            ("webhook-timestamp".to_owned(), message.created_at().as_seconds().to_string()),
            ("webhook-event-type".to_owned(), message.event_type.to_string()),
        ])
    }

    /// The payload, or what the template renders to.
    pub(crate) fn body(
        &self,
        body: Option<&Template<Json>>,
        text: Option<&Template<Text>>,
    ) -> Result<Bytes, Failed> {
        match (body, text) {
            (Some(body), _) => self.render("body", body).map(Bytes::from),
            (None, Some(text)) => self.render("text", text).map(Bytes::from),
            (None, None) => Ok(self.call.body.clone()),
        }
    }

    /// The media type of a payload that was accepted as it is.
    pub(crate) fn content_type(&self) -> Option<&str> {
        match &self.call.message.format {
            Format::Json => Some("application/json"),
            Format::Raw { headers } => headers
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case("content-type"))
                .map(|(_, value)| value.as_str()),
        }
    }

    fn render<E: Escaping>(&self, field: &str, template: &Template<E>) -> Result<String, Failed> {
        if let Some(constant) = template.constant() {
            return Ok(constant.to_owned());
        }
        let event = self.event.get_or_init(|| Event::new(&self.call.message, &self.call.body));
        template.render(event).map_err(|error| {
            Failed::rejected(format!("`{field}` cannot be rendered for this message: {error}"))
        })
    }
}
