//! Attempts, and the statuses of deliveries.

pub mod count;
mod filtered;
pub mod headers;

use std::{collections::HashMap, sync::Arc};

use postrider::{
    ApplicationId, AttemptId, EndpointId, EventTypeName, MessageId,
    api::{
        Capability, EmptyOut, EndpointMessageOut, EndpointOut, ListResponse, MessageAttemptOut,
        MessageEndpointOut, MessageStatus, Ordering, Permission, StatusCodeClass,
    },
};
use postrider_core::{
    delivery::{Attempt, DeliveryId, Status},
    message::Message,
    time::Timestamp,
};
use postrider_engine::Entry;
use postrider_store::{
    AttemptFilter, AttemptsOf, DeliveriesOf, DeliveryFilter, DeliveryRow, IdOrUid, MessageFilter,
    Scan, ScanPage,
};

pub use self::count::CountByEndpoint;
use self::filtered::MessageEndpointRow;
use super::{endpoint::action::enabled, message};
use crate::{
    api::{
        access::Access,
        convert::resend_mode,
        error::ApiError,
        operation::operations,
        path::id_or_uid,
        query::{Limit, OnByDefault, query},
        reply::{Accepted, Done, NoContent},
    },
    operations::{
        call::{self, Call},
        page::Page,
        render::{self, Detail},
        status,
    },
};

operations! {
    tag "Message Attempt";

    /// List an endpoint's attempts, newest first
    ListByEndpoint "v1.message-attempt.list-by-endpoint" = GET "/api/v1/app/{app_id}/attempt/endpoint/{endpoint_id}"
        path { app_id: IdOrUid<ApplicationId>, endpoint_id: IdOrUid<EndpointId> }
        query { AttemptQuery }
        -> Attempts = list_by_endpoint,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);

    /// List a message's attempts, newest first
    ListByMessage "v1.message-attempt.list-by-msg" = GET "/api/v1/app/{app_id}/attempt/msg/{msg_id}"
        path { app_id: IdOrUid<ApplicationId>, msg_id: IdOrUid<MessageId> }
        query { (AttemptQuery, EndpointQuery) }
        -> Attempts = list_by_message,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);

    /// List the messages of an endpoint
    ListMessages "v1.message-attempt.list-attempted-messages" = GET "/api/v1/app/{app_id}/endpoint/{endpoint_id}/msg"
        path { app_id: IdOrUid<ApplicationId>, endpoint_id: IdOrUid<EndpointId> }
        query { DeliveryQuery }
        -> Done<ListResponse<EndpointMessageOut>> = list_messages,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);

    /// List the endpoints of a message
    ListEndpoints "v1.message-attempt.list-attempted-destinations" = GET "/api/v1/app/{app_id}/msg/{msg_id}/endpoint"
        path { app_id: IdOrUid<ApplicationId>, msg_id: IdOrUid<MessageId> }
        query { EndpointsQuery }
        -> Done<ListResponse<MessageEndpointOut>> = list_endpoints,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);

    /// Get an attempt
    Get "v1.message-attempt.get" = GET "/api/v1/app/{app_id}/msg/{msg_id}/attempt/{attempt_id}"
        path { app_id: IdOrUid<ApplicationId>, msg_id: IdOrUid<MessageId>, attempt_id: AttemptId }
        -> Done<MessageAttemptOut> = get,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);

    /// Delete the response that an attempt received
    ExpungeContent "v1.message-attempt.expunge-content" = DELETE "/api/v1/app/{app_id}/msg/{msg_id}/attempt/{attempt_id}/content"
        path { app_id: IdOrUid<ApplicationId>, msg_id: IdOrUid<MessageId>, attempt_id: AttemptId }
        -> NoContent = expunge,
        needs(Permission::Operate);

    /// Send a message to an endpoint again
    Resend "v1.message-attempt.resend" = POST "/api/v1/app/{app_id}/msg/{msg_id}/endpoint/{endpoint_id}/resend"
        path { app_id: IdOrUid<ApplicationId>, msg_id: IdOrUid<MessageId>, endpoint_id: IdOrUid<EndpointId> }
        query { ResendQuery }
        -> Accepted<EmptyOut> = resend,
        access(Access::Application(Capability::CreateAttempts)),
        needs(Permission::Operate);
}

