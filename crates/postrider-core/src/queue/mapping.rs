//! How a queue's message becomes the message to publish: which application, and the JSON that
//! would be posted over the API.

use std::{borrow::Cow, cell::OnceCell, collections::BTreeMap};

use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

use crate::{
    kind::Problem,
    path::{Path, Step, find},
    template::{Escaping, Json, Template, Text, Values},
};

/// Most expressions for channels.
const MAX_CHANNELS: usize = 10;

/// The payload, if no expression is given.
const WHOLE_BODY: &str = "$.body";

/// A mapping as it is stored: each text is a JSON path if it starts with `$`, and a template
/// otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MappingTexts {
    pub application: String,
    pub event_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
}

impl MappingTexts {
    /// All texts.
    pub fn texts(&self) -> impl Iterator<Item = &String> {
        let Self { application, event_type, event_id, channels, payload } = self;
        [application, event_type].into_iter().chain(event_id).chain(channels).chain(payload)
    }
}

/// A mapping that is ready to be applied.
#[derive(Debug)]
pub struct Mapping {
    application: Expression<Text>,
    event_type: Expression<Text>,
    event_id: Option<Expression<Text>>,
    channels: Vec<Expression<Text>>,
    payload: Expression<Json>,
}

/// What a queue delivered.
#[derive(Clone, Copy, Debug)]
pub struct QueueInput<'a> {
    pub subject: Option<&'a str>,
    pub headers: &'a BTreeMap<String, String>,
    pub body: &'a [u8],
}

/// A message to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapped<'a> {
    /// The id or uid of the application.
    pub application: Cow<'a, str>,
    /// The JSON that would be posted over the API.
    pub message: Cow<'a, str>,
}

/// Why a queue's message cannot be published, as far as its form is concerned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);

/// The body of a queue's message, if the consumer has no mapping.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Envelope<'a> {
    #[serde(borrow)]
    app_id: Cow<'a, str>,
    #[serde(borrow)]
    message: &'a RawValue,
}

/// Reads the body `{appId, message}`.
pub fn read_envelope(body: &[u8]) -> Result<Mapped<'_>, Unreadable> {
    let envelope: Envelope<'_> = serde_json::from_slice(body).map_err(|error| {
        let form = r#"{"appId": …, "message": {"eventType": …, "payload": …}}"#;
        Unreadable(format!(
            "the body is not of the form {form}: {error}; publish it in this form, or give the \
             consumer a mapping"
        ))
    })?;
    Ok(Mapped { application: envelope.app_id, message: envelope.message.get().into() })
}

#[derive(Debug)]
enum Expression<E> {
    Path(Source),
    Template(Box<Template<E>>),
}

/// The part of a queue's message that a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    Subject,
    Header(String),
    Body(Vec<Step>),
}

/// What templates see.
#[derive(Serialize)]
struct Context<'a> {
    subject: Option<&'a str>,
    headers: &'a BTreeMap<String, String>,
    body: Value,
}

/// The published message.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Published<'a> {
    event_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    channels: Vec<String>,
    payload: &'a RawValue,
}

