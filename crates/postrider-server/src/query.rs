//! Query strings: what operations take from them, declared once for parsing and for the
//! document.

use std::borrow::Cow;

use postrider::{
    EventTypeName,
    api::{
        MessageStatus, Ordering, StatusCodeClass,
        list::{DEFAULT_LIMIT, MAX_LIMIT},
    },
};
use postrider_core::time::Timestamp;
use serde_json::{Value, json};

use crate::{error::ApiError, problems::Problems};

/// One parameter, for the document.
#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) schema: Value,
}

/// What an operation takes from the query string.
pub(crate) trait Query: Sized + Send {
    fn parameters() -> Vec<Parameter>;

    fn parse(pairs: &Pairs<'_>, problems: &mut Problems<'_>) -> Self;

    fn read(query: Option<&str>) -> Result<Self, ApiError> {
        let mut problems = Problems::within(&["query"]);
        let parsed = Self::parse(&Pairs::new(query), &mut problems);
        problems.or(parsed)
    }
}

/// Nothing.
impl Query for () {
    fn parameters() -> Vec<Parameter> {
        Vec::new()
    }

    fn parse(_: &Pairs<'_>, _: &mut Problems<'_>) -> Self {}
}

/// What both take.
impl<A: Query, B: Query> Query for (A, B) {
    fn parameters() -> Vec<Parameter> {
        A::parameters().into_iter().chain(B::parameters()).collect()
    }

    fn parse(pairs: &Pairs<'_>, problems: &mut Problems<'_>) -> Self {
        (A::parse(pairs, problems), B::parse(pairs, problems))
    }
}

/// The decoded pairs of a query string.
#[derive(Debug)]
pub(crate) struct Pairs<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Pairs<'a> {
    fn new(query: Option<&'a str>) -> Self {
        let query = query.unwrap_or_default();
        if query.is_empty() {
            return Self(Vec::new());
        }
        Self(url::form_urlencoded::parse(query.as_bytes()).collect())
    }

    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| &**value)
    }
}

/// A value that a parameter can have.
pub(crate) trait Argument: Sized + Default {
    fn schema() -> Value;

    /// Parses the values of the parameter; there is at least one.
    fn parse(values: &[&str]) -> Result<Self, String>;
}

pub(crate) fn argument<A: Argument>(
    pairs: &Pairs<'_>,
    name: &'static str,
    problems: &mut Problems<'_>,
) -> A {
    let values: Vec<&str> = pairs.all(name).filter(|it| !it.is_empty()).collect();
    if values.is_empty() {
        return A::default();
    }
    A::parse(&values).unwrap_or_else(|message| {
        problems.add(&[name], message);
        A::default()
    })
}

