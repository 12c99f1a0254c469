//! Selectors, which locate values in a request. [`Values`](super::values::Values) evaluates them.

use std::{fmt, str::FromStr};

use super::text;

/// The location of a value in a request.
///
/// | text | selects |
/// |---|---|
/// | `header:x-topic` | a header; `x-signature-*` selects all headers with this prefix |
/// | `query:token` | a query parameter |
/// | `form:type` | a form field |
/// | `form:payload#event.id` | a value in the JSON of a form field |
/// | `json:data.0.id` | a value in the JSON body; `N` is the first item of a list, `*` all items |
/// | `key:*_events` | the first key of the JSON body that matches; `!update_id` is any other key |
/// | `field:t` | a part of the signature's own header |
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// A header, in lower case.
    Header(String),
    /// A query parameter.
    Query(String),
    /// A form field, and optionally a path into its JSON.
    Form(String, Option<Path>),
    /// A value in the JSON body.
    Json(Path),
    /// A key of the JSON body.
    Key(String),
    /// A part of the signature's own header.
    Field(String),
}

/// A path to a value in JSON: keys and indices separated by dots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path(pub(super) Vec<Step>);

/// A step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
    /// `N`.
    First,
    /// `*`.
    All,
}

/// The text is not a selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` does not select a value of a request; use, for example, header:x-topic, query:q, form:f or json:a.b"
)]
pub struct InvalidSelector(pub(super) String);

impl FromStr for Selector {
    type Err = InvalidSelector;

    fn from_str(text: &str) -> Result<Self, InvalidSelector> {
        let invalid = || InvalidSelector(text.to_owned());
        let (kind, name) = text.trim().split_once(':').ok_or_else(invalid)?;
        let owned = name.to_owned();
        let source = match kind {
            "header" => Self::Header(name.to_ascii_lowercase()),
            "query" => Self::Query(owned),
            "form" => match name.split_once('#') {
                Some((field, path)) => Self::Form(field.to_owned(), Some(Path::read(path))),
                None => Self::Form(owned, None),
            },
            "json" => Self::Json(Path::read(name)),
            "key" => Self::Key(owned),
            "field" => Self::Field(owned),
            _ => return Err(invalid()),
        };
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(invalid());
        }
        Ok(source)
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Query(name) => write!(f, "query:{name}"),
            Self::Form(name, None) => write!(f, "form:{name}"),
            Self::Form(name, Some(path)) => write!(f, "form:{name}#{path}"),
            Self::Json(path) => write!(f, "json:{path}"),
            Self::Key(pattern) => write!(f, "key:{pattern}"),
            Self::Field(name) => write!(f, "field:{name}"),
        }
    }
}

impl Path {
    pub(super) fn read(text: &str) -> Self {
        let step = |text: &str| match (text, text.parse()) {
            (_, Ok(index)) => Step::Index(index),
            ("N", Err(_)) => Step::First,
            ("*", Err(_)) => Step::All,
            (key, Err(_)) => Step::Key(key.to_owned()),
        };
        Self(text.split('.').map(step).collect())
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(".")?;
            }
            match step {
                Step::Key(key) => f.write_str(key)?,
                Step::Index(index) => write!(f, "{index}")?,
                Step::First => f.write_str("N")?,
                Step::All => f.write_str("*")?,
            }
        }
        Ok(())
    }
}

text::as_text!(Selector);
