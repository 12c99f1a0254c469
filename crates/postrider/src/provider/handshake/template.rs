//! Replies as data: status, headers and body, with placeholders for values of the request.

use std::{borrow::Cow, collections::BTreeMap, convert::Infallible};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::context::{Location, RequestContext};
use crate::provider::{Reply, json, json::Kind};

/// Maximum length of a value in a reply: no provider needs to get more of its request back.
const MAX_ECHO: usize = 4096;

/// A reply. Headers and texts are templates: `{query:challenge}` is replaced by the value at that
/// location; `{{` and `}}` are literal braces.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReplyTemplate {
    /// The status code.
    pub status: u16,
    /// Headers. A body gets a content type if none is given.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Template>,
    /// A text body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<Template>,
    /// A JSON body, whose strings are templates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json: Option<JsonTemplate>,
}

impl Default for ReplyTemplate {
    fn default() -> Self {
        Self { status: 200, headers: BTreeMap::new(), text: None, json: None }
    }
}

impl ReplyTemplate {
    /// The number of placeholders.
    pub(crate) fn placeholder_count(&self) -> usize {
        let headers: usize = self.headers.values().map(Template::placeholder_count).sum();
        let text = self.text.as_ref().map_or(0, Template::placeholder_count);
        headers + text + self.json.as_ref().map_or(0, JsonTemplate::placeholder_count)
    }

    /// The reply to this request. The error says which value is missing or invalid.
    pub(crate) fn render(&self, context: &RequestContext<'_>) -> Result<Reply, String> {
        let mut headers = Vec::new();
        for (name, value) in &self.headers {
            headers.push((name.to_ascii_lowercase(), header(value.render(context)?)?));
        }
        let body = match (&self.json, &self.text) {
            (Some(json), _) => json.render(context)?,
            (None, Some(text)) => text.render(context)?,
            (None, None) => String::new(),
        };
        if !body.is_empty()
            && !self.headers.keys().any(|it| it.eq_ignore_ascii_case("content-type"))
        {
            headers.extend(self.content_type());
        }
        Ok(Reply { status: self.status, headers, body: body.into_bytes() })
    }

    /// The text may repeat what an attacker wrote, so browsers must not interpret it as a page.
    fn content_type(&self) -> Vec<(String, String)> {
        let owned = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        if self.json.is_some() {
            return vec![owned("content-type", "application/json")];
        }
        vec![
            owned("content-type", "text/plain; charset=utf-8"),
            owned("x-content-type-options", "nosniff"),
        ]
    }
}

fn header(value: String) -> Result<String, String> {
    if value.bytes().all(|it| it == b'\t' || (b' '..0x7f).contains(&it)) {
        Ok(value)
    } else {
        Err("a value is not allowed in a header".to_owned())
    }
}

/// Text with placeholders.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Value(Location),
}

impl Template {
    /// The number of placeholders.
    pub(crate) fn placeholder_count(&self) -> usize {
        self.0.iter().filter(|it| matches!(it, Piece::Value(_))).count()
    }

    /// The text with the values filled in. The error says which value is missing.
    pub(crate) fn render(&self, context: &RequestContext<'_>) -> Result<String, String> {
        let mut out = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Value(location) => {
                    let value =
                        context.value(location).ok_or_else(|| format!("{location} is missing"))?;
                    if value.len() > MAX_ECHO {
                        return Err(format!("{location} is longer than {MAX_ECHO} bytes"));
                    }
                    out.push_str(&value);
                },
            }
        }
        Ok(out)
    }
}

impl TryFrom<String> for Template {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (mut pieces, mut plain) = (Vec::new(), String::new());
        let mut rest = text.chars().peekable();
        while let Some(char) = rest.next() {
            match char {
                '{' | '}' if rest.next_if_eq(&char).is_some() => plain.push(char),
                '{' => {
                    let name: String = rest.by_ref().take_while(|it| *it != '}').collect();
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    pieces.push(Piece::Value(Location::try_from(name)?));
                },
                '}' => return Err(format!("`{text}` has a `}}` without `{{`; write `}}}}`")),
                other => plain.push(other),
            }
        }
        pieces.push(Piece::Text(plain));
        pieces.retain(|it| !matches!(it, Piece::Text(text) if text.is_empty()));
        Ok(Self(pieces))
    }
}

impl From<Template> for String {
    fn from(template: Template) -> Self {
        let text = |piece: &Piece| match piece {
            Piece::Text(text) => text.replace('{', "{{").replace('}', "}}"),
            Piece::Value(location) => format!("{{{location}}}"),
        };
        template.0.iter().map(text).collect()
    }
}

/// Maximum size of a filled text. Values beyond it are left out.
const MAX_FILLED: usize = 256 << 10;

/// Maximum length of a placeholder's name.
const MAX_NAME: usize = 256;

/// Counts the placeholders that [`fill_placeholders`] would fill.
pub(crate) fn count_placeholders(text: &str) -> usize {
    let (mut count, mut rest) = (0, text);
    while let Some((_, after)) = rest.split_once('{') {
        let found = next_placeholder(after);
        count += usize::from(found.is_some());
        rest = found.map_or(after, |(_, after)| after);
    }
    count
}

/// The placeholder at the start of the text, after its opening brace, and the rest of the text.
fn next_placeholder(text: &str) -> Option<(Location, &str)> {
    let end = text.bytes().take(MAX_NAME).position(|it| it == b'}')?;
    Some((location(text.get(..end)?)?, text.get(end + 1..)?))
}

