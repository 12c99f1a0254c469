//! Messages across applications, and the search in payloads.

use postrider::{
    ApplicationId, EventTypeName, MessageId,
    api::{
        Capability, MessageDeliveryOut, MessageEventsOut, MessageOut, MessageRawPayloadOut,
        MessageSearchIn, MessageStatus, Ordering, OrganizationMessageOut, SearchResponse,
        list::MAX_LIMIT,
    },
};
use postrider_core::{message::Message, payload_match::PayloadMatch, time::Timestamp};
use postrider_store::{
    DeliveriesOf, DeliveryFilter, DeliveryRow, IdOrUid, MessageFilter, MessageSearch, Reach, Scan,
    ScanPage,
};

use super::reach::{Entries, reach};
use crate::{
    api::{
        access::Access,
        body::Json,
        convert::from_wire,
        error::ApiError,
        operation::{Idempotency, operations},
        query::{Limit, query},
        reply::Done,
    },
    operations::{call::Call, message, page::Page, render, status},
};
use postrider::api::Permission;

operations! {
    tag "Message";

    /// List messages of all applications, newest first
    ListAll "v1.message.list-all" = GET "/api/v1/msg"
        query { ListAllQuery }
        -> Done<SearchResponse<OrganizationMessageOut>> = list_all,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);

    /// Search an application's messages, newest first
    Search "v1.message.search" = POST "/api/v1/app/{app_id}/msg/search"
        path { app_id: IdOrUid<ApplicationId> }
        body { Json<MessageSearchIn> }
        -> Done<SearchResponse<MessageOut>> = search,
        idempotency(Idempotency::Unkeyed),
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);

    /// Read the stream of an application's messages, oldest first
    Events "v1.message.events" = GET "/api/v1/app/{app_id}/events"
        path { app_id: IdOrUid<ApplicationId> }
        query { EventsQuery }
        -> Done<MessageEventsOut> = events,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);

    /// Get a message's payload as it was published
    GetRawPayload "v1.message.get-raw-payload" = GET "/api/v1/app/{app_id}/msg/{msg_id}/raw"
        path { app_id: IdOrUid<ApplicationId>, msg_id: IdOrUid<MessageId> }
        -> Done<MessageRawPayloadOut> = raw_payload,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);
}

query! {
    ListAllQuery {
        /// Maximum number of items on the page; with deliveries, at most 50.
        limit: Limit,
        /// The `iterator` or `prevIterator` of another page.
        iterator: Option<String>,
        /// The order of the items; descending (newest first) if absent.
        order: Option<Ordering>,
        /// Only messages of this application, by its id or uid.
        app_id: Option<String>,
        /// Only messages with a delivery to this endpoint, by its id, or with `app_id` by its uid.
        endpoint_id: Option<String>,
        /// Only messages of which a delivery (to the endpoint, if one is given) has this status.
        status: Option<MessageStatus>,
        /// Only messages with this channel.
        channel: Option<String>,
        /// Only messages with this tag.
        tag: Option<String>,
        /// Only messages accepted before this time.
        before: Option<Timestamp>,
        /// Only messages accepted at this time or later.
        after: Option<Timestamp>,
        /// Only messages of these event types.
        event_types: Vec<EventTypeName>,
        /// Only messages whose payload, as it was published, contains this text.
        contains: Option<String>,
        /// Only messages whose payload has `value` at this path, for example `$.user.id`.
        path: Option<String>,
        /// The value at `path`: the text of a string, or any other value as it was published.
        value: Option<String>,
        /// Include payloads.
        with_content: bool,
        /// Include the deliveries.
        with_deliveries: bool,
    }

    EventsQuery {
        /// Maximum number of items on the page.
        limit: Limit,
        /// The `iterator` of the previous page.
        iterator: Option<String>,
        /// Only messages of these event types.
        event_types: Vec<EventTypeName>,
        /// Only messages with this channel.
        channels: Option<String>,
        /// Without an iterator, the stream begins at this time; by default, now.
        after: Option<Timestamp>,
    }
}

/// Maximum number of messages on a page that shows their deliveries, which are looked up one
/// message at a time.
const MAX_WITH_DELIVERIES: usize = 50;

/// Maximum number of deliveries that are shown of a message.
const MAX_DELIVERIES: usize = 20;

impl ListAllQuery {
    fn search(&self) -> Result<MessageSearch, ApiError> {
        let parts = (self.contains.as_deref(), self.path.as_deref(), self.value.as_deref());
        Ok(MessageSearch {
            message: MessageFilter {
                before: self.before,
                after: self.after,
                channel: self.channel.clone(),
                tag: self.tag.clone(),
                event_types: self.event_types.clone(),
                scheduled_after: None,
                with_body: self.with_content,
            },
            status: self.status.map(status::kind),
            payload: payload_match("query", parts)?,
        })
    }

    fn limit(&self) -> Limit {
        if self.with_deliveries { Limit(self.limit.0.min(MAX_WITH_DELIVERIES)) } else { self.limit }
    }
}

fn payload_match(
    place: &str,
    (contains, path, value): (Option<&str>, Option<&str>, Option<&str>),
) -> Result<Option<PayloadMatch>, ApiError> {
    PayloadMatch::parse(contains, path, value)
        .map_err(|error| ApiError::invalid(&[place, error.parameter], error.message))
}

