//! Many messages in one call, each with an answer of its own.

use futures_util::future;
use http::StatusCode;
use postrider::api::{BatchIn, BatchOut, ErrorOut, ValidationItem, message::MAX_BATCH};
use schemars::{Schema, SchemaGenerator};
use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::value::RawValue;
use tokio::task;

use super::{
    ContentQuery,
    incoming::{Incoming, Ready},
};
use crate::{
    api::{
        body::{self, Unparsed},
        error::ApiError,
        reply::{Answer, Reply},
    },
    operations::call::Call,
};

/// A [`BatchIn`] whose messages are parsed one by one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Messages<'a> {
    #[serde(borrow)]
    messages: Vec<&'a RawValue>,
}

/// A [`BatchIn`] without its messages, to tell what is wrong with the rest.
#[derive(Deserialize)]
#[expect(dead_code, reason = "only whether it can be read is of interest")]
struct Outline {
    messages: Vec<IgnoredAny>,
}

/// Bytes of messages that are read before other requests get their turn: about a millisecond's
/// work.
const STRETCH: usize = 256 << 10;

/// A [`postrider::api::BatchItemOut`] whose message is written already.
#[derive(Debug, Serialize)]
struct Item {
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorOut>,
}

/// What became of the messages, in their order.
#[derive(Debug, Serialize)]
pub(super) struct Items {
    data: Vec<Item>,
}

impl Reply for Items {
    fn describe(generator: &mut SchemaGenerator) -> Vec<(StatusCode, Option<Schema>)> {
        vec![(StatusCode::OK, Some(generator.subschema_for::<BatchOut>()))]
    }

    fn into_answer(self) -> Result<Answer, ApiError> {
        let json = serde_json::to_vec(&self).map_err(|error| ApiError::Internal(error.into()))?;
        Ok(Answer::json(StatusCode::OK, json))
    }
}

/// Takes the messages, all in one commit if they fit; one that is refused stops no other.
pub(super) async fn create(
    call: Call,
    query: ContentQuery,
    body: Unparsed<BatchIn>,
) -> Result<Items, ApiError> {
    let parsed: Messages<'_> = serde_json::from_slice(&body.bytes)
        .map_err(|_| body::refusal::<Outline>(&body.bytes, &body.shape.shallow()))?;
    let count = parsed.messages.len();
    let most = call.settings().limits.batch_messages.min(MAX_BATCH);
    if !(1..=most).contains(&count) {
        let message = format!("must hold 1 to {most} messages");
        return Err(ApiError::invalid(&["body", "messages"], message));
    }
    // One after the other, for a look into the store would change the order of the rest.
    let shape = body.shape.field("messages").items();
    let mut ready = Vec::with_capacity(count);
    let mut stretch = 0;
    for (index, message) in parsed.messages.iter().enumerate() {
        stretch += message.get().len();
        if stretch > STRETCH {
            stretch = 0;
            task::yield_now().await;
        }
        let incoming = Incoming::parse(message.get().as_bytes(), shape);
        ready.push(prepare(&call, index, incoming).await);
    }
    let takes = ready.into_iter().map(|it| take(&call, it, query.with_content.0));
    let data = future::join_all(takes).await;
    Ok(Items { data })
}

async fn prepare<'a>(
    call: &Call,
    index: usize,
    incoming: Result<Incoming<'a>, ApiError>,
) -> Result<Ready<'a>, ApiError> {
    let incoming = incoming?;
    let key = call.idempotency.map(|key| key.part(index));
    let place = index.to_string();
    incoming.prepare(call, key, &["body", "messages", &place]).await
}

async fn take(call: &Call, ready: Result<Ready<'_>, ApiError>, with_content: bool) -> Item {
    match try_take(call, ready, with_content).await {
        Ok(message) => {
            Item { status: StatusCode::ACCEPTED.as_u16(), message: Some(message), error: None }
        },
        Err(error) => {
            Item { status: error.status().as_u16(), message: None, error: Some(describe(&error)) }
        },
    }
}

async fn try_take(
    call: &Call,
    ready: Result<Ready<'_>, ApiError>,
    with_content: bool,
) -> Result<Box<RawValue>, ApiError> {
    let accepted = ready?.submit(call).await?;
    let json = String::from_utf8(accepted.write(with_content)?).expect("JSON is UTF-8");
    RawValue::from_string(json).map_err(|error| ApiError::Internal(error.into()))
}

/// The error in one sentence; an item has no room for a list.
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
