//! Query strings: parameters of operations, declared once for parsing and for the document.

use std::{borrow::Cow, str::FromStr};

use postrider::{
    EventTypeName,
    api::{
        DeadLetterCause, EndpointKind, FailureCause, MessageStatus, Ordering, StatisticsPeriod,
        StatusCodeClass,
        list::{DEFAULT_LIMIT, MAX_LIMIT},
        time,
    },
};
use postrider_core::time::Timestamp;
use serde_json::{Value, json};

use crate::api::{error::ApiError, problems::Problems, suggest};

/// A parameter, for the `OpenAPI` document.
#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) schema: Value,
}

/// The parameters of an operation.
pub(crate) trait Query: Sized + Send {
    fn parameters() -> Vec<Parameter>;

    /// The names of all parameters.
    fn names() -> Vec<Name>;

    fn parse(pairs: &Pairs<'_>, problems: &mut Problems<'_>) -> Self;

    /// Parses a query string. Unknown parameters are refused: a misspelled filter would silently
    /// return everything.
    fn read(query: Option<&str>) -> Result<Self, ApiError> {
        let mut problems = Problems::within(&["query"]);
        let pairs = match query.filter(|it| !it.is_empty()) {
            Some(query) => Pairs::new(query, &Self::names(), &mut problems),
            None => Pairs(Vec::new()),
        };
        let parsed = Self::parse(&pairs, &mut problems);
        problems.finish_with(parsed)
    }
}

/// No parameters.
impl Query for () {
    fn parameters() -> Vec<Parameter> {
        Vec::new()
    }

    fn names() -> Vec<Name> {
        Vec::new()
    }

    fn parse(_: &Pairs<'_>, _: &mut Problems<'_>) -> Self {}
}

/// The parameters of both.
impl<A: Query, B: Query> Query for (A, B) {
    fn parameters() -> Vec<Parameter> {
        A::parameters().into_iter().chain(B::parameters()).collect()
    }

    fn names() -> Vec<Name> {
        [A::names(), B::names()].concat()
    }

    fn parse(pairs: &Pairs<'_>, problems: &mut Problems<'_>) -> Self {
        (A::parse(pairs, problems), B::parse(pairs, problems))
    }
}

/// The name of a parameter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Name {
    pub(crate) name: &'static str,
    /// Whether it can be given several times.
    pub(crate) is_list: bool,
}

/// Parameters of the hosted API that have no effect: attempts are never cancelled, so there is no
/// other status to distinguish, and no endpoint leads to a playground that is not to be counted.
const IGNORED: &[&str] = &["expanded_statuses", "exclude_svix_play"];

/// The decoded pairs of a query string.
#[derive(Debug)]
pub(crate) struct Pairs<'a>(Vec<(&'static str, Cow<'a, str>)>);

impl<'a> Pairs<'a> {
    fn new(query: &'a str, names: &[Name], problems: &mut Problems<'_>) -> Self {
        let mut pairs = Vec::new();
        for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match names.iter().find(|it| it.matches_key(&key)) {
                Some(it) => pairs.push((it.name, value)),
                None if IGNORED.contains(&&*key) => {},
                None => {
                    let known = names.iter().map(|it| it.name);
                    let sentence =
                        || suggest::with_suggestions("is not a known parameter", &key, known, "");
                    problems.explain(&[&key], sentence);
                },
            }
        }
        Self(pairs)
    }

    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(key, _)| *key == name).map(|(_, value)| &**value)
    }
}

impl Name {
    /// Whether the key is this parameter. For lists, clients also write `name[]=a` and `name[0]=a`.
    fn matches_key(self, key: &str) -> bool {
        let Some(rest) = key.strip_prefix(self.name) else { return false };
        let index = rest.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        let is_index = |it: &str| it.bytes().all(|byte| byte.is_ascii_digit());
        rest.is_empty() || (self.is_list && index.is_some_and(is_index))
    }
}

