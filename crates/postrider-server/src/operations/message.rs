//! Messages.

mod batch;
mod incoming;
pub(super) mod payload;

use std::marker::PhantomData;

use http::{Method, StatusCode};
use postrider::{
    EventTypeName, MessageId,
    api::{Capability, ListResponse, MessageIn, MessageOut, Ordering},
};
use postrider_core::{message::Message, time::Timestamp};
use postrider_store::{IdOrUid, MessageFilter};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;

use self::incoming::Incoming;
use crate::{
    api::{
        body::Unparsed,
        error::ApiError,
        operation::{BodySize, Keys, Operation, operation},
        page::Page,
        query::{Limit, OnByDefault, query},
        reply::{Answer, NoContent, Reply, Shown},
    },
    auth::Access,
    operations::{call::Call, render},
};

const TAG: &str = "Message";

pub(super) fn operations() -> Vec<Operation> {
    let all = "/api/v1/app/{app_id}/msg";
    let batch = "/api/v1/app/{app_id}/msg/batch";
    let one = "/api/v1/app/{app_id}/msg/{msg_id}";
    let content = "/api/v1/app/{app_id}/msg/{msg_id}/content";
    let read = Access::Application(Capability::ViewBase);
    vec![
        operation(Method::GET, all, "v1.message.list", TAG, "List messages, newest first")
            .by(read)
            .run(list),
        operation(Method::POST, all, "v1.message.create", TAG, "Publish an event")
            .keys(Keys::Handler)
            .body_size(BodySize::Message)
            .run(create),
        operation(
            Method::POST,
            batch,
            "v1.message.create-batch",
            TAG,
            "Publish up to 1,000 events",
        )
        .body_size(BodySize::Batch)
        .keys(Keys::Handler)
        .run(batch::create),
        operation(Method::GET, one, "v1.message.get", TAG, "Get a message").by(read).run(get),
        operation(
            Method::DELETE,
            content,
            "v1.message.expunge-content",
            TAG,
            "Remove a message's payload",
        )
        .run(expunge),
    ]
}

query! {
    ListQuery {
        /// Most items on the page.
        limit: Limit,
        /// The `iterator` or `prevIterator` of the page to go on from.
        iterator: Option<String>,
        /// Only messages with this channel.
        channel: Option<String>,
        /// Only messages with this tag.
        tag: Option<String>,
        /// Only messages that were accepted before this.
        before: Option<Timestamp>,
        /// Only messages that were accepted at this time or later.
        after: Option<Timestamp>,
        /// Only messages of these event types.
        event_types: Vec<EventTypeName>,
        /// Show payloads.
        with_content: OnByDefault,
    }

    ContentQuery {
        /// Show the payload.
        with_content: OnByDefault,
    }
}

async fn list(
    call: Call,
    query: ListQuery,
    (): (),
) -> Result<Shown<ListResponse<MessageOut>>, ApiError> {
    let application = call.application().await?.application.id;
    let iterator = query.iterator.as_deref();
    let mut page = Page::<MessageId>::new(&call, query.limit, iterator, Ordering::Descending)?;
    let with_content = query.with_content.0;
    let filter = MessageFilter {
        before: query.before,
        after: query.after,
        channel: query.channel,
        tag: query.tag,
        event_types: query.event_types,
        with_body: with_content,
    };
    let found = page.fill(|scan| call.store().messages(application, filter.clone(), scan)).await?;
    Ok(Shown(page.list(found, |it| it.id, |it| render::message(&it, with_content))))
}

async fn get(call: Call, query: ContentQuery, (): ()) -> Result<Shown<MessageOut>, ApiError> {
    let message = find(&call).await?;
    Ok(Shown(render::message(&message, query.with_content.0)))
}

async fn expunge(call: Call, (): (), (): ()) -> Result<NoContent, ApiError> {
    let message = find(&call).await?;
    call.store().expunge_message(message.application, message.id).await?;
    call.engine().forget(message.application, message.id).await;
    Ok(NoContent)
}

/// The message that the path names.
pub(super) async fn find(call: &Call) -> Result<Message, ApiError> {
    let application = call.application().await?.application.id;
    let named: IdOrUid<MessageId> = call.named("msg_id")?;
    let found = call.store().message(application, &named).await?;
    found.ok_or(ApiError::NotFound("message"))
}

/// Takes one message. The way of every event: nothing is parsed or copied twice.
async fn create(
    call: Call,
    query: ContentQuery,
    body: Unparsed<MessageIn>,
) -> Result<Written<MessageOut>, ApiError> {
    let incoming = Incoming::parse(&body.bytes, &body.shape)?;
    let key = call.idempotency.map(|key| key.digest);
    let accepted = incoming.accept(&call, key, &["body"]).await?;
    accepted.write(query.with_content.0).map(Written::accepted)
}

/// A `202` whose body is written already.
#[derive(Debug)]
struct Written<T> {
    json: Vec<u8>,
    of: PhantomData<fn() -> T>,
}

impl<T> Written<T> {
    const fn accepted(json: Vec<u8>) -> Self {
        Self { json, of: PhantomData }
    }
}

impl<T: Serialize + JsonSchema> Reply for Written<T> {
    fn describe(generator: &mut SchemaGenerator) -> Vec<(StatusCode, Option<Schema>)> {
        vec![(StatusCode::ACCEPTED, Some(generator.subschema_for::<T>()))]
    }

    fn into_answer(self) -> Result<Answer, ApiError> {
        Ok(Answer::json(StatusCode::ACCEPTED, self.json))
    }
}