/// Declares what an operation takes from the query string.
macro_rules! query {
    ($(
        $(#[$outer:meta])*
        $name:ident { $(#[doc = $doc:literal] $field:ident: $type:ty,)+ }
    )+) => {$(
        $(#[$outer])*
        #[derive(Debug)]
        pub(crate) struct $name {
            $(#[doc = $doc] pub(crate) $field: $type,)+
        }

        impl $crate::query::Query for $name {
            fn parameters() -> Vec<$crate::query::Parameter> {
                vec![$($crate::query::Parameter {
                    name: stringify!($field),
                    description: $doc.trim_ascii(),
                    schema: <$type as $crate::query::Argument>::schema(),
                },)+]
            }

            fn parse(
                pairs: &$crate::query::Pairs<'_>,
                problems: &mut $crate::problems::Problems<'_>,
            ) -> Self {
                Self { $($field: $crate::query::argument(pairs, stringify!($field), problems),)+ }
            }
        }
    )+};
}
pub(crate) use query;

/// How many items a page has at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit(pub(crate) usize);

impl Default for Limit {
    fn default() -> Self {
        Self(DEFAULT_LIMIT)
    }
}

impl Argument for Limit {
    fn schema() -> Value {
        json!({ "type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT })
    }

    fn parse(values: &[&str]) -> Result<Self, String> {
        match values[0].parse() {
            Ok(limit @ 1..=MAX_LIMIT) => Ok(Self(limit)),
            _ => Err(format!("must be a number from 1 to {MAX_LIMIT}")),
        }
    }
}

/// A switch that is off unless it is said.
impl Argument for bool {
    fn schema() -> Value {
        json!({ "type": "boolean", "default": false })
    }

    fn parse(values: &[&str]) -> Result<Self, String> {
        truth(values[0])
    }
}

/// A switch that is on unless it is said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OnByDefault(pub(crate) bool);

impl Default for OnByDefault {
    fn default() -> Self {
        Self(true)
    }
}

impl Argument for OnByDefault {
    fn schema() -> Value {
        json!({ "type": "boolean", "default": true })
    }

    fn parse(values: &[&str]) -> Result<Self, String> {
        truth(values[0]).map(Self)
    }
}

fn truth(text: &str) -> Result<bool, String> {
    match text {
        "true" | "True" | "1" => Ok(true),
        "false" | "False" | "0" => Ok(false),
        _ => Err("must be true or false".to_owned()),
    }
}

impl Argument for Option<Timestamp> {
    fn schema() -> Value {
        json!({ "type": "string", "format": "date-time" })
    }

    fn parse(values: &[&str]) -> Result<Self, String> {
        // Clients that do not encode the plus of an offset send a blank.
        let text = values[0].replace(' ', "+");
        let parsed: jiff::Timestamp =
            text.parse().map_err(|_| "must be a date and time as of RFC 3339".to_owned())?;
        Ok(Some(crate::convert::from_wire(parsed)))
    }
}

impl Argument for Option<String> {
    fn schema() -> Value {
        json!({ "type": "string" })
    }

    fn parse(values: &[&str]) -> Result<Self, String> {
        Ok(Some(values[0].to_owned()))
    }
}

impl Argument for Option<Ordering> {
    fn schema() -> Value {
        json!({ "type": "string", "enum": ["ascending", "descending"] })
    }

    fn parse(values: &[&str]) -> Result<Self, String> {
        match values[0] {
            "ascending" => Ok(Some(Ordering::Ascending)),
            "descending" => Ok(Some(Ordering::Descending)),
            _ => Err("must be ascending or descending".to_owned()),
        }
    }
}

impl Argument for Option<MessageStatus> {
    fn schema() -> Value {
        json!({ "type": "integer", "enum": numbers(MessageStatus::ALL.iter().map(|it| it.number())) })
    }

    fn parse(values: &[&str]) -> Result<Self, String> {
        let status = values[0].parse().ok().and_then(MessageStatus::from_number);
        status.map(Some).ok_or_else(|| "must be 0, 1, 2, 3 or 4".to_owned())
    }
}

impl Argument for Option<StatusCodeClass> {
    fn schema() -> Value {
        json!({ "type": "integer", "enum": numbers(StatusCodeClass::ALL.iter().map(|it| it.number())) })
    }

    fn parse(values: &[&str]) -> Result<Self, String> {
        let class = values[0].parse().ok().and_then(StatusCodeClass::from_number);
        class.map(Some).ok_or_else(|| "must be 0, 100, 200, 300, 400 or 500".to_owned())
    }
}

fn numbers(numbers: impl Iterator<Item = u16>) -> Vec<u16> {
    numbers.collect()
}

/// Event types: several parameters, or one with commas.
impl Argument for Vec<EventTypeName> {
    fn schema() -> Value {
        json!({ "type": "array", "items": { "type": "string" } })
    }

    fn parse(values: &[&str]) -> Result<Self, String> {
        let names = values.iter().flat_map(|it| it.split(',')).filter(|it| !it.is_empty());
        names.map(|it| it.parse().map_err(|error| format!("{it}: {error}"))).collect()
    }
}
