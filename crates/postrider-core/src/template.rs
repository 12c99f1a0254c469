//! Templates of texts: compiled when an endpoint is read, rendered for each message.
//!
//! A template comes from a customer, so its work and its output have limits. It sees the message
//! as [`Event`] describes it, and nothing else.

mod filters;

use std::{borrow::Cow, fmt, io, marker::PhantomData};

use bytes::Bytes;
use minijinja::{AutoEscape, Environment, ErrorKind};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::Value;

use crate::{message::Message, outcome::Failure};

/// Steps that rendering may take: a loop over a few thousand items.
const FUEL: u64 = 50_000;

/// Most bytes of a template.
pub const MAX_TEMPLATE: usize = 16 << 10;

/// Most bytes that a template may render to.
pub const MAX_RENDERED: usize = 256 << 10;

const NAME: &str = "template";

/// The name of the escaping for Slack.
const SLACK: &str = "slack";

/// What a template sees.
#[derive(Clone, Debug, Serialize)]
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
        }
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
    const AUTO_ESCAPE: AutoEscape = AutoEscape::Custom(Cow::Borrowed(SLACK));
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

/// Why a template is not valid, or could not be rendered for a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct TemplateError {
    reason: String,
    /// It fails for every message.
    is_permanent: bool,
}

impl TemplateError {
    fn of_message(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), is_permanent: false }
    }

    /// The failure of a delivery that cannot be made because of this.
    pub const fn failure(&self) -> Failure {
        if self.is_permanent { Failure::Misconfigured } else { Failure::Rejected }
    }
}

/// Why a template has no text for a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderError {
    pub failure: Failure,
    pub reason: String,
}

impl From<minijinja::Error> for TemplateError {
    fn from(error: minijinja::Error) -> Self {
        #[expect(clippy::wildcard_enum_match_arm, reason = "the library adds kinds")]
        let is_permanent = match error.kind() {
            ErrorKind::UnknownFilter
            | ErrorKind::UnknownFunction
            | ErrorKind::UnknownTest
            | ErrorKind::TemplateNotFound
            | ErrorKind::SyntaxError => true,
            _ => false,
        };
        let line = error.line().map(|line| format!(" in line {line}")).unwrap_or_default();
        let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
        let reason = format!("template error{line}: {}{detail}", error.kind());
        Self { reason, is_permanent }
    }
}

impl<E: Escaping> Template<E> {
    /// Compiles a template.
    pub fn new(source: &str) -> Result<Self, TemplateError> {
        if source.len() > MAX_TEMPLATE {
            let reason = format!("is longer than {MAX_TEMPLATE} bytes");
            return Err(TemplateError { reason, is_permanent: true });
        }
        let mut environment = Environment::new();
        environment.set_fuel(Some(FUEL));
        environment.set_auto_escape_callback(|_| E::AUTO_ESCAPE);
        environment.set_formatter(filters::format);
        filters::add(&mut environment);
        environment.add_template_owned(NAME, source.to_owned())?;
        let is_constant = !["{{", "{%", "{#"].iter().any(|it| source.contains(it));
        let constant = is_constant.then(|| source.into());
        Ok(Self { constant, environment, escaping: PhantomData })
    }

    /// The text, if it is the same for all messages.
    pub fn constant(&self) -> Option<&str> {
        self.constant.as_deref()
    }

    /// The text for a message: an [`Event`], or what a queue delivered.
    pub fn render(&self, event: &impl Serialize) -> Result<String, TemplateError> {
        let mut output = LimitedOutput::default();
        let template = self.environment.get_template(NAME)?;
        template.render_captured_to(minijinja::value::Serde(event), &mut output)?;
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

/// At most so many characters of a text; an ellipsis as the last of them shows that there were
/// more.
pub fn truncated(mut text: String, length: usize) -> String {
    if text.char_indices().nth(length).is_some() {
        let kept = text.char_indices().nth(length.saturating_sub(1)).map_or(0, |(index, _)| index);
        text.truncate(kept);
        if length > 0 {
            text.push('…');
        }
    }
    text
}

/// Refuses what exceeds the limit.
#[derive(Default)]
struct LimitedOutput(Vec<u8>);

impl LimitedOutput {
    fn into_text(self) -> Result<String, TemplateError> {
        String::from_utf8(self.0).map_err(|_| TemplateError::of_message("output is not UTF-8"))
    }
}

impl io::Write for LimitedOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_RENDERED {
            return Err(io::Error::other(format!("output exceeds {MAX_RENDERED} bytes")));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    fn event() -> Event {
        let message = fixtures::message();
        Event::new(&message, &Bytes::from_static(br#"{"name":"<Ada>","n":[1,2]}"#))
    }

    fn render<E: Escaping>(source: &str) -> Result<String, TemplateError> {
        Template::<E>::new(source).and_then(|template| template.render(&event()))
    }

    #[test]
    fn a_template_sees_the_message() {
        let cases = [
            ("{{ payload.name }}", "<Ada>"),
            ("{% for n in payload.n %}{{ n }},{% endfor %}", "1,2,"),
            ("{{ payload.missing }}", ""),
        ];
        for (source, expected) in cases {
            assert_eq!(render::<Text>(source).unwrap(), expected, "{source}");
        }
        assert_eq!(render::<Text>("{{ id }}").unwrap(), fixtures::message().id.to_string());
    }

    #[test]
    fn values_are_escaped_by_format() {
        assert_eq!(render::<Html>("{{ payload.name }}").unwrap(), "&lt;Ada&gt;");
        assert_eq!(render::<Json>(r#"{"a":{{ payload.n }}}"#).unwrap(), r#"{"a":[1,2]}"#);
    }

    #[test]
    fn work_and_output_are_limited() {
        let endless =
            "{% for a in range(9999) %}{% for b in range(9999) %}.{% endfor %}{% endfor %}";
        assert!(render::<Text>(endless).is_err());
        assert!(render::<Text>("{{ 'x' * 10000000 }}").is_err());
        assert!(Template::<Text>::new(&"x".repeat(MAX_TEMPLATE + 1)).is_err());
    }

    #[test]
    fn a_syntax_error_names_its_line() {
        let error = Template::<Text>::new("a\n{% if %}").unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
    }
}
