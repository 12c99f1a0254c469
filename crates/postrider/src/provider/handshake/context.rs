//! The values that handshakes and replies can use.

use std::{borrow::Cow, cell::OnceCell, fmt};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::provider::{Request, Settings, json, json::Kind, work::WorkBudget};

/// Handshakes are small. Larger bodies are not parsed to find out whether they are one.
const MAX_PARSED: usize = 64 * 1024;

/// The location of a value, such as `query:challenge`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub enum Location {
    /// `query:NAME`: a query parameter.
    Query(String),
    /// `header:NAME`: a header.
    Header(String),
    /// `json:a.0.b`: a value in the JSON body. Values that are not strings are their JSON text,
    /// with numbers as they are written.
    Json(Vec<String>),
    /// `form:NAME`: a form field.
    Form(String),
    /// `parameter:NAME`: a parameter of the source.
    Parameter(String),
    /// `body`: the whole body.
    Body,
    /// `url`: the URL with its query.
    Url,
    /// `url_without_query`: the URL without its query.
    UrlWithoutQuery,
    /// `digest`: the computed digest of the handshake.
    Digest,
}

impl TryFrom<String> for Location {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (kind, name) = text.split_once(':').unwrap_or((&text, ""));
        let named = |location: fn(String) -> Self| match name {
            "" => Err(format!("`{text}` needs a name, such as `{kind}:name`")),
            _ => Ok(location(name.to_owned())),
        };
        match kind {
            "query" => named(Self::Query),
            "header" => named(Self::Header),
            "json" => named(|it| Self::Json(it.split('.').map(str::to_owned).collect())),
            "form" => named(Self::Form),
            "parameter" => named(Self::Parameter),
            _ => match text.as_str() {
                "body" => Ok(Self::Body),
                "url" => Ok(Self::Url),
                "url_without_query" => Ok(Self::UrlWithoutQuery),
                "digest" => Ok(Self::Digest),
                _ => Err(format!(
                    "`{text}` is not a location; use query:, header:, json:, form:, parameter:, body, \
                     url, url_without_query or digest"
                )),
            },
        }
    }
}

impl From<Location> for String {
    fn from(location: Location) -> Self {
        location.to_string()
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Query(name) => write!(f, "query:{name}"),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Json(path) => write!(f, "json:{}", path.join(".")),
            Self::Form(name) => write!(f, "form:{name}"),
            Self::Parameter(name) => write!(f, "parameter:{name}"),
            Self::Body => f.write_str("body"),
            Self::Url => f.write_str("url"),
            Self::UrlWithoutQuery => f.write_str("url_without_query"),
            Self::Digest => f.write_str("digest"),
        }
    }
}

/// A request with everything that a reply to it can use.
pub(crate) struct RequestContext<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) request: &'a Request<'a>,
    /// The digest of the handshake, once it is computed.
    pub(crate) digest: Option<String>,
    /// Longer bodies are not parsed.
    max_body: usize,
    json: OnceCell<Option<&'a RawValue>>,
    /// The remaining work budget of the request.
    pub(in crate::provider) work: WorkBudget,
}

impl<'a> RequestContext<'a> {
    pub(crate) fn new(settings: &'a Settings, request: &'a Request<'a>) -> Self {
        let (json, work) = (OnceCell::new(), WorkBudget::for_request(request));
        Self { settings, request, digest: None, max_body: MAX_PARSED, json, work }
    }

    /// Returns the context without a limit for the length of the body.
    pub(crate) fn with_large_body(self) -> Self {
        Self { max_body: usize::MAX, ..self }
    }

    /// The value at the location, if there is one.
    pub(crate) fn value(&self, location: &Location) -> Option<Cow<'_, str>> {
        let url = self.request.url;
        match location {
            Location::Query(name) => {
                self.work.take(url.len())?;
                in_form(url.split_once('?')?.1, name).map(Cow::Owned)
            },
            Location::Header(name) => self.request.headers.get(name).map(Cow::Borrowed),
            Location::Json(path) => in_json(self.json()?, path, &self.work),
            Location::Form(name) => {
                self.work.take(self.request.body.len())?;
                in_form(self.body()?, name).map(Cow::Owned)
            },
            Location::Parameter(name) => self.settings.parameter(name).map(Cow::Borrowed),
            Location::Body => self.body().map(Cow::Borrowed),
            Location::Url => Some(Cow::Borrowed(url)),
            Location::UrlWithoutQuery => url.split('?').next().map(Cow::Borrowed),
            Location::Digest => self.digest.as_deref().map(Cow::Borrowed),
        }
    }

    fn json(&self) -> Option<&'a RawValue> {
        *self.json.get_or_init(|| json::document(self.body()?.as_bytes()).ok())
    }

    fn body(&self) -> Option<&'a str> {
        let body = self.request.body;
        if body.len() > self.max_body { None } else { std::str::from_utf8(body).ok() }
    }
}

fn in_json<'a>(json: &'a RawValue, path: &[String], work: &WorkBudget) -> Option<Cow<'a, str>> {
    let found = path.iter().try_fold(json, |it, step| {
        work.take(it.get().len())?;
        match json::kind(it) {
            Kind::Array => json::items(it).get(step.parse::<usize>().ok()?).copied(),
            Kind::Null | Kind::Boolean | Kind::Number | Kind::Text | Kind::Object => {
                json::member(it, step)
            },
        }
    })?;
    (json::kind(found) != Kind::Null).then(|| json::shown(found))
}

/// The first value with this name in `application/x-www-form-urlencoded` text.
fn in_form(text: &str, name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(text.as_bytes());
    pairs.find(|(it, _)| it == name).map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::Headers;

    #[track_caller]
    fn check(location: &str, expected: Option<&str>) {
        let settings = Settings::default();
        let request = Request {
            method: "POST",
            url: "https://example.com/in/x?a=1&a=2&b=%C3%A9+%26&hub.mode=subscribe",
            headers: Headers(&[("X-Thing", b"one")]),
            body: br#"{"a":{"b":[{"c":"d"},7]},"none":null,"n":12345678901234567890.50, "o": { "e": 1e3 }}"#,
        };
        let location = Location::try_from(location.to_owned()).unwrap();
        assert_eq!(RequestContext::new(&settings, &request).value(&location).as_deref(), expected);
    }

    #[test]
    fn values_are_found_at_their_locations() {
        check("query:a", Some("1"));
        check("query:b", Some("é &"));
        check("query:hub.mode", Some("subscribe"));
        check("query:c", None);
        check("header:x-thing", Some("one"));
        check("json:a.b.0.c", Some("d"));
        check("json:a.b.1", Some("7"));
        check("json:a.b.2", None);
        check("json:none", None);
        check("json:n", Some("12345678901234567890.50"));
        check("json:o", Some(r#"{"e":1e3}"#));
        check("json:o.e", Some("1e3"));
        check("parameter:none", None);
        check("url_without_query", Some("https://example.com/in/x"));
    }

    #[test]
    fn an_invalid_location_is_reported() {
        let error = |text: &str| Location::try_from(text.to_owned()).unwrap_err();
        assert!(error("query").contains("needs a name"));
        assert!(error("secret").starts_with("`secret` is not a location"));
    }
}
