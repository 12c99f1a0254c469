//! The signed content, as text with placeholders for parts of the request.

use std::{borrow::Cow, fmt, str::FromStr};

use super::{
    identity::SignedMetadata,
    selector::{InvalidSelector, Selector},
    text,
    values::Values,
};

/// The signed content, such as `{timestamp}.{body}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    Body,
    Timestamp,
    Id,
    Method,
    Url,
    /// The URL as `HubSpot` signs it.
    UrlDecoded,
    PathQuery,
    Secret,
    BodySha256Hex,
    BodyCrc32,
    Value(Selector),
}

/// The text does not describe signed content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidContent {
    /// The name of a placeholder is unknown.
    #[error(
        "{{{0}}} is not known; known are body, timestamp, id, method, url, url_decoded, \
         path_query, secret, body_sha256_hex, body_crc32, header:X, query:q, json:a.b and form:f"
    )]
    Unknown(String),
    /// A placeholder is not closed.
    #[error("a {{ has no matching }}")]
    Open,
    /// A placeholder has an invalid selector.
    #[error(transparent)]
    Selector(#[from] InvalidSelector),
}

/// The values of the placeholders.
#[derive(Clone, Copy)]
pub(super) struct ContentValues<'a, 'r> {
    pub values: &'a Values<'r>,
    pub timestamp: &'a str,
    pub id: &'a str,
    pub secret: &'a [u8],
}

impl Content {
    pub(super) fn uses(&self, part: &Part) -> bool {
        self.parts.contains(part)
    }

    /// The signed values besides the body.
    pub fn selectors(&self) -> impl Iterator<Item = &Selector> {
        self.parts.iter().filter_map(|it| if let Part::Value(it) = it { Some(it) } else { None })
    }

    /// Whether a change of the body changes the signed content.
    pub fn covers_body(&self) -> bool {
        [Part::Body, Part::BodySha256Hex, Part::BodyCrc32].iter().any(|it| self.uses(it))
    }

    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The signed content in pieces, which avoids copying the body. The error is the selector of a
    /// missing value.
    pub(super) fn pieces<'v>(
        &'v self,
        with: ContentValues<'v, '_>,
    ) -> Result<Vec<Cow<'v, [u8]>>, Selector> {
        self.parts.iter().map(|it| it.piece(with)).collect()
    }

    /// The signed values besides the body, if there are any.
    pub(super) fn metadata(&self, with: ContentValues<'_, '_>) -> Option<SignedMetadata> {
        let mut metadata = SignedMetadata::default();
        for part in &self.parts {
            match part {
                Part::Timestamp | Part::Id | Part::Value(_) => {
                    metadata.distinguishes_events = true;
                    metadata.parts.extend_from_slice(&part.piece(with).ok()?);
                },
                Part::Url | Part::UrlDecoded | Part::PathQuery => {
                    metadata
                        .parts
                        .extend_from_slice(path_query(with.values.request.url).as_bytes());
                },
                Part::Text(_)
                | Part::Body
                | Part::Method
                | Part::Secret
                | Part::BodySha256Hex
                | Part::BodyCrc32 => continue,
            }
            metadata.parts.push(0);
        }
        (!metadata.parts.is_empty()).then_some(metadata)
    }
}

impl Part {
    fn piece<'v>(&'v self, with: ContentValues<'v, '_>) -> Result<Cow<'v, [u8]>, Selector> {
        let request = with.values.request;
        Ok(match self {
            Self::Text(text) => Cow::Borrowed(text.as_bytes()),
            Self::Body => Cow::Borrowed(request.body),
            Self::Timestamp => Cow::Borrowed(with.timestamp.as_bytes()),
            Self::Id => Cow::Borrowed(with.id.as_bytes()),
            Self::Method => Cow::Borrowed(request.method.as_bytes()),
            Self::Url => Cow::Borrowed(request.url.as_bytes()),
            Self::UrlDecoded => Cow::Owned(decode_partly(request.url).into_bytes()),
            Self::PathQuery => Cow::Borrowed(path_query(request.url).as_bytes()),
            Self::Secret => Cow::Borrowed(with.secret),
            Self::BodySha256Hex => Cow::Borrowed(with.values.body_sha256_hex().as_bytes()),
            Self::BodyCrc32 => Cow::Borrowed(with.values.body_crc32().as_bytes()),
            Self::Value(source) => {
                let value = with.values.first(source, &[]).ok_or_else(|| source.clone())?;
                Cow::Owned(value.into_owned().into_bytes())
            },
        })
    }
}

/// The path and query of a URL, without its fragment.
fn path_query(url: &str) -> &str {
    let after = url.split_once("://").map_or(url, |(_, it)| it);
    let path = after.find(['/', '?']).and_then(|at| after.get(at..)).unwrap_or("/");
    path.split('#').next().unwrap_or(path)
}

/// Decodes the characters that `HubSpot` decodes before it signs a URL, and no others.
fn decode_partly(url: &str) -> String {
    const DECODED: &str = ":/?@!$'()*,;";
    let mut parts = url.split('%');
    let mut decoded = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..2).and_then(|it| u8::from_str_radix(it, 16).ok()).map(char::from);
        if let (Some(code), Some(rest)) = (code.filter(|it| DECODED.contains(*it)), part.get(2..)) {
            decoded.push(code);
            decoded.push_str(rest);
        } else {
            decoded.push('%');
            decoded.push_str(part);
        }
    }
    decoded
}

/// `{body}`.
impl Default for Content {
    fn default() -> Self {
        Self { parts: vec![Part::Body] }
    }
}

impl FromStr for Content {
    type Err = InvalidContent;

    fn from_str(mut text: &str) -> Result<Self, InvalidContent> {
        let mut parts = Vec::new();
        while !text.is_empty() {
            let (before, rest) = text.split_once('{').unwrap_or((text, ""));
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            if before.len() == text.len() {
                break;
            }
            let (name, rest) = rest.split_once('}').ok_or(InvalidContent::Open)?;
            parts.push(name.parse()?);
            text = rest;
        }
        Ok(Self { parts })
    }
}

const NAMES: [(&str, Part); 10] = [
    ("body", Part::Body),
    ("timestamp", Part::Timestamp),
    ("id", Part::Id),
    ("method", Part::Method),
    ("url", Part::Url),
    ("url_decoded", Part::UrlDecoded),
    ("path_query", Part::PathQuery),
    ("secret", Part::Secret),
    ("body_sha256_hex", Part::BodySha256Hex),
    ("body_crc32", Part::BodyCrc32),
];

impl FromStr for Part {
    type Err = InvalidContent;

    fn from_str(name: &str) -> Result<Self, InvalidContent> {
        if let Some((_, part)) = NAMES.into_iter().find(|(it, _)| *it == name) {
            return Ok(part);
        }
        match name.parse() {
            Ok(Selector::Field(_)) | Err(_) => Err(InvalidContent::Unknown(name.to_owned())),
            Ok(source) => Ok(Self::Value(source)),
        }
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            match (part, NAMES.iter().find(|(_, it)| it == part)) {
                (Part::Text(text), _) => f.write_str(text)?,
                (Part::Value(source), _) => write!(f, "{{{source}}}")?,
                (_, Some((name, _))) => write!(f, "{{{name}}}")?,
                (_, None) => unreachable!("all parts but texts and values have names"),
            }
        }
        Ok(())
    }
}

text::as_text!(Content);
