//! Messages.

pub(super) mod batch;
pub mod expunge;
pub mod import;
mod incoming;
pub(super) mod payload;
pub mod precheck;
pub mod schedule;

use postrider::{
    ApplicationId, EventTypeName, MessageId,
    api::{Capability, ListResponse, MessageIn, MessageOut, Ordering, Permission},
};
use postrider_core::{message::Message, time::Timestamp};
use postrider_store::{IdOrUid, MessageFilter};

use self::incoming::IncomingMessage;
pub(crate) use self::incoming::Published;
pub use self::{
    batch::CreateBatch,
    expunge::{BulkExpungeContent, ExpungeAllContents},
    import::Import,
    precheck::Precheck,
    schedule::{Cancel, Reschedule},
};
use crate::{
    api::{
        access::Access,
        body::Unparsed,
        error::ApiError,
        json_text::{AcceptedText, JsonText},
        operation::{BodySize, Idempotency, Operation, operations},
        query::{Limit, OnByDefault, query},
        reply::{Done, NoContent},
    },
    idempotency,
    operations::{call::Call, page::Page, render},
};

operations! {
    tag "Message";

    /// List messages, newest first
    List "v1.message.list" = GET "/api/v1/app/{app_id}/msg"
        path { app_id: IdOrUid<ApplicationId> }
        query { ListQuery }
        -> Done<ListResponse<MessageOut>> = list,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);

    /// Publish an event
    Create "v1.message.create" = POST "/api/v1/app/{app_id}/msg"
        path { app_id: IdOrUid<ApplicationId> }
        query { ContentQuery }
        body { Unparsed<JsonText<MessageIn>> }
        -> AcceptedText<MessageOut> = create,
        idempotency(Idempotency::Transactional),
        body_size(BodySize::Message),
        needs(Permission::Publish);

    /// Get a message
    Get "v1.message.get" = GET "/api/v1/app/{app_id}/msg/{msg_id}"
        path { app_id: IdOrUid<ApplicationId>, msg_id: IdOrUid<MessageId> }
        query { ContentQuery }
        -> Done<MessageOut> = get,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);

    /// Delete a message's payload
    ExpungeContent "v1.message.expunge-content" = DELETE "/api/v1/app/{app_id}/msg/{msg_id}/content"
        path { app_id: IdOrUid<ApplicationId>, msg_id: IdOrUid<MessageId> }
        -> NoContent = expunge,
        needs(Permission::Operate);
}

query! {
    ListQuery {
        /// Maximum number of items on the page.
        limit: Limit,
        /// The `iterator` or `prevIterator` of another page.
        iterator: Option<String>,
        /// Only messages with this channel.
        channel: Option<String>,
        /// Only messages with this tag.
        tag: Option<String>,
        /// Only messages accepted before this time.
        before: Option<Timestamp>,
        /// Only messages accepted at this time or later.
        after: Option<Timestamp>,
        /// Only messages whose first attempts are made later than now.
        scheduled: bool,
        /// Only messages of these event types.
        event_types: Vec<EventTypeName>,
        /// Include payloads.
        with_content: OnByDefault,
    }

    ContentQuery {
        /// Include the payload.
        with_content: OnByDefault,
    }
}

async fn list(
    call: Call,
    List { app_id, query }: List,
) -> Result<Done<ListResponse<MessageOut>>, ApiError> {
    let application = call.application(&app_id).await?.application.id;
    let iterator = query.iterator.as_deref();
    let mut page = Page::<MessageId>::new(&call, query.limit, iterator, Ordering::Descending)?;
    let with_content = query.with_content.0;
    let filter = MessageFilter {
        before: query.before,
        after: query.after,
        channel: query.channel,
        tag: query.tag,
        scheduled_after: query.scheduled.then_some(call.now),
        event_types: query.event_types,
        with_body: with_content,
    };
    let found = page.fill(|scan| call.store().messages(application, filter.clone(), scan)).await?;
    Ok(Done(page.list(found, |it| it.id, |it| render::message(&it, with_content))))
}

async fn get(call: Call, input: Get) -> Result<Done<MessageOut>, ApiError> {
    let application = call.application(&input.app_id).await?.application.id;
    let message = find(&call, application, &input.msg_id).await?;
    Ok(Done(render::message(&message, input.query.with_content.0)))
}

async fn expunge(call: Call, input: ExpungeContent) -> Result<NoContent, ApiError> {
    let application = call.application(&input.app_id).await?.application.id;
    let message = find(&call, application, &input.msg_id).await?;
    call.store().expunge_message(message.application, message.id).await?;
    call.engine().forget(message.application, message.id).await;
    Ok(NoContent)
}

/// The message of the application that a path names.
pub(super) async fn find(
    call: &Call,
    application: ApplicationId,
    msg_id: &IdOrUid<MessageId>,
) -> Result<Message, ApiError> {
    let found = call.store().message(application, msg_id).await?;
    found.ok_or(ApiError::NotFound("message"))
}

/// Publishes a message that does not come over HTTP, with the same checks. `digest` identifies it.
pub(crate) async fn publish(
    call: &Call,
    app_id: &IdOrUid<ApplicationId>,
    json: &[u8],
    digest: [u8; 32],
) -> Result<Published, ApiError> {
    let incoming = IncomingMessage::parse(json, Create::body_shape())?;
    match incoming.accept(call, app_id, Some(digest), &[]).await {
        Ok(accepted) => Ok(accepted.published()),
        // It was published with other content: the consumer's mapping was changed in between.
        Err(ApiError::Conflict { code: idempotency::CONFLICT, .. }) => Ok(Published::Before(None)),
        Err(ApiError::Conflict { detail, .. }) if detail == incoming::EVENT_ID_TAKEN => {
            Ok(Published::Before(None))
        },
        Err(error) => Err(error),
    }
}

/// Publishes one message. All events take this path, so nothing is parsed or copied twice.
async fn create(call: Call, input: Create) -> Result<AcceptedText<MessageOut>, ApiError> {
    let Create { app_id, query, body } = input;
    let incoming = IncomingMessage::parse(body.as_bytes(), Create::body_shape())?;
    let key = call.idempotency.map(|key| key.digest);
    let accepted = incoming.accept(&call, &app_id, key, &["body"]).await?;
    accepted.write(query.with_content.0).map(|json| AcceptedText(JsonText::new(json)))
}
