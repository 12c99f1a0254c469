//! Request bodies: parsed with the places of their problems.

use std::marker::PhantomData;

use bytes::Bytes;
use postrider::api::{ValidationItem, renamed::FLATTENED};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde_json::{Value, value::RawValue};
use serde_path_to_error::Segment;

use crate::api::{error::ApiError, json_text::JsonText, problem_list::item, shape::Shape};

/// A format of request bodies.
pub(crate) trait Body {
    /// What a body is parsed into.
    type Value;

    /// Whether a request without a body is refused.
    const IS_REQUIRED: bool = true;

    fn schema(generator: &mut SchemaGenerator) -> Option<Schema>;

    /// Parses a body. Fields that `shape` does not have are refused: a misspelled one would
    /// silently have no effect.
    fn parse(bytes: Bytes, shape: &Shape) -> Result<Self::Value, ApiError>;

    /// Which fields the body may have.
    fn shape() -> Shape {
        let mut generator = SchemaGenerator::default();
        Self::schema(&mut generator)
            .map_or(Shape::NOTHING, |schema| Shape::of(schema.as_value(), generator.definitions()))
    }
}

/// No body. An empty object is accepted, because some clients send one.
impl Body for () {
    type Value = ();

    const IS_REQUIRED: bool = false;

    fn schema(_: &mut SchemaGenerator) -> Option<Schema> {
        None
    }

    fn parse(bytes: Bytes, shape: &Shape) -> Result<(), ApiError> {
        refuse_unknown(&bytes, shape)
    }
}

pub(crate) fn refuse_unknown(bytes: &[u8], shape: &Shape) -> Result<(), ApiError> {
    let unknown = shape.unknown_fields(bytes);
    if unknown.is_empty() { Ok(()) } else { Err(ApiError::Invalid(unknown.into_items())) }
}

/// A JSON value of this type.
#[derive(Debug)]
pub(crate) struct Json<T>(PhantomData<fn() -> T>);

impl<T: DeserializeOwned + JsonSchema> Body for Json<T> {
    type Value = T;

    fn schema(generator: &mut SchemaGenerator) -> Option<Schema> {
        Some(generator.subschema_for::<T>())
    }

    fn parse(bytes: Bytes, shape: &Shape) -> Result<T, ApiError> {
        refuse_list(&bytes)?;
        let parsed = parse(&bytes, shape)?;
        refuse_unknown(&bytes, shape)?;
        Ok(parsed)
    }
}

/// A JSON value of this type, or its default if there is no body.
#[derive(Debug)]
pub(crate) struct OptionalJson<T>(PhantomData<fn() -> T>);

impl<T: DeserializeOwned + JsonSchema + Default> Body for OptionalJson<T> {
    type Value = T;

    const IS_REQUIRED: bool = false;

    fn schema(generator: &mut SchemaGenerator) -> Option<Schema> {
        Json::<T>::schema(generator)
    }

    fn parse(bytes: Bytes, shape: &Shape) -> Result<T, ApiError> {
        if bytes.trim_ascii().is_empty() {
            return Ok(T::default());
        }
        Json::parse(bytes, shape)
    }
}

/// A JSON value that the operation parses itself, so that it can borrow from the text.
#[derive(Debug)]
pub(crate) struct Unparsed<T>(PhantomData<fn() -> T>);

impl<T: JsonSchema> Body for Unparsed<JsonText<T>> {
    type Value = JsonText<T>;

    fn schema(generator: &mut SchemaGenerator) -> Option<Schema> {
        Some(generator.subschema_for::<T>())
    }

    fn parse(bytes: Bytes, _: &Shape) -> Result<JsonText<T>, ApiError> {
        refuse_list(&bytes)?;
        Ok(JsonText::new(bytes))
    }
}

/// Refuses lists, which would otherwise be read as the fields of an object in their order.
fn refuse_list(bytes: &[u8]) -> Result<(), ApiError> {
    match bytes.trim_ascii_start().first() {
        Some(b'[') => Err(ApiError::invalid(&["body"], "must be a JSON object")),
        _ => Ok(()),
    }
}

