//! Many messages in one request, each with its own result.

use futures_util::future;
use http::StatusCode;
use postrider::{
    ApplicationId,
    api::{BatchIn, BatchOut, ErrorOut, Permission, ValidationItem, message::MAX_BATCH},
};
use postrider_store::IdOrUid;
use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::value::RawValue;
use tokio::task;

use super::{
    ContentQuery,
    incoming::{IncomingMessage, PreparedMessage},
};
use crate::{
    api::{
        body::{self, Unparsed},
        error::ApiError,
        json_text::{DoneText, JsonText},
        operation::{BodySize, Idempotency, Operation, operations},
    },
    operations::call::Call,
};

operations! {
    tag "Message";

    /// Publish up to 1,000 events
    CreateBatch "v1.message.create-batch" = POST "/api/v1/app/{app_id}/msg/batch"
        path { app_id: IdOrUid<ApplicationId> }
        query { ContentQuery }
        body { Unparsed<JsonText<BatchIn>> }
        -> DoneText<BatchOut> = create,
        idempotency(Idempotency::Transactional),
        body_size(BodySize::Batch),
        needs(Permission::Publish);
}

/// A [`BatchIn`] whose messages are parsed one by one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Messages<'a> {
    #[serde(borrow)]
    messages: Vec<&'a RawValue>,
}

/// A [`BatchIn`] without its messages, to find the problems of the other fields.
#[derive(Deserialize)]
#[expect(dead_code, reason = "it is only parsed to find out whether that succeeds")]
struct Outline {
    messages: Vec<IgnoredAny>,
}

/// Bytes of messages that are parsed before other tasks of the thread run: about a millisecond's
/// work.
const YIELD_BYTES: usize = 256 << 10;

/// A [`postrider::api::BatchItemOut`] whose message has been serialized.
#[derive(Debug, Serialize)]
struct Item {
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorOut>,
}

/// A [`BatchOut`] whose messages have been serialized.
#[derive(Debug, Serialize)]
struct Items {
    /// The results, in the order of the messages.
    data: Vec<Item>,
}

/// Publishes the messages, all in one commit if they fit. A message that is refused does not
/// affect the others.
async fn create(call: Call, input: CreateBatch) -> Result<DoneText<BatchOut>, ApiError> {
    let CreateBatch { app_id, query, body } = input;
    let (bytes, shape) = (body.as_bytes(), CreateBatch::body_shape());
    let parsed: Messages<'_> = serde_json::from_slice(bytes)
        .map_err(|_| body::parse_error::<Outline>(bytes, &shape.shallow()))?;
    let count = parsed.messages.len();
    let most = call.settings().limits.batch_messages.min(MAX_BATCH);
    if !(1..=most).contains(&count) {
        let message = format!("must have 1 to {most} messages");
        return Err(ApiError::invalid(&["body", "messages"], message));
    }
    // One after the other: reading the store for one would let later messages overtake it.
    let shape = shape.field("messages").items();
    let mut prepared = Vec::with_capacity(count);
    let mut bytes_since_yield = 0;
    for (index, message) in parsed.messages.iter().enumerate() {
        bytes_since_yield += message.get().len();
        if bytes_since_yield > YIELD_BYTES {
            bytes_since_yield = 0;
            task::yield_now().await;
        }
        let incoming = IncomingMessage::parse(message.get().as_bytes(), shape);
        prepared.push(prepare(&call, &app_id, index, incoming).await);
    }
    let with_content = query.with_content.0;
    let items = prepared.into_iter().map(|message| publish(&call, message, with_content));
    let items = Items { data: future::join_all(items).await };
    JsonText::of_same(&items).map(DoneText)
}

async fn prepare<'a>(
    call: &Call,
    app_id: &IdOrUid<ApplicationId>,
    index: usize,
    incoming: Result<IncomingMessage<'a>, ApiError>,
) -> Result<PreparedMessage<'a>, ApiError> {
    let incoming = incoming?;
    let key = call.idempotency.map(|key| key.part(index));
    let place = index.to_string();
    incoming.prepare(call, app_id, key, &["body", "messages", &place]).await
}

async fn publish(
    call: &Call,
    prepared: Result<PreparedMessage<'_>, ApiError>,
    with_content: bool,
) -> Item {
    match try_publish(call, prepared, with_content).await {
        Ok(message) => {
            Item { status: StatusCode::ACCEPTED.as_u16(), message: Some(message), error: None }
        },
        Err(error) => {
            Item { status: error.status().as_u16(), message: None, error: Some(describe(&error)) }
        },
    }
}

async fn try_publish(
    call: &Call,
    prepared: Result<PreparedMessage<'_>, ApiError>,
    with_content: bool,
) -> Result<Box<RawValue>, ApiError> {
    let accepted = prepared?.submit(call).await?;
    let json = String::from_utf8(accepted.write(with_content)?).expect("JSON is UTF-8");
    RawValue::from_string(json).map_err(|error| ApiError::Internal(error.into()))
}

/// The error in one sentence, because an item has no list of problems.
fn describe(error: &ApiError) -> ErrorOut {
    let code = error.code().to_owned();
    let detail = if let ApiError::Invalid(items) = &error {
        items.iter().map(sentence).collect::<Vec<_>>().join("; ")
    } else {
        error.to_string()
    };
    ErrorOut { code, detail }
}

fn sentence(item: &ValidationItem) -> String {
    format!("{}: {}", item.loc.join("."), item.msg)
}