query! {
    AttemptQuery {
        /// Maximum number of items on the page.
        limit: Limit,
        /// The `iterator` or `prevIterator` of another page.
        iterator: Option<String>,
        /// Only attempts with this result.
        status: Option<MessageStatus>,
        /// Only attempts whose response has a status code of this class; 0 means no response.
        status_code_class: Option<StatusCodeClass>,
        /// Only attempts of messages with this channel.
        channel: Option<String>,
        /// Only attempts of messages with this tag.
        tag: Option<String>,
        /// Only attempts that began before this time.
        before: Option<Timestamp>,
        /// Only attempts that began at this time or later.
        after: Option<Timestamp>,
        /// Only attempts of messages of these event types.
        event_types: Vec<EventTypeName>,
        /// Include the responses.
        with_content: OnByDefault,
        /// Include the message, without its payload.
        with_msg: bool,
    }

    EndpointQuery {
        /// Only attempts to this endpoint, by its id or uid.
        endpoint_id: Option<String>,
    }

    DeliveryQuery {
        /// Maximum number of items on the page.
        limit: Limit,
        /// The `iterator` or `prevIterator` of another page.
        iterator: Option<String>,
        /// Only deliveries with this status.
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
        /// Include payloads.
        with_content: OnByDefault,
        /// Distinguish cancelled deliveries from failed ones.
        expanded_statuses: bool,
    }

    ResendQuery {
        /// If the attempt fails, start the retry schedule again; by default, it does not.
        retry: bool,
    }

    EndpointsQuery {
        /// Maximum number of items on the page.
        limit: Limit,
        /// The `iterator` or `prevIterator` of another page.
        iterator: Option<String>,
        /// Distinguish cancelled deliveries from failed ones.
        expanded_statuses: bool,
        /// Include endpoints that do not get the message because of their filter, with the reason.
        with_filtered: bool,
    }
}

impl AttemptQuery {
    /// The filter; `None` if no attempt can match, because an attempt has either succeeded or
    /// failed.
    fn filter(&self) -> Option<AttemptFilter> {
        let delivered = match self.status {
            None => None,
            Some(MessageStatus::Success) => Some(true),
            Some(MessageStatus::Fail) => Some(false),
            Some(MessageStatus::Pending | MessageStatus::Sending | MessageStatus::Canceled) => {
                return None;
            },
        };
        Some(AttemptFilter {
            delivered,
            status_class: self.status_code_class.map(StatusCodeClass::number),
            message: MessageFilter {
                before: self.before,
                after: self.after,
                channel: self.channel.clone(),
                tag: self.tag.clone(),
                event_types: self.event_types.clone(),
                scheduled_after: None,
                with_body: false,
            },
        })
    }
}

type Attempts = Done<ListResponse<MessageAttemptOut>>;

async fn list_by_endpoint(call: Call, input: ListByEndpoint) -> Result<Attempts, ApiError> {
    let ListByEndpoint { app_id, endpoint_id, query } = input;
    let entry = call.application(&app_id).await?;
    let endpoint = call::endpoint(&entry, &endpoint_id)?.id;
    list(&call, &query, AttemptsOf::Endpoint(entry.application.id, endpoint)).await
}

async fn list_by_message(call: Call, input: ListByMessage) -> Result<Attempts, ApiError> {
    let ListByMessage { app_id, msg_id, query: (query, only) } = input;
    let entry = call.application(&app_id).await?;
    let message = message::find(&call, entry.application.id, &msg_id).await?.id;
    let endpoint = only.endpoint_id.as_deref().map(|text| {
        let named = id_or_uid::<EndpointId>(text).ok_or(ApiError::NotFound("endpoint"))?;
        Ok::<_, ApiError>(call::endpoint(&entry, &named)?.id)
    });
    let of = AttemptsOf::Message(entry.application.id, message, endpoint.transpose()?);
    list(&call, &query, of).await
}

