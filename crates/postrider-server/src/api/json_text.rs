//! Values as JSON text, for operations that neither parse nor serialize them twice.

use std::marker::PhantomData;

use bytes::Bytes;
use http::StatusCode;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Serialize, de::DeserializeOwned};

use crate::api::{error::ApiError, reply::Reply, response::ApiResponse};

/// A `T` as JSON text, which is parsed only where it is used.
#[derive(Debug)]
pub struct JsonText<T> {
    bytes: Bytes,
    of: PhantomData<fn() -> T>,
}

impl<T> JsonText<T> {
    /// Takes JSON text, which the operation that it is passed to will check.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self { bytes: bytes.into(), of: PhantomData }
    }

    /// Serializes a value that has the JSON of a `T`.
    pub(crate) fn of_same(value: &impl Serialize) -> Result<Self, ApiError> {
        serde_json::to_vec(value).map(Self::new).map_err(|error| ApiError::Internal(error.into()))
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl<T: Serialize> JsonText<T> {
    /// Serializes a value.
    pub fn of(value: &T) -> Result<Self, ApiError> {
        Self::of_same(value)
    }
}

impl<T: DeserializeOwned> JsonText<T> {
    /// Parses the text.
    pub fn parse(&self) -> Result<T, ApiError> {
        serde_json::from_slice(&self.bytes).map_err(|error| ApiError::Internal(error.into()))
    }
}

/// `202 Accepted` with a body that has been serialized.
#[derive(Debug)]
pub struct AcceptedText<T>(pub(crate) JsonText<T>);

/// `200 OK` with a body that has been serialized.
#[derive(Debug)]
pub struct DoneText<T>(pub(crate) JsonText<T>);

macro_rules! text_replies {
    ($($name:ident = $status:ident;)+) => {$(
        impl<T: JsonSchema + 'static> Reply for $name<T> {
            type Value = JsonText<T>;

            fn describe(generator: &mut SchemaGenerator) -> Vec<(StatusCode, Option<Schema>)> {
                vec![(StatusCode::$status, Some(generator.subschema_for::<T>()))]
            }

            fn into_api_response(self) -> Result<ApiResponse, ApiError> {
                Ok(ApiResponse::json(StatusCode::$status, self.0.bytes))
            }

            fn into_value(self) -> JsonText<T> {
                self.0
            }
        }
    )+};
}

text_replies! {
    AcceptedText = ACCEPTED;
    DoneText = OK;
}