async fn list_all(
    call: Call,
    ListAll { query }: ListAll,
) -> Result<Done<SearchResponse<OrganizationMessageOut>>, ApiError> {
    let search = query.search()?;
    let reach = reach(&call, query.app_id.as_deref(), query.endpoint_id.as_deref()).await?;
    let order = query.order.unwrap_or(Ordering::Descending);
    let iterator = query.iterator.as_deref();
    let mut page = Page::<MessageId>::new(&call, query.limit(), iterator, order)?;
    let store = call.store();
    let found =
        page.fill_search(|scan| store.search_messages(reach.clone(), search.clone(), scan)).await?;
    let entries = Entries::of(&call, found.items.iter().map(|it| it.application)).await?;
    let mut items = Vec::with_capacity(found.items.len());
    for message in found.items {
        let deliveries =
            if query.with_deliveries { Some(deliveries(&call, &message).await?) } else { None };
        items.push(Listed { message, deliveries });
    }
    let found = ScanPage { items, resume: found.resume };
    let out = |it: Listed| {
        let entry = entries.get(it.message.application);
        OrganizationMessageOut {
            app_id: it.message.application,
            app_uid: entry.and_then(|entry| entry.application.uid.clone()),
            msg: render::message(&it.message, query.with_content),
            deliveries: it.deliveries,
        }
    };
    Ok(Done(page.search(found, |it| it.message.id, |id| id.millis(), out)))
}

/// A message and what is shown with it.
struct Listed {
    message: Message,
    deliveries: Option<Vec<MessageDeliveryOut>>,
}

async fn deliveries(call: &Call, message: &Message) -> Result<Vec<MessageDeliveryOut>, ApiError> {
    let of = DeliveriesOf::Message(message.application, message.id);
    let scan = Scan { after: None, ascending: true, limit: MAX_DELIVERIES };
    let found = call.store().deliveries(of, DeliveryFilter::default(), scan).await?;
    Ok(found.items.iter().map(delivery).collect())
}

fn delivery(row: &DeliveryRow) -> MessageDeliveryOut {
    let (status, next_attempt) = status::shown(row.status, true);
    MessageDeliveryOut {
        endpoint_id: row.id.endpoint,
        status,
        status_text: status.text(),
        attempts: row.attempts,
        next_attempt,
    }
}

async fn search(
    call: Call,
    Search { app_id, body }: Search,
) -> Result<Done<SearchResponse<MessageOut>>, ApiError> {
    let application = call.application(&app_id).await?.application.id;
    let limit = limit(body.limit)?;
    let iterator = body.iterator.as_deref();
    let mut page = Page::<MessageId>::new(&call, limit, iterator, Ordering::Descending)?;
    let parts = (body.contains.as_deref(), body.path.as_deref(), body.value.as_deref());
    let payload = payload_match("body", parts)?;
    let with_content = body.with_content;
    let message = MessageFilter {
        before: body.before.map(from_wire),
        after: body.after.map(from_wire),
        channel: body.channel,
        tag: body.tag,
        event_types: body.event_types.unwrap_or_default(),
        scheduled_after: None,
        with_body: with_content,
    };
    let search = MessageSearch { message, payload, status: None };
    let organization = call.organization().clone();
    let reach = Reach { organization, application: Some((application, None)) };
    let store = call.store();
    let found =
        page.fill_search(|scan| store.search_messages(reach.clone(), search.clone(), scan)).await?;
    let out = |it: Message| render::message(&it, with_content);
    Ok(Done(page.search(found, |it| it.id, |id| id.millis(), out)))
}

fn limit(limit: Option<u64>) -> Result<Limit, ApiError> {
    match limit.map(usize::try_from) {
        None => Ok(Limit::default()),
        Some(Ok(limit @ 1..=MAX_LIMIT)) => Ok(Limit(limit)),
        Some(_) => {
            let message = format!("must be a number from 1 to {MAX_LIMIT}");
            Err(ApiError::invalid(&["body", "limit"], message))
        },
    }
}

/// The stream is a list in ascending order that never ends: there is always an iterator, which is
/// the id before the next message.
async fn events(call: Call, input: Events) -> Result<Done<MessageEventsOut>, ApiError> {
    let Events { app_id, query } = input;
    let application = call.application(&app_id).await?.application.id;
    let start = first_at(query.after.unwrap_or(call.now)).to_string();
    let from = query.iterator.unwrap_or(start);
    let mut page = Page::<MessageId>::new(&call, query.limit, Some(&from), Ordering::Ascending)?;
    let filter = MessageFilter {
        channel: query.channels,
        event_types: query.event_types,
        with_body: true,
        ..MessageFilter::default()
    };
    let found = page.fill(|scan| call.store().messages(application, filter.clone(), scan)).await?;
    let list = page.list(found, |it| it.id, |it| render::message(&it, true));
    let iterator = list.iterator.unwrap_or(from);
    Ok(Done(MessageEventsOut { data: list.data, iterator, done: list.done }))
}

/// The id before all that can be created at this moment.
const fn first_at(at: Timestamp) -> MessageId {
    MessageId::from_parts(at.as_millis() << 12, 0)
}

async fn raw_payload(
    call: Call,
    input: GetRawPayload,
) -> Result<Done<MessageRawPayloadOut>, ApiError> {
    let application = call.application(&input.app_id).await?.application.id;
    let message = message::find(&call, application, &input.msg_id).await?;
    let body = message.body.ok_or(ApiError::NotFound("payload"))?;
    let payload = String::from_utf8_lossy(&body).into_owned();
    Ok(Done(MessageRawPayloadOut { payload }))
}
