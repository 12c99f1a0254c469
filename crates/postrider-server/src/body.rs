//! Request bodies: parsed with the place of what is wrong.

use std::{marker::PhantomData, sync::Arc};

use bytes::Bytes;
use postrider::api::ValidationItem;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, value::RawValue};
use serde_path_to_error::Segment;

use crate::{
    error::{ApiError, item},
    shape::Shape,
};

/// What an operation takes from the request's body.
pub(crate) trait Body: Sized + Send {
    /// Whether there must be a body.
    const IS_REQUIRED: bool = true;

    fn schema(generator: &mut SchemaGenerator) -> Option<Schema>;

    /// Parses a body. Fields that `shape` does not have are refused: a misspelled one would
    /// silently do nothing.
    fn parse(bytes: Bytes, shape: &Arc<Shape>) -> Result<Self, ApiError>;

    /// Which fields the body may have.
    fn shape() -> Arc<Shape> {
        let mut generator = SchemaGenerator::default();
        let shape = Self::schema(&mut generator)
            .map_or(Shape::NOTHING, |schema| Shape::of(schema.as_value(), generator.definitions()));
        Arc::new(shape)
    }
}

/// Nothing. A body without fields is ignored, because some clients send an empty object.
impl Body for () {
    fn schema(_: &mut SchemaGenerator) -> Option<Schema> {
        None
    }

    fn parse(bytes: Bytes, shape: &Arc<Shape>) -> Result<Self, ApiError> {
        refuse_unknown(&bytes, shape)
    }
}

pub(crate) fn refuse_unknown(bytes: &[u8], shape: &Shape) -> Result<(), ApiError> {
    let unknown = shape.unknown_fields(bytes);
    if unknown.is_empty() { Ok(()) } else { Err(ApiError::Invalid(unknown)) }
}

/// A JSON value of this type.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned + JsonSchema + Send> Body for Json<T> {
    fn schema(generator: &mut SchemaGenerator) -> Option<Schema> {
        Some(generator.subschema_for::<T>())
    }

    fn parse(bytes: Bytes, shape: &Arc<Shape>) -> Result<Self, ApiError> {
        object(&bytes)?;
        let parsed = parse(&bytes, shape)?;
        refuse_unknown(&bytes, shape)?;
        Ok(Self(parsed))
    }
}

/// A JSON value of this type, or its default if there is no body.
#[derive(Debug)]
pub(crate) struct Optional<T>(pub(crate) T);

impl<T: DeserializeOwned + JsonSchema + Send + Default> Body for Optional<T> {
    const IS_REQUIRED: bool = false;

    fn schema(generator: &mut SchemaGenerator) -> Option<Schema> {
        Json::<T>::schema(generator)
    }

    fn parse(bytes: Bytes, shape: &Arc<Shape>) -> Result<Self, ApiError> {
        if bytes.trim_ascii().is_empty() {
            return Ok(Self(T::default()));
        }
        Json::parse(bytes, shape).map(|Json(value)| Self(value))
    }
}

/// A JSON value of this type, which the handler parses in its own way.
#[derive(Debug)]
pub(crate) struct Unparsed<T> {
    pub(crate) bytes: Bytes,
    pub(crate) shape: Arc<Shape>,
    of: PhantomData<fn() -> T>,
}

impl<T: JsonSchema> Body for Unparsed<T> {
    fn schema(generator: &mut SchemaGenerator) -> Option<Schema> {
        Some(generator.subschema_for::<T>())
    }

    fn parse(bytes: Bytes, shape: &Arc<Shape>) -> Result<Self, ApiError> {
        object(&bytes)?;
        Ok(Self { bytes, shape: Arc::clone(shape), of: PhantomData })
    }
}

/// Refuses lists, which would otherwise be read as the fields of an object in their order.
fn object(bytes: &[u8]) -> Result<(), ApiError> {
    match bytes.trim_ascii_start().first() {
        Some(b'[') => Err(ApiError::invalid(&["body"], "must be a JSON object")),
        _ => Ok(()),
    }
}

/// Parses JSON; what is wrong is told with its place.
fn parse<T: DeserializeOwned>(bytes: &[u8], shape: &Shape) -> Result<T, ApiError> {
    serde_json::from_slice(bytes).map_err(|_| refusal::<T>(bytes, shape))
}

/// All that keeps the bytes from being a `T` of this shape. It is for bytes that have failed.
pub(crate) fn refusal<T: DeserializeOwned>(bytes: &[u8], shape: &Shape) -> ApiError {
    let unknown = shape.unknown_fields(bytes);
    let is_only_unknown = !unknown.is_empty() && serde_json::from_slice::<T>(bytes).is_ok();
    let wrong = (!is_only_unknown).then(|| explain::<T>(bytes));
    ApiError::Invalid(wrong.into_iter().chain(unknown).collect())
}

/// Tells what keeps the bytes from being a `T`, and where. It parses again and again, so it
/// is for bytes that have failed.
fn explain<T: DeserializeOwned>(bytes: &[u8]) -> ValidationItem {
    if let Err(error) = serde_json::from_slice::<&RawValue>(bytes) {
        return item(&["body"], format!("is not JSON: {error}"), "value_error.jsondecode");
    }
    let mut place = vec!["body".to_owned()];
    let mut parser = serde_json::Deserializer::from_slice(bytes);
    let Err(error) = serde_path_to_error::deserialize::<_, T>(&mut parser) else {
        return item(&["body"], "is not one JSON value", "value_error.jsondecode");
    };
    place.extend(error.path().iter().filter_map(segment));
    let message = bare(&error.inner().to_string()).to_owned();
    if place.len() == 1 {
        place.extend(culprit::<T>(bytes, &message));
    }
    let missing = missing(&message);
    place.extend(missing.map(ToOwned::to_owned));
    let (message, kind) = match missing {
        Some(_) => ("field required".to_owned(), "value_error.missing"),
        None => (message, "type_error"),
    };
    ValidationItem { loc: place, msg: message, kind: kind.to_owned() }
}

fn segment(segment: &Segment) -> Option<String> {
    match segment {
        Segment::Seq { index } => Some(index.to_string()),
        Segment::Map { key } => Some(key.clone()),
        Segment::Enum { .. } | Segment::Unknown => None,
    }
}

/// The field of an object without which this error would not be. Errors in flattened fields
/// do not say where they are.
fn culprit<T: DeserializeOwned>(bytes: &[u8], message: &str) -> Option<String> {
    if missing(message).is_some() {
        return None;
    }
    let fields: Map<String, Value> = serde_json::from_slice(bytes).ok()?;
    let is_guilty = |name: &&String| {
        let mut others = fields.clone();
        others.remove(*name);
        let Err(error) = serde_json::from_value::<T>(Value::Object(others)) else { return true };
        let error = error.to_string();
        bare(&error) != message && missing(bare(&error)) != Some(name.as_str())
    };
    fields.keys().find(is_guilty).cloned()
}

/// The message without the line and column that it ends with.
fn bare(message: &str) -> &str {
    message.rsplit_once(" at line ").map_or(message, |(bare, _)| bare)
}

/// The field that a message says is missing.
fn missing(message: &str) -> Option<&str> {
    message.strip_prefix("missing field `")?.strip_suffix('`')
}
