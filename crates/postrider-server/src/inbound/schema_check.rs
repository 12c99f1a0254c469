//! Checks the bodies of received webhooks against the schemas of their event types.
//!
//! A webhook is never refused because of a schema: the provider determines what it sends, and would
//! repeat the webhook, or disable the URL. It is stored and delivered, and the report lists it.

use std::error::Error;

use postrider::{MessageId, Uid};
use postrider_engine::Submission;

use super::{context::Context, decompress::decompress, request::InboundRequest};
use crate::{api::error::ApiError, offload, schemas::IncomingPayload};

/// Reports the webhook if its body does not match. It is stored as this message.
pub(super) async fn inspect(
    context: &Context,
    request: &InboundRequest,
    submission: &Submission,
    message: MessageId,
) {
    if let Err(error) = try_inspect(context, request, submission, message).await {
        tracing::debug!(error = &error as &dyn Error, "a received webhook could not be checked");
    }
}

async fn try_inspect(
    context: &Context,
    request: &InboundRequest,
    submission: &Submission,
    message: MessageId,
) -> Result<(), ApiError> {
    let (engine, event_type) = (&context.engine, &submission.event_type);
    let application = &submission.entry.application;
    let organization = &application.organization;
    let index = context.event_types.of(engine, organization).await?;
    let validation = index.validation(event_type);
    if validation.is_off() {
        return Ok(());
    }
    let decompressed = decompressed(context, request).await?;
    let body = decompressed.as_deref().unwrap_or(&request.body);
    let payload = IncomingPayload {
        organization,
        event_type,
        application: &application.id.to_string(),
        source: Some(request.source.source.id),
        event_id: submission.event_id.as_ref().map(Uid::as_str),
        message: Some(message),
        // Nothing is not JSON, either.
        json: std::str::from_utf8(body).unwrap_or_default(),
        at: request.at,
    };
    context.schemas.inspect(engine, payload, validation).await.map(drop)
}

/// The decompressed body; none if it is not compressed.
async fn decompressed(
    context: &Context,
    request: &InboundRequest,
) -> Result<Option<Vec<u8>>, ApiError> {
    let limit = context.settings.limits.inbound_body;
    if !offload::is_large(&request.body) {
        return Ok(decompress(&request.raw_headers, &request.body, limit));
    }
    let (headers, body) = (request.raw_headers.clone(), request.body.clone());
    context.offload.run(move || decompress(&headers, &body, limit)).await
}
