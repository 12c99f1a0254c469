//! Payloads as they were published.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use postrider::api::MessageRawPayloadOut;

use crate::{
    api::{ApiFailure, v1},
    context::Context,
    failure::Failure,
};

/// The payload of a message; none if it has expired or was deleted.
pub(super) async fn read(
    context: &Context,
    app: &str,
    message: &str,
) -> Result<Option<String>, ApiFailure> {
    let path = v1(&["app", app, "msg", message, "raw"]);
    let found = context.api.find::<MessageRawPayloadOut>(path).await?;
    Ok(found.map(|it| it.payload))
}

/// The payload as a file.
pub(super) async fn download(context: Arc<Context>) -> Result<Response, Failure> {
    let message = context.param("msg");
    let payload = read(&context, &context.app(), message).await?;
    let payload = payload.ok_or(Failure::NotFound("the payload"))?;
    let name: String =
        message.chars().filter(|it| it.is_ascii_alphanumeric() || *it == '_').collect();
    let disposition = format!("attachment; filename=\"{name}.json\"");
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (
            header::CONTENT_DISPOSITION,
            HeaderValue::try_from(disposition).expect("the name is ASCII"),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    Ok((headers, payload).into_response())
}