/// Fills the placeholders of a text that a user wrote. Braces that are not placeholders stay as
/// they are, and missing values are empty. Only values of the request can be used, never
/// parameters.
pub(crate) fn fill_placeholders(
    text: &str,
    context: &RequestContext<'_>,
    escape: impl Fn(&str) -> String,
) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        rest = after;
        match next_placeholder(after) {
            Some((location, after)) => {
                let value =
                    context.value(&location).filter(|it| out.len() + it.len() <= MAX_FILLED);
                out.push_str(&escape(&value.unwrap_or_default()));
                rest = after;
            },
            None => out.push('{'),
        }
    }
    out + rest
}

fn location(name: &str) -> Option<Location> {
    let location = Location::try_from(name.to_owned()).ok()?;
    (!matches!(location, Location::Parameter(_) | Location::Digest)).then_some(location)
}

/// Maximum nesting of a JSON reply.
const MAX_DEPTH: usize = 32;

/// JSON whose strings are templates.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "Box<RawValue>", into = "Box<RawValue>")]
pub enum JsonTemplate {
    /// A number, a boolean or null, as it is written.
    Literal(String),
    /// A string.
    Text(Template),
    /// An array.
    Array(Vec<Self>),
    /// An object.
    Object(Vec<(String, Self)>),
}

impl JsonTemplate {
    fn placeholder_count(&self) -> usize {
        match self {
            Self::Literal(_) => 0,
            Self::Text(template) => template.placeholder_count(),
            Self::Array(items) => items.iter().map(Self::placeholder_count).sum(),
            Self::Object(entries) => entries.iter().map(|(_, it)| it.placeholder_count()).sum(),
        }
    }

    fn render(&self, context: &RequestContext<'_>) -> Result<String, String> {
        let mut out = String::new();
        self.write(&mut out, &|it| it.render(context))?;
        Ok(out)
    }

    /// Writes the JSON, with `string` applied to its strings.
    fn write<E>(
        &self,
        out: &mut String,
        string: &impl Fn(&Template) -> Result<String, E>,
    ) -> Result<(), E> {
        match self {
            Self::Literal(json) => out.push_str(json),
            Self::Text(template) => out.push_str(&json::quoted(&string(template)?)),
            Self::Array(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    item.write(out, string)?;
                }
                out.push(']');
            },
            Self::Object(entries) => {
                out.push('{');
                for (index, (key, value)) in entries.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    out.push_str(&json::quoted(key));
                    out.push(':');
                    value.write(out, string)?;
                }
                out.push('}');
            },
        }
        Ok(())
    }

    fn read(value: &RawValue, depth: usize) -> Result<Self, String> {
        if depth > MAX_DEPTH {
            return Err(format!("the reply is nested deeper than {MAX_DEPTH} levels"));
        }
        let inner = |it| Self::read(it, depth + 1);
        match json::kind(value) {
            Kind::Null | Kind::Boolean | Kind::Number => Ok(Self::Literal(value.get().to_owned())),
            Kind::Text => Template::try_from(json::shown(value).into_owned()).map(Self::Text),
            Kind::Array => {
                json::items(value).into_iter().map(inner).collect::<Result<_, _>>().map(Self::Array)
            },
            Kind::Object => {
                let entry = |(key, it): (Cow<'_, str>, _)| Ok((key.into_owned(), inner(it)?));
                let entries = json::members(value).into_iter().map(entry);
                entries.collect::<Result<_, String>>().map(Self::Object)
            },
        }
    }
}

impl TryFrom<Box<RawValue>> for JsonTemplate {
    type Error = String;

    fn try_from(value: Box<RawValue>) -> Result<Self, String> {
        Self::read(&value, 0)
    }
}

impl From<JsonTemplate> for Box<RawValue> {
    fn from(template: JsonTemplate) -> Self {
        let mut out = String::new();
        let text = |it: &Template| Ok::<_, Infallible>(String::from(it.clone()));
        let Ok(()) = template.write(&mut out, &text);
        RawValue::from_string(out).expect("what was read as JSON is written as JSON")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{Headers, Request, Settings};

    fn rendered(reply: &str, body: &str) -> String {
        let settings = Settings::default();
        let url = "https://example.com/in/x";
        let request = Request { method: "POST", url, headers: Headers(&[]), body: body.as_bytes() };
        let reply: ReplyTemplate = serde_json::from_str(reply).unwrap();
        let again: ReplyTemplate =
            serde_json::from_str(&serde_json::to_string(&reply).unwrap()).unwrap();
        assert_eq!(again, reply);
        String::from_utf8(reply.render(&RequestContext::new(&settings, &request)).unwrap().body)
            .unwrap()
    }

    #[test]
    fn a_reply_keeps_the_spelling_of_numbers() {
        let reply = r#"{"json": {"z": 1.50, "a": [1e3, "{json:n}", null, {"b": true}]}}"#;
        let body = r#"{"n": 12345678901234567890.10}"#;
        let expected = r#"{"z":1.50,"a":[1e3,"12345678901234567890.10",null,{"b":true}]}"#;
        assert_eq!(rendered(reply, body), expected);
        let text = r#"{"text": "{json:n} {json:o}"}"#;
        let body = r#"{"n": 42.50, "o": { "e": 1E+2, "s": "a b" }}"#;
        assert_eq!(rendered(text, body), r#"42.50 {"e":1E+2,"s":"a b"}"#);
    }

    #[test]
    fn a_reply_that_is_nested_too_deep_is_rejected() {
        let reply = format!(r#"{{"json": {}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        let error = serde_json::from_str::<ReplyTemplate>(&reply).unwrap_err().to_string();
        assert!(error.contains("nested deeper than 32 levels"), "{error}");
    }
}