impl Mapping {
    pub fn new(texts: &MappingTexts) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let problems_ref = &mut problems;
        if texts.channels.len() > MAX_CHANNELS {
            let message = format!("must have at most {MAX_CHANNELS} items");
            problems_ref.push(Problem::of("channels", message));
        }
        let application = compile("application", &texts.application, problems_ref);
        let event_type = compile("eventType", &texts.event_type, problems_ref);
        let event_id = texts.event_id.as_deref().map(|it| compile("eventId", it, problems_ref));
        let channels: Vec<_> =
            texts.channels.iter().map(|it| compile("channels", it, problems_ref)).collect();
        let payload = texts.payload.as_deref().unwrap_or(WHOLE_BODY);
        let payload = compile("payload", payload, problems_ref);
        let complete = || {
            Some(Self {
                application: application?,
                event_type: event_type?,
                event_id: event_id.map_or(Some(None), |it| it.map(Some))?,
                channels: channels.into_iter().collect::<Option<_>>()?,
                payload: payload?,
            })
        };
        if problems.is_empty() { complete().ok_or_else(Vec::new) } else { Err(problems) }
    }

    /// The message to publish.
    pub fn apply<'a>(&self, input: QueueInput<'a>) -> Result<Mapped<'a>, Unreadable> {
        let document = Document::new(input);
        let application = document.require("application", &self.application)?;
        let event_type = document.require("eventType", &self.event_type)?;
        let event_id = match &self.event_id {
            Some(expression) => document.text("eventId", expression)?,
            None => None,
        };
        let mut channels = Vec::new();
        for expression in &self.channels {
            channels.extend(document.texts("channels", expression)?);
        }
        let payload = document.json("payload", &self.payload)?;
        let published = Published { event_type, event_id, channels, payload: &payload };
        let message =
            serde_json::to_string(&published).map_err(|error| Unreadable(error.to_string()))?;
        Ok(Mapped { application: application.into(), message: message.into() })
    }
}

fn compile<E: Escaping>(
    field: &str,
    text: &str,
    problems: &mut Vec<Problem>,
) -> Option<Expression<E>> {
    let compiled = if text.trim().is_empty() {
        Err("must be a JSON path or a template".to_owned())
    } else if text.starts_with('$') {
        source(text).map(Expression::Path)
    } else {
        Template::new(text)
            .map(|it| Expression::Template(Box::new(it)))
            .map_err(|error| error.to_string())
    };
    compiled.map_err(|message| problems.push(Problem::of(field, message))).ok()
}

fn source(text: &str) -> Result<Source, String> {
    let path = Path::parse(text).map_err(|error| error.to_string())?;
    let wrong = || Err("must start with $.body, $.headers or $.subject".to_owned());
    let Some((Step::Field(first), rest)) = path.steps().split_first() else { return wrong() };
    match (first.as_str(), rest) {
        ("subject", []) => Ok(Source::Subject),
        ("subject", _) => Err("must be $.subject, which is a text".to_owned()),
        ("headers", [Step::Field(name)]) => Ok(Source::Header(name.clone())),
        ("headers", _) => Err("must name one header, such as $.headers['x-type']".to_owned()),
        ("body", rest) => Ok(Source::Body(rest.to_vec())),
        _ => wrong(),
    }
}

/// A queue's message while a mapping is applied to it.
struct Document<'a> {
    input: QueueInput<'a>,
    /// `None` if the body is not JSON.
    json: Option<&'a RawValue>,
    /// What templates see; made for the first one, because it parses the body.
    values: OnceCell<Values>,
}