async fn list(call: &Call, query: &AttemptQuery, of: AttemptsOf) -> Result<Attempts, ApiError> {
    let iterator = query.iterator.as_deref();
    let mut page = Page::<AttemptId>::new(call, query.limit, iterator, Ordering::Descending)?;
    let found = match query.filter() {
        Some(filter) => page.fill(|scan| call.store().attempts(of, filter.clone(), scan)).await?,
        None => ScanPage { items: Vec::new(), resume: None },
    };
    let detail = Detail { content: query.with_content.0, message: query.with_msg };
    let out = |it: (Attempt, Arc<Message>)| render::attempt(it.0, &it.1, detail);
    Ok(Done(page.list(found, |it| it.0.id, out)))
}

async fn list_messages(
    call: Call,
    input: ListMessages,
) -> Result<Done<ListResponse<EndpointMessageOut>>, ApiError> {
    let ListMessages { app_id, endpoint_id, query } = input;
    let entry = call.application(&app_id).await?;
    let endpoint = call::endpoint(&entry, &endpoint_id)?.id;
    let iterator = query.iterator.as_deref();
    let mut page = Page::<MessageId>::new(&call, query.limit, iterator, Ordering::Descending)?;
    let of = DeliveriesOf::Endpoint(entry.application.id, endpoint);
    let (filter, store) = (query.filter(), call.store());
    let found = page
        .fill(async |scan| {
            let scan = widen(scan, |message| DeliveryId { endpoint, message });
            Ok(narrow(store.deliveries(of, filter.clone(), scan).await?, |it| it.message))
        })
        .await?;
    let (content, expanded) = (query.with_content.0, query.expanded_statuses);
    let out = |row: DeliveryRow| render::endpoint_message(&row, content, expanded);
    Ok(Done(page.list(found, |row| row.id.message, out)))
}

impl DeliveryQuery {
    fn filter(&self) -> DeliveryFilter {
        DeliveryFilter {
            status: self.status.map(|it| status::kind(it).into()),
            message: MessageFilter {
                before: self.before,
                after: self.after,
                channel: self.channel.clone(),
                tag: self.tag.clone(),
                event_types: self.event_types.clone(),
                scheduled_after: None,
                with_body: self.with_content.0,
            },
        }
    }
}

async fn list_endpoints(
    call: Call,
    input: ListEndpoints,
) -> Result<Done<ListResponse<MessageEndpointOut>>, ApiError> {
    let ListEndpoints { app_id, msg_id, query } = input;
    let entry = call.application(&app_id).await?;
    let message = message::find(&call, entry.application.id, &msg_id).await?;
    let filtered = if query.with_filtered { filtered::of(&entry, &message) } else { Vec::new() };
    let message = message.id;
    let iterator = query.iterator.as_deref();
    let mut page = Page::<EndpointId>::new(&call, query.limit, iterator, Ordering::Ascending)?;
    let of = DeliveriesOf::Message(entry.application.id, message);
    let (store, filtered) = (call.store(), &filtered);
    let found = page
        .fill(async |scan| {
            let wide = widen(scan.clone(), |endpoint| DeliveryId { endpoint, message });
            let found = store.deliveries(of, DeliveryFilter::default(), wide).await?;
            Ok(filtered::merge(narrow(found, |it| it.endpoint), filtered, &scan))
        })
        .await?;
    let rows = found.items.iter().filter_map(|row| row.delivery());
    let mut endpoints = endpoints(&call, &entry, rows).await?;
    let expanded = query.expanded_statuses;
    Ok(Done(page.list(found, MessageEndpointRow::endpoint, |row| match row {
        MessageEndpointRow::Delivery(row) => {
            let endpoint = endpoints
                .remove(&row.id.endpoint)
                .expect("the endpoints of all rows were looked up");
            render::message_endpoint(row.status, endpoint, expanded)
        },
        MessageEndpointRow::Filtered(endpoint, reason) => MessageEndpointOut {
            filtered: Some(reason),
            ..render::message_endpoint(Status::Cancelled, render::endpoint(&endpoint), expanded)
        },
    })))
}