/// Parses JSON, or returns the problems with their locations.
fn parse<T: DeserializeOwned>(bytes: &[u8], shape: &Shape) -> Result<T, ApiError> {
    serde_json::from_slice(bytes).map_err(|_| parse_error::<T>(bytes, shape))
}

/// All reasons why the bytes are not a `T` of this shape. For bytes that did not parse; it reads
/// them a fixed number of times.
pub(crate) fn parse_error<T: DeserializeOwned>(bytes: &[u8], shape: &Shape) -> ApiError {
    Parser::of::<T>().problems(bytes, shape)
}

/// How a type is parsed. What looks for problems is compiled once, and not for each type.
#[derive(Clone, Copy, Debug)]
struct Parser {
    parse: fn(&[u8]) -> Result<(), serde_json::Error>,
    /// Parses, and returns the first error with its location.
    locate: fn(&[u8]) -> Option<(serde_path_to_error::Path, serde_json::Error)>,
}

impl Parser {
    fn of<T: DeserializeOwned>() -> Self {
        Self {
            parse: |bytes| serde_json::from_slice::<T>(bytes).map(drop),
            locate: |bytes| {
                let mut parser = serde_json::Deserializer::from_slice(bytes);
                let error = serde_path_to_error::deserialize::<_, T>(&mut parser).err()?;
                Some((error.path().clone(), error.into_inner()))
            },
        }
    }

    fn problems(self, bytes: &[u8], shape: &Shape) -> ApiError {
        let mut found = shape.unknown_fields(bytes);
        let is_only_unknown = !found.is_empty() && (self.parse)(bytes).is_ok();
        if !is_only_unknown {
            found.put_first(self.first_problem(bytes));
        }
        ApiError::Invalid(found.into_items())
    }

    /// The reason why the bytes do not parse, with its location.
    fn first_problem(self, bytes: &[u8]) -> ValidationItem {
        if let Err(error) = serde_json::from_slice::<&RawValue>(bytes) {
            return item(&["body"], format!("is not JSON: {error}"), "value_error.jsondecode");
        }
        let Some((path, error)) = (self.locate)(bytes) else {
            return item(&["body"], "is not one JSON value", "value_error.jsondecode");
        };
        let mut place = vec!["body".to_owned()];
        place.extend(path.iter().filter_map(segment));
        let message = error.to_string();
        let message = without_position(&message);
        let field = field_of(message, "missing").or_else(|| field_of(message, "duplicate"));
        match field {
            Some(field) => place.push(field.to_owned()),
            None if place.len() == 1 => {
                place.extend(self.offending_field(bytes, message).map(str::to_owned));
            },
            None => {},
        }
        let place: Vec<_> = place.iter().map(String::as_str).collect();
        if message.starts_with("missing field") {
            item(&place, "field required", "value_error.missing")
        } else {
            item(&place, message, "type_error")
        }
    }

    /// The field that causes an error, among the fields whose errors have no location. There are
    /// few of them, so each is left out in turn.
    fn offending_field(self, bytes: &[u8], message: &str) -> Option<&'static str> {
        let mut body: Value = serde_json::from_slice(bytes).ok()?;
        FLATTENED.into_iter().find(|name| {
            let Some(value) = body.as_object_mut().and_then(|it| it.remove(*name)) else {
                return false;
            };
            let is_cause = match (self.parse)(body.to_string().as_bytes()) {
                Ok(()) => true,
                Err(error) => without_position(&error.to_string()) != message,
            };
            if let Some(fields) = body.as_object_mut() {
                fields.insert((*name).to_owned(), value);
            }
            is_cause
        })
    }
}

fn segment(segment: &Segment) -> Option<String> {
    match segment {
        Segment::Seq { index } => Some(index.to_string()),
        Segment::Map { key } => Some(key.clone()),
        Segment::Enum { .. } | Segment::Unknown => None,
    }
}

/// The message without the line and column that it ends with.
fn without_position(message: &str) -> &str {
    message.rsplit_once(" at line ").map_or(message, |(without_position, _)| without_position)
}

/// The field that a message says is missing or duplicate.
fn field_of<'a>(message: &'a str, what: &str) -> Option<&'a str> {
    message.strip_prefix(what)?.strip_prefix(" field `")?.strip_suffix('`')
}