/// What a path leads to.
enum Found<'a> {
    Text(&'a str),
    Json(&'a RawValue),
}

impl<'a> Document<'a> {
    fn new(input: QueueInput<'a>) -> Self {
        Self { input, json: serde_json::from_slice(input.body).ok(), values: OnceCell::new() }
    }

    fn find(&self, source: &Source) -> Result<Option<Found<'a>>, Unreadable> {
        Ok(match source {
            Source::Subject => self.input.subject.map(Found::Text),
            Source::Header(name) => header(self.input.headers, name).map(Found::Text),
            Source::Body(steps) => {
                let json =
                    self.json.ok_or_else(|| Unreadable("the body is not JSON".to_owned()))?;
                find(json, steps).filter(|it| it.get() != "null").map(Found::Json)
            },
        })
    }

    fn render<E: Escaping>(
        &self,
        field: &str,
        template: &Template<E>,
    ) -> Result<String, Unreadable> {
        let rendered = template.render_with(self.values()?);
        rendered.map_err(|error| Unreadable(format!("`{field}`: {error}")))
    }

    fn values(&self) -> Result<&Values, Unreadable> {
        if let Some(values) = self.values.get() {
            return Ok(values);
        }
        let body = match self.json {
            Some(json) => serde_json::from_str(json.get()).ok(),
            None => str::from_utf8(self.input.body).ok().map(Value::from),
        };
        let body =
            body.ok_or_else(|| Unreadable("the body is neither JSON nor UTF-8 text".to_owned()))?;
        let context = Context { subject: self.input.subject, headers: self.input.headers, body };
        let values = Values::new(&context).map_err(|error| Unreadable(error.to_string()))?;
        Ok(self.values.get_or_init(|| values))
    }

    /// The texts that an expression represents: one, or those of a list.
    fn texts(&self, field: &str, expression: &Expression<Text>) -> Result<Vec<String>, Unreadable> {
        let texts = match expression {
            Expression::Template(template) => vec![self.render(field, template)?],
            Expression::Path(source) => match self.find(source)? {
                None => Vec::new(),
                Some(Found::Text(text)) => vec![text.to_owned()],
                Some(Found::Json(json)) => words(field, json)?,
            },
        };
        let trimmed = texts.iter().map(|it| it.trim()).filter(|it| !it.is_empty());
        Ok(trimmed.map(str::to_owned).collect())
    }

    fn text(
        &self,
        field: &str,
        expression: &Expression<Text>,
    ) -> Result<Option<String>, Unreadable> {
        let mut texts = self.texts(field, expression)?;
        if texts.len() > 1 {
            return Err(Unreadable(format!("`{field}` is a list, and must be one text")));
        }
        Ok(texts.pop())
    }

    fn require(&self, field: &str, expression: &Expression<Text>) -> Result<String, Unreadable> {
        let text = self.text(field, expression)?;
        text.ok_or_else(|| Unreadable(format!("`{field}` finds nothing in the message")))
    }

    fn json(
        &self,
        field: &str,
        expression: &Expression<Json>,
    ) -> Result<Cow<'a, RawValue>, Unreadable> {
        match expression {
            Expression::Path(source) => match self.find(source)? {
                Some(Found::Json(json)) => Ok(Cow::Borrowed(json)),
                Some(Found::Text(_)) => Err(Unreadable(format!("`{field}` is not an object"))),
                None => Err(Unreadable(format!("`{field}` finds nothing in the message"))),
            },
            Expression::Template(template) => {
                let text = self.render(field, template)?;
                let json = RawValue::from_string(text);
                let json = json.map_err(|error| {
                    Unreadable(format!("`{field}` does not render to JSON: {error}"))
                })?;
                Ok(Cow::Owned(json))
            },
        }
    }
}

/// Names of headers are the same in any case.
fn header<'a>(headers: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    let found = headers.iter().find(|(it, _)| it.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.as_str())
}

/// A text, number or boolean as a text; or a list of these.
#[expect(clippy::wildcard_enum_match_arm, reason = "all others are one word")]
fn words(field: &str, json: &RawValue) -> Result<Vec<String>, Unreadable> {
    let word = |value: Value| match value {
        Value::String(text) => Ok(text),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            Err(Unreadable(format!("`{field}` is {}, and must be a text", shape(&value))))
        },
    };
    match serde_json::from_str(json.get()).map_err(|error| Unreadable(error.to_string()))? {
        Value::Array(items) => items.into_iter().map(word).collect(),
        value => Ok(vec![word(value)?]),
    }
}