/// The endpoints of the deliveries.
async fn endpoints(
    call: &Call,
    entry: &Entry,
    rows: impl Iterator<Item = &DeliveryRow>,
) -> Result<HashMap<EndpointId, EndpointOut>, ApiError> {
    let known: HashMap<_, _> = entry.endpoints.iter().map(|it| (it.id, it)).collect();
    let mut endpoints = HashMap::new();
    for row in rows {
        let id = row.id.endpoint;
        let endpoint = match known.get(&id) {
            Some(endpoint) => render::endpoint(endpoint),
            None => render::deleted_endpoint(id, last_url(call, entry, row).await?),
        };
        endpoints.insert(id, endpoint);
    }
    Ok(endpoints)
}

/// The URL of the delivery's last attempt. Nothing else is known of a deleted endpoint.
async fn last_url(
    call: &Call,
    entry: &Entry,
    row: &DeliveryRow,
) -> Result<Option<String>, ApiError> {
    if row.attempts == 0 {
        return Ok(None);
    }
    let of = AttemptsOf::Message(entry.application.id, row.id.message, Some(row.id.endpoint));
    let last = Scan { after: None, ascending: false, limit: 1 };
    let found = call.store().attempts(of, AttemptFilter::default(), last).await?;
    Ok(found.items.into_iter().next().map(|(attempt, _)| attempt.url))
}

/// The scan over delivery ids of which one half is fixed.
fn widen<K>(scan: Scan<K>, whole: impl FnOnce(K) -> DeliveryId) -> Scan<DeliveryId> {
    Scan { after: scan.after.map(whole), ascending: scan.ascending, limit: scan.limit }
}

fn narrow<K>(
    found: ScanPage<DeliveryRow, DeliveryId>,
    half: impl FnOnce(DeliveryId) -> K,
) -> ScanPage<DeliveryRow, K> {
    ScanPage { items: found.items, resume: found.resume.map(half) }
}

async fn get(call: Call, input: Get) -> Result<Done<MessageAttemptOut>, ApiError> {
    let application = call.application(&input.app_id).await?.application.id;
    let message = message::find(&call, application, &input.msg_id).await?;
    let attempt = find(&call, &message, input.attempt_id).await?;
    let detail = Detail { content: true, message: false };
    Ok(Done(render::attempt(attempt, &message, detail)))
}

async fn expunge(call: Call, input: ExpungeContent) -> Result<NoContent, ApiError> {
    let application = call.application(&input.app_id).await?.application.id;
    let message = message::find(&call, application, &input.msg_id).await?;
    let attempt = find(&call, &message, input.attempt_id).await?;
    call.store().expunge_attempt(message.application, message.id, attempt.id).await?;
    Ok(NoContent)
}

async fn find(call: &Call, message: &Message, id: AttemptId) -> Result<Attempt, ApiError> {
    let found = call.store().attempt(message.application, message.id, id).await?;
    found.ok_or(ApiError::NotFound("attempt"))
}

async fn resend(call: Call, input: Resend) -> Result<Accepted<EmptyOut>, ApiError> {
    let Resend { app_id, msg_id, endpoint_id, query } = input;
    let entry = call.application(&app_id).await?;
    let message = message::find(&call, entry.application.id, &msg_id).await?.id;
    let endpoint = enabled(&*call::endpoint(&entry, &endpoint_id)?)?;
    let application = entry.application.id;
    let id = DeliveryId { endpoint, message };
    let mode = resend_mode(query.retry);
    if !call.store().resend(application, id, call.now, mode).await? {
        let detail = "the message's payload was deleted, so it cannot be sent again".to_owned();
        return Err(ApiError::Bad { code: "payload_expired", detail });
    }
    call.engine().wake(application);
    Ok(Accepted(EmptyOut {}))
}
