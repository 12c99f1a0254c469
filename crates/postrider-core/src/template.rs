//! Templates of texts: compiled when an endpoint is read, rendered for each message.
//!
//! A template comes from a customer, so its work and its output have limits. It sees the message
//! as [`Event`] describes it, and nothing else.

mod error;
mod filters;
mod output;
mod shape;
mod values;

use std::{borrow::Cow, fmt, marker::PhantomData, sync::OnceLock};

use bytes::Bytes;
use minijinja::{AutoEscape, Environment};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::Value;

use crate::message::Message;

use self::output::LimitedOutput;
pub use self::{
    error::{RenderError, TemplateError},
    output::{MAX_RENDERED, truncated},
    values::Values,
};

/// Steps that rendering may take: a loop over a few thousand items.
const FUEL: u64 = 50_000;

/// Most bytes of a template.
pub const MAX_TEMPLATE: usize = 16 << 10;

const NAME: &str = "template";

/// What a template sees. Its templates are rendered one after the other.
#[derive(Debug, Serialize)]
pub struct Event {
    /// The id of the message.
    pub id: String,
    /// The event type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The publisher's identifier.
    #[serde(rename = "eventId", skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// When the message was accepted, in RFC 3339.
    pub timestamp: String,
    /// The id of the application.
    pub application: String,
    pub channels: Vec<String>,
    pub tags: Vec<String>,
    /// The payload: a JSON value, or a text if it is not JSON.
    pub payload: Value,
    /// The same for templates. Made for the first one, because it copies the payload.
    #[serde(skip)]
    values: OnceLock<Values>,
}

impl Event {
    /// The message with the body that is to be delivered.
    pub fn new(message: &Message, body: &Bytes) -> Self {
        let payload = serde_json::from_slice(body)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()));
        Self {
            id: message.id.to_string(),
            event_type: message.event_type.to_string(),
            event_id: message.event_id.as_ref().map(ToString::to_string),
            timestamp: message.created_at().to_rfc3339(),
            application: message.application.to_string(),
            channels: message.channels.clone(),
            tags: message.tags.clone(),
            payload,
            values: OnceLock::new(),
        }
    }

    fn values(&self) -> Result<&Values, TemplateError> {
        if let Some(values) = self.values.get() {
            return Ok(values);
        }
        let values = Values::new(self)?;
        Ok(self.values.get_or_init(|| values))
    }
}

/// How inserted values are escaped.
pub trait Escaping {
    const AUTO_ESCAPE: AutoEscape;
}

/// Inserted values stay as they are.
#[derive(Clone, Copy, Debug)]
pub struct Text;

/// Inserted values are escaped for HTML.
#[derive(Clone, Copy, Debug)]
pub struct Html;

/// Inserted values become JSON.
#[derive(Clone, Copy, Debug)]
pub struct Json;

/// Inserted values are escaped for the texts of Slack.
#[derive(Clone, Copy, Debug)]
pub struct SlackText;

impl Escaping for SlackText {
    const AUTO_ESCAPE: AutoEscape = AutoEscape::Custom(Cow::Borrowed(filters::SLACK));
}

impl Escaping for Text {
    const AUTO_ESCAPE: AutoEscape = AutoEscape::None;
}

impl Escaping for Html {
    const AUTO_ESCAPE: AutoEscape = AutoEscape::Html;
}

impl Escaping for Json {
    const AUTO_ESCAPE: AutoEscape = AutoEscape::Json;
}

/// A compiled template.
pub struct Template<E = Text> {
    /// The source, if it has no placeholders.
    constant: Option<Box<str>>,
    environment: Environment<'static>,
    escaping: PhantomData<E>,
}

impl<E> fmt::Debug for Template<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template").finish_non_exhaustive()
    }
}

impl<E: Escaping> Template<E> {
    /// Compiles a template.
    pub fn new(source: &str) -> Result<Self, TemplateError> {
        if source.len() > MAX_TEMPLATE {
            let reason = format!("is longer than {MAX_TEMPLATE} bytes");
            return Err(TemplateError::of_template(reason));
        }
        let mut environment = Environment::new();
        environment.set_fuel(Some(FUEL));
        environment.set_debug(false);
        environment.set_auto_escape_callback(|_| E::AUTO_ESCAPE);
        environment.set_formatter(filters::format);
        shape::restrict(&mut environment);
        filters::add(&mut environment);
        shape::check_source(source)?;
        environment.add_template_owned(NAME, source.to_owned())?;
        shape::check(&environment.get_template(NAME)?)?;
        let is_constant = !["{{", "{%", "{#"].iter().any(|it| source.contains(it));
        let constant = is_constant.then(|| source.into());
        Ok(Self { constant, environment, escaping: PhantomData })
    }

    /// The text, if it is the same for all messages.
    pub fn constant(&self) -> Option<&str> {
        self.constant.as_deref()
    }

    /// The text for a message.
    pub fn render(&self, event: &Event) -> Result<String, TemplateError> {
        self.render_with(event.values()?)
    }

    /// The text for something other than an [`Event`].
    pub fn render_with(&self, values: &Values) -> Result<String, TemplateError> {
        let mut output = LimitedOutput::default();
        let template = self.environment.get_template(NAME)?;
        let rendered = template.render_captured_to(values.begin(), &mut output).map(drop);
        if values.are_exhausted() {
            return Err(TemplateError::of_message("template visits too many items of the payload"));
        }
        rendered?;
        output.into_text()
    }

    /// The text of a field for a message. An error names the field.
    pub fn render_field(&self, field: &str, event: &Event) -> Result<String, RenderError> {
        self.render(event).map_err(|error| RenderError {
            failure: error.failure(),
            reason: format!("`{field}` cannot be rendered for this message: {error}"),
        })
    }
}

impl<'de, E: Escaping> Deserialize<'de> for Template<E> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests;