const fn shape(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const BODY: &str = r#"{"customer":"acme","kind":"paid","n":7,"tags":["a",2],"x":null,
        "data":{"amount":12.50,"big":12345678901234567890123}}"#;

    fn mapping(texts: &Value) -> Result<Mapping, Vec<Problem>> {
        Mapping::new(&serde_json::from_value(texts.clone()).unwrap())
    }

    fn apply(texts: &Value, body: &str) -> Result<(String, String), String> {
        let headers = [("X-Type".to_owned(), "from.header".to_owned())].into();
        let input =
            QueueInput { subject: Some("orders.eu"), headers: &headers, body: body.as_bytes() };
        let mapped = mapping(texts).unwrap().apply(input).map_err(|error| error.to_string())?;
        Ok((mapped.application.into_owned(), mapped.message.into_owned()))
    }

    #[test]
    fn paths_and_templates_make_a_message() {
        for (texts, application, message) in [
            (
                json!({ "application": "$.body.customer", "eventType": "order.{{ body.kind }}" }),
                "acme",
                format!(r#"{{"eventType":"order.paid","payload":{BODY}}}"#),
            ),
            (
                json!({
                    "application": "app-{{ subject }}",
                    "eventType": "$.headers['x-type']",
                    "eventId": "$.body.n",
                    "channels": ["$.body.tags", "{{ headers['X-Type'] }}", "$.body.x", "{{ body.x or '' }}"],
                    "payload": "$.body.data",
                }),
                "app-orders.eu",
                concat!(
                    r#"{"eventType":"from.header","eventId":"7","channels":["a","2","from.header"],"#,
                    r#""payload":{"amount":12.50,"big":12345678901234567890123}}"#,
                )
                .to_owned(),
            ),
            (
                json!({
                    "application": "$.subject",
                    "eventType": "constant",
                    "payload": r#"{"from":{{ subject }},"tags":{{ body.tags }}}"#,
                }),
                "orders.eu",
                r#"{"eventType":"constant","payload":{"from":"orders.eu","tags":["a",2]}}"#
                    .to_owned(),
            ),
        ] {
            assert_eq!(apply(&texts, BODY), Ok((application.to_owned(), message)), "{texts}");
        }
    }

    #[test]
    fn a_text_body_can_be_wrapped() {
        let texts = json!({
            "application": "a", "eventType": "t", "payload": r#"{"text":{{ body }}}"#,
        });
        let (_, message) = apply(&texts, "hello \"you\"").unwrap();
        assert_eq!(message, r#"{"eventType":"t","payload":{"text":"hello \"you\""}}"#);
    }

    #[test]
    fn what_is_missing_or_of_another_type_is_named() {
        for (field, text, reason) in [
            ("application", "$.body.x", "`application` finds nothing in the message"),
            ("application", "{{ body.none }}", "`application` finds nothing in the message"),
            ("eventType", "$.body.data", "`eventType` is an object, and must be a text"),
            ("eventType", "$.body.tags", "`eventType` is a list, and must be one text"),
            ("payload", "$.body.none", "`payload` finds nothing in the message"),
            ("payload", "$.subject", "`payload` is not an object"),
        ] {
            let mut texts = json!({ "application": "a", "eventType": "t" });
            texts[field] = text.into();
            assert_eq!(apply(&texts, BODY), Err(reason.to_owned()), "{text}");
        }
        let texts = json!({ "application": "a", "eventType": "t" });
        assert_eq!(apply(&texts, "not JSON"), Err("the body is not JSON".to_owned()));
    }

    #[test]
    fn problems_of_a_mapping_name_their_field() {
        for (field, text) in [
            ("application", ""),
            ("application", "$.other"),
            ("application", "$.subject.x"),
            ("eventType", "{{ body"),
            ("eventId", "$.headers"),
            ("payload", "$.body..x"),
        ] {
            let mut texts = json!({ "application": "a", "eventType": "t" });
            texts[field] = text.into();
            let problems = mapping(&texts).unwrap_err();
            assert_eq!(problems[0].path, [field], "{text}: {problems:?}");
        }
    }

    #[test]
    fn an_envelope_names_the_application_and_the_message() {
        let body = br#"{"appId":"acme","message":{"eventType":"a","payload":{"n":1.0}}}"#;
        let read = read_envelope(body).unwrap();
        assert_eq!(read.application, "acme");
        assert_eq!(read.message, r#"{"eventType":"a","payload":{"n":1.0}}"#);
        for body in ["", "{}", "[]", r#"{"appId":"a"}"#, r#"{"appId":"a","message":{},"x":1}"#] {
            let reason = read_envelope(body.as_bytes()).unwrap_err().to_string();
            assert!(reason.contains("give the consumer a mapping"), "{reason}");
        }
    }
}