/// The type of a parameter.
pub(crate) trait Argument: Sized + Default {
    /// Whether the parameter can be given several times.
    const IS_LIST: bool = false;

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

/// Declares the query parameters of an operation.
macro_rules! query {
    ($(
        $(#[$outer:meta])*
        $name:ident { $(#[doc = $doc:literal] $field:ident: $type:ty,)+ }
    )+) => {$(
        $(#[$outer])*
        #[derive(Clone, Debug, Default)]
        pub struct $name {
            $(#[doc = $doc] pub $field: $type,)+
        }

        impl $crate::api::query::Query for $name {
            fn parameters() -> Vec<$crate::api::query::Parameter> {
                vec![$($crate::api::query::Parameter {
                    name: stringify!($field),
                    description: $doc.trim_ascii(),
                    schema: <$type as $crate::api::query::Argument>::schema(),
                },)+]
            }

            fn names() -> Vec<$crate::api::query::Name> {
                vec![$($crate::api::query::Name {
                    name: stringify!($field),
                    is_list: <$type as $crate::api::query::Argument>::IS_LIST,
                },)+]
            }

            fn parse(
                pairs: &$crate::api::query::Pairs<'_>,
                problems: &mut $crate::api::problems::Problems<'_>,
            ) -> Self {
                Self { $($field: $crate::api::query::argument(pairs, stringify!($field), problems),)+ }
            }
        }
    )+};
}
pub(crate) use query;

/// The maximum number of items on a page.
#[derive(Clone, Copy, Debug)]
pub struct Limit(pub usize);

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

/// A switch that is off by default.
impl Argument for bool {
    fn schema() -> Value {
        json!({ "type": "boolean", "default": false })
    }

    fn parse(values: &[&str]) -> Result<Self, String> {
        parse_bool(values[0])
    }
}

/// A switch that is on by default.
#[derive(Clone, Copy, Debug)]
pub struct OnByDefault(pub bool);

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
        parse_bool(values[0]).map(Self)
    }
}

fn parse_bool(text: &str) -> Result<bool, String> {
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
        let parsed = time::parse(values[0]).or_else(|error| {
            // Clients that do not encode the plus of an offset send a space.
            let (rest, offset) = values[0].rsplit_once(' ').ok_or(error)?;
            time::parse(&format!("{rest}+{offset}"))
        });
        let parsed = parsed.map_err(|error| error.to_string())?;
        Ok(Some(crate::api::convert::from_wire(parsed)))
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

impl Argument for Option<EventTypeName> {
    fn schema() -> Value {
        json!({ "type": "string" })
    }

    fn parse(values: &[&str]) -> Result<Self, String> {
        values[0]
            .parse()
            .map(Some)
            .map_err(|error: <EventTypeName as FromStr>::Err| error.to_string())
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

impl Argument for Option<bool> {
    fn schema() -> Value {
        json!({ "type": "boolean" })
    }

    fn parse(values: &[&str]) -> Result<Self, String> {
        parse_bool(values[0]).map(Some)
    }
}

impl Argument for Option<EndpointKind> {
    fn schema() -> Value {
        json!({ "type": "string", "enum": EndpointKind::ALL.map(EndpointKind::name) })
    }

    fn parse(values: &[&str]) -> Result<Self, String> {
        values[0].parse().map(Some).map_err(|_| {
            suggest::with_suggestions(
                "is not a known kind",
                values[0],
                EndpointKind::ALL.into_iter().map(EndpointKind::name),
                "",
            )
        })
    }
}

impl Argument for Option<StatisticsPeriod> {
    fn schema() -> Value {
        json!({ "type": "string", "enum": StatisticsPeriod::ALL.map(StatisticsPeriod::name) })
    }

    fn parse(values: &[&str]) -> Result<Self, String> {
        let found = StatisticsPeriod::ALL.into_iter().find(|it| it.name() == values[0]);
        found.map(Some).ok_or_else(|| {
            let names = StatisticsPeriod::ALL.map(StatisticsPeriod::name);
            format!("must be one of {}", names.join(", "))
        })
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

impl Argument for Option<DeadLetterCause> {
    fn schema() -> Value {
        json!({ "type": "string", "enum": DeadLetterCause::ALL.map(DeadLetterCause::name) })
    }

    fn parse(values: &[&str]) -> Result<Self, String> {
        let found = DeadLetterCause::ALL.into_iter().find(|cause| cause.name() == values[0]);
        let names = || DeadLetterCause::ALL.map(DeadLetterCause::name).join(", ");
        found.map(Some).ok_or_else(|| format!("must be one of {}", names()))
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

impl Argument for Option<FailureCause> {
    fn schema() -> Value {
        json!({ "type": "string", "enum": FailureCause::ALL.map(FailureCause::name) })
    }

    fn parse(values: &[&str]) -> Result<Self, String> {
        let found = FailureCause::ALL.into_iter().find(|cause| cause.name() == values[0]);
        let names = || FailureCause::ALL.map(FailureCause::name).join(", ");
        found.map(Some).ok_or_else(|| format!("must be one of {}", names()))
    }
}

/// The status code of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusCode(pub u16);

impl Argument for Option<StatusCode> {
    fn schema() -> Value {
        json!({ "type": "integer", "minimum": 0, "maximum": 599 })
    }

    fn parse(values: &[&str]) -> Result<Self, String> {
        match values[0].parse() {
            Ok(status @ (0 | 100..=599)) => Ok(Some(StatusCode(status))),
            _ => Err("must be a status code from 100 to 599, or 0 for no response".to_owned()),
        }
    }
}

fn numbers(numbers: impl Iterator<Item = u16>) -> Vec<u16> {
    numbers.collect()
}

/// Maximum number of event types in a query. Each row of a list is compared with all of them.
const MAX_EVENT_TYPES: usize = 250;

/// Event types: several parameters, or one that is separated by commas.
impl Argument for Vec<EventTypeName> {
    const IS_LIST: bool = true;

    fn schema() -> Value {
        json!({ "type": "array", "items": { "type": "string" } })
    }

    fn parse(values: &[&str]) -> Result<Self, String> {
        let names = values.iter().flat_map(|it| it.split(',')).filter(|it| !it.is_empty());
        if names.clone().count() > MAX_EVENT_TYPES {
            return Err(format!("has more than {MAX_EVENT_TYPES} event types"));
        }
        names.map(|it| it.parse().map_err(|error| format!("{it}: {error}"))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    query! {
        #[expect(unreachable_pub, reason = "operations make theirs public")]
        Example {
            /// A number.
            limit: Limit,
            /// A list.
            event_types: Vec<EventTypeName>,
        }
    }

    #[track_caller]
    fn check(query: &str, expected: Result<&[&str], &str>) {
        match (Example::read(Some(query)), expected) {
            (Ok(read), Ok(expected)) => {
                assert!(read.limit.0 <= MAX_LIMIT);
                let names: Vec<_> = read.event_types.iter().map(EventTypeName::as_str).collect();
                assert_eq!(names, expected, "{query}");
            },
            (Err(ApiError::Invalid(items)), Err(expected)) => {
                let sentence = |it: &postrider::api::ValidationItem| {
                    format!("{} {}", it.loc.join("."), it.msg)
                };
                let sentences: Vec<_> = items.iter().map(sentence).collect();
                assert_eq!(sentences.join(", "), expected, "{query}");
            },
            (actual, _) => panic!("{query}: {actual:?}"),
        }
    }

    #[test]
    fn lists_are_read_in_the_forms_that_clients_write() {
        check("", Ok(&[]));
        check("event_types=", Ok(&[]));
        for query in [
            "event_types=x&event_types=y.z",
            "event_types=x,y.z",
            "event_types=x%2Cy.z",
            "event_types[]=x&event_types[]=y.z",
            "event_types[0]=x&event_types[1]=y.z",
            "event_types%5B%5D=x&event_types%5B10%5D=y.z",
            "event_types[]=x,y.z&limit=5&expanded_statuses=true",
        ] {
            check(query, Ok(&["x", "y.z"]));
        }
    }

    #[test]
    fn unknown_parameters_are_refused() {
        let near = "is not a known parameter; did you mean";
        check("event_type=x", Err(&format!("query.event_type {near} event_types?")));
        check("eventTypes=x", Err(&format!("query.eventTypes {near} event_types?")));
        check("event_types[a]=x", Err(&format!("query.event_types[a] {near} event_types?")));
        check("limit[]=5", Err(&format!("query.limit[] {near} limit?")));
        check("zzz=1&limit=5", Err("query.zzz is not a known parameter"));
    }
}
