//! The values of expressions.

use std::{borrow::Cow, ops::Deref, rc::Rc};

use jiff::{SignedDuration, Timestamp};

use crate::filter::json::Json;

/// A value, which borrows from the message and from the filter where it can.
#[derive(Clone, Debug)]
pub(super) enum Value<'v> {
    Null,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Double(f64),
    Text(Text<'v>),
    List(List<'v>),
    Map(Map<'v>),
    Time(Timestamp),
    Duration(SignedDuration),
}

/// A string that is cheap to clone, however long it is.
#[derive(Clone, Debug)]
pub(super) enum Text<'v> {
    /// Of the message or the filter's text.
    Borrowed(&'v str),
    /// Of an expression.
    Built(Rc<str>),
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Built(text) => text,
        }
    }
}

impl From<String> for Text<'_> {
    fn from(text: String) -> Self {
        Self::Built(text.into())
    }
}

#[derive(Clone, Debug)]
pub(super) enum List<'v> {
    /// Of the message.
    Json(&'v [Json<'v>]),
    /// Of the filter.
    Built(Rc<[Value<'v>]>),
}

#[derive(Clone, Debug)]
pub(super) enum Map<'v> {
    /// Of the message.
    Json(&'v [(Cow<'v, str>, Json<'v>)]),
    /// Of the filter. There are few entries, so they are searched one by one.
    Built(Rc<[(Value<'v>, Value<'v>)]>),
}

impl<'v> Value<'v> {
    pub(super) fn of(json: &'v Json<'v>) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(*value),
            Json::Int(value) => Self::Int(*value),
            Json::UInt(value) => Self::UInt(*value),
            Json::Double(value) => Self::Double(*value),
            Json::Text(text) => Self::Text(Text::Borrowed(text)),
            Json::List(items) => Self::List(List::Json(items)),
            Json::Map(entries) => Self::Map(Map::Json(entries)),
        }
    }

    /// What the value is, for messages.
    pub(super) const fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "true or false",
            Self::Int(_) | Self::UInt(_) | Self::Double(_) => "a number",
            Self::Text(_) => "a string",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
            Self::Time(_) => "a timestamp",
            Self::Duration(_) => "a duration",
        }
    }
}

impl<'v> List<'v> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Json(items) => items.len(),
            Self::Built(items) => items.len(),
        }
    }

    pub(super) fn at(&self, index: usize) -> Option<Value<'v>> {
        match self {
            Self::Json(items) => items.get(index).map(Value::of),
            Self::Built(items) => items.get(index).cloned(),
        }
    }
}

impl<'v> Map<'v> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Json(entries) => entries.len(),
            Self::Built(entries) => entries.len(),
        }
    }

    pub(super) fn at(&self, index: usize) -> Option<(Value<'v>, Value<'v>)> {
        match self {
            Self::Json(entries) => entries
                .get(index)
                .map(|(key, value)| (Value::Text(Text::Borrowed(key)), Value::of(value))),
            Self::Built(entries) => entries.get(index).cloned(),
        }
    }
}
