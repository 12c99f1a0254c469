//! Replies: the output of an operation with its status code.
//!
//! The status code is part of the type, so that the document and the response cannot differ.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;

use crate::api::{error::ApiError, response::ApiResponse};

/// The output of an operation with its status code.
pub trait Reply: Sized + Send + 'static {
    /// The output for a caller in process.
    type Value: Send + 'static;

    /// Possible status codes, with the schemas of their bodies.
    fn describe(generator: &mut SchemaGenerator) -> Vec<(StatusCode, Option<Schema>)>;

    fn into_api_response(self) -> Result<ApiResponse, ApiError>;

    fn into_value(self) -> Self::Value;
}

macro_rules! replies {
    ($($(#[doc = $doc:literal])+ $name:ident = $status:ident;)+) => {$(
        $(#[doc = $doc])+
        #[derive(Debug)]
        pub struct $name<T>(pub(crate) T);

        impl<T: Serialize + JsonSchema + Send + 'static> Reply for $name<T> {
            type Value = T;

            fn describe(generator: &mut SchemaGenerator) -> Vec<(StatusCode, Option<Schema>)> {
                vec![(StatusCode::$status, Some(generator.subschema_for::<T>()))]
            }

            fn into_api_response(self) -> Result<ApiResponse, ApiError> {
                response(StatusCode::$status, &self.0)
            }

            fn into_value(self) -> T {
                self.0
            }
        }
    )+};
}

replies! {
    /// The operation has been performed.
    Done = OK;
    /// A record has been created.
    Created = CREATED;
    /// Work has been accepted, and goes on after the response.
    Accepted = ACCEPTED;
}

/// A record that has been created, or that exists already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upserted<T> {
    Created(T),
    Existing(T),
}

impl<T> Upserted<T> {
    /// The record, in either case.
    pub fn into_inner(self) -> T {
        match self {
            Self::Created(value) | Self::Existing(value) => value,
        }
    }
}

impl<T: Serialize + JsonSchema + Send + 'static> Reply for Upserted<T> {
    type Value = Self;

    fn describe(generator: &mut SchemaGenerator) -> Vec<(StatusCode, Option<Schema>)> {
        [StatusCode::OK, StatusCode::CREATED]
            .map(|status| (status, Some(generator.subschema_for::<T>())))
            .into()
    }

    fn into_api_response(self) -> Result<ApiResponse, ApiError> {
        match self {
            Self::Created(value) => response(StatusCode::CREATED, &value),
            Self::Existing(value) => response(StatusCode::OK, &value),
        }
    }

    fn into_value(self) -> Self {
        self
    }
}

/// A value, or nothing if there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IfAny<T>(pub(crate) Option<T>);

impl<T: Serialize + JsonSchema + Send + 'static> Reply for IfAny<T> {
    type Value = Option<T>;

    fn describe(generator: &mut SchemaGenerator) -> Vec<(StatusCode, Option<Schema>)> {
        vec![(StatusCode::OK, Some(generator.subschema_for::<T>())), (StatusCode::NO_CONTENT, None)]
    }

    fn into_api_response(self) -> Result<ApiResponse, ApiError> {
        match self.0 {
            Some(value) => response(StatusCode::OK, &value),
            None => Ok(ApiResponse::json(StatusCode::NO_CONTENT, Bytes::new())),
        }
    }

    fn into_value(self) -> Option<T> {
        self.0
    }
}

/// JSON values, one on each line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ndjson<T> {
    pub lines: Vec<T>,
    /// Where the next page starts; none if this is the last one.
    pub iterator: Option<String>,
}

const NDJSON: HeaderValue = HeaderValue::from_static("application/x-ndjson");

/// The response header with the iterator of the next page.
const ITERATOR: HeaderName = HeaderName::from_static("postrider-iterator");

impl<T: Serialize + JsonSchema + Send + 'static> Reply for Ndjson<T> {
    type Value = Self;

    fn describe(generator: &mut SchemaGenerator) -> Vec<(StatusCode, Option<Schema>)> {
        vec![(StatusCode::OK, Some(generator.subschema_for::<T>()))]
    }

    fn into_api_response(self) -> Result<ApiResponse, ApiError> {
        let internal = |error: serde_json::Error| ApiError::Internal(error.into());
        let mut body = Vec::new();
        for line in &self.lines {
            serde_json::to_writer(&mut body, line).map_err(internal)?;
            body.push(b'\n');
        }
        let mut response = ApiResponse::json(StatusCode::OK, body);
        response.headers.push((header::CONTENT_TYPE, NDJSON));
        let iterator = self.iterator.map(HeaderValue::try_from).transpose();
        let iterator = iterator.map_err(|error| ApiError::Internal(error.into()))?;
        response.headers.extend(iterator.map(|iterator| (ITERATOR, iterator)));
        Ok(response)
    }

    fn into_value(self) -> Self {
        self
    }
}

/// The operation has been performed, and returns nothing.
#[derive(Debug)]
pub struct NoContent;

impl Reply for NoContent {
    type Value = ();

    fn describe(_: &mut SchemaGenerator) -> Vec<(StatusCode, Option<Schema>)> {
        vec![(StatusCode::NO_CONTENT, None)]
    }

    fn into_api_response(self) -> Result<ApiResponse, ApiError> {
        Ok(ApiResponse::json(StatusCode::NO_CONTENT, Bytes::new()))
    }

    fn into_value(self) {}
}

fn response(status: StatusCode, value: &impl Serialize) -> Result<ApiResponse, ApiError> {
    let body = serde_json::to_vec(value).map_err(|error| ApiError::Internal(error.into()))?;
    Ok(ApiResponse::json(status, body))
}
