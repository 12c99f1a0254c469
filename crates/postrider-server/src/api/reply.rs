//! What handlers answer with: the status is part of the type, so that the document and the
//! answer cannot disagree.

use axum::response::Response;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;

use crate::api::error::ApiError;

/// An answer, ready to be sent or kept.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// JSON, if any.
    pub(crate) body: Bytes,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
}

/// Many responses hold secrets, and all of them are for their caller alone.
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

impl Answer {
    pub(crate) fn json(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self { status, body: body.into(), headers: Vec::new() }
    }

    pub(crate) fn into_response(self) -> Response {
        let has_body = !self.body.is_empty();
        let mut response = Response::new(self.body.into());
        *response.status_mut() = self.status;
        if has_body {
            let json = HeaderValue::from_static("application/json");
            response.headers_mut().insert(header::CONTENT_TYPE, json);
        }
        response.headers_mut().insert(header::CACHE_CONTROL, NO_STORE);
        response.headers_mut().extend(self.headers);
        response
    }
}

/// What a handler answers with when all is well.
pub(crate) trait Reply {
    /// Status codes and the schemas of their bodies.
    fn describe(generator: &mut SchemaGenerator) -> Vec<(StatusCode, Option<Schema>)>;

    fn into_answer(self) -> Result<Answer, ApiError>;
}

macro_rules! replies {
    ($($name:ident = $status:ident;)+) => {$(
        #[derive(Debug)]
        pub(crate) struct $name<T>(pub(crate) T);

        impl<T: Serialize + JsonSchema> Reply for $name<T> {
            fn describe(generator: &mut SchemaGenerator) -> Vec<(StatusCode, Option<Schema>)> {
                vec![(StatusCode::$status, Some(generator.subschema_for::<T>()))]
            }

            fn into_answer(self) -> Result<Answer, ApiError> {
                answer(StatusCode::$status, &self.0)
            }
        }
    )+};
}

replies! {
    Shown = OK;
    Created = CREATED;
    Accepted = ACCEPTED;
}

/// Created, or there already.
#[derive(Debug)]
pub(crate) enum Upserted<T> {
    Created(T),
    Existing(T),
}

impl<T: Serialize + JsonSchema> Reply for Upserted<T> {
    fn describe(generator: &mut SchemaGenerator) -> Vec<(StatusCode, Option<Schema>)> {
        [StatusCode::OK, StatusCode::CREATED]
            .map(|status| (status, Some(generator.subschema_for::<T>())))
            .into()
    }

    fn into_answer(self) -> Result<Answer, ApiError> {
        match self {
            Self::Created(value) => answer(StatusCode::CREATED, &value),
            Self::Existing(value) => answer(StatusCode::OK, &value),
        }
    }
}

/// Done; there is nothing to say.
#[derive(Debug)]
pub(crate) struct NoContent;

impl Reply for NoContent {
    fn describe(_: &mut SchemaGenerator) -> Vec<(StatusCode, Option<Schema>)> {
        vec![(StatusCode::NO_CONTENT, None)]
    }

    fn into_answer(self) -> Result<Answer, ApiError> {
        Ok(Answer::json(StatusCode::NO_CONTENT, Bytes::new()))
    }
}

fn answer(status: StatusCode, value: &impl Serialize) -> Result<Answer, ApiError> {
    let body = serde_json::to_vec(value).map_err(|error| ApiError::Internal(error.into()))?;
    Ok(Answer::json(status, body))
}
