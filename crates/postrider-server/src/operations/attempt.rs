//! Attempts, and where deliveries stand.

use std::{collections::HashMap, sync::Arc};

use http::Method;
use postrider::{
    AttemptId, EndpointId, EventTypeName, MessageId,
    api::{
        Capability, EmptyOut, EndpointMessageOut, EndpointOut, ListResponse, MessageAttemptOut,
        MessageEndpointOut, MessageStatus, Ordering, StatusCodeClass,
    },
};
use postrider_core::{
    delivery::{Attempt, DeliveryId},
    message::Message,
    time::Timestamp,
};
use postrider_engine::Entry;
use postrider_store::{
    AttemptFilter, AttemptsOf, DeliveriesOf, DeliveryFilter, DeliveryRow, MessageFilter, Scan,
    ScanPage,
};

use super::{endpoint::enabled, message};
use crate::{
    api::{
        convert::resend_mode,
        error::ApiError,
        operation::{Operation, operation},
        page::Page,
        query::{Limit, OnByDefault, query},
        reply::{Accepted, NoContent, Shown},
    },
    auth::Access,
    operations::{
        call::{Call, named, pick_endpoint},
        render,
        render::Detail,
        status,
    },
};

const TAG: &str = "Message Attempt";

pub(super) fn operations() -> Vec<Operation> {
    let by_endpoint = "/api/v1/app/{app_id}/attempt/endpoint/{endpoint_id}";
    let by_message = "/api/v1/app/{app_id}/attempt/msg/{msg_id}";
    let messages = "/api/v1/app/{app_id}/endpoint/{endpoint_id}/msg";
    let endpoints = "/api/v1/app/{app_id}/msg/{msg_id}/endpoint";
    let one = "/api/v1/app/{app_id}/msg/{msg_id}/attempt/{attempt_id}";
    let content = "/api/v1/app/{app_id}/msg/{msg_id}/attempt/{attempt_id}/content";
    let again = "/api/v1/app/{app_id}/msg/{msg_id}/endpoint/{endpoint_id}/resend";
    let read = Access::Application(Capability::ViewBase);
    let list_as = |path, id, summary| operation(Method::GET, path, id, TAG, summary).by(read);
    vec![
        list_as(
            by_endpoint,
            "v1.message-attempt.list-by-endpoint",
            "List an endpoint's attempts, newest first",
        )
        .run(list_by_endpoint),
        list_as(
            by_message,
            "v1.message-attempt.list-by-msg",
            "List a message's attempts, newest first",
        )
        .run(list_by_message),
        list_as(
            messages,
            "v1.message-attempt.list-attempted-messages",
            "List the messages of an endpoint",
        )
        .run(list_messages),
        list_as(
            endpoints,
            "v1.message-attempt.list-attempted-destinations",
            "List the endpoints of a message",
        )
        .run(list_endpoints),
        list_as(one, "v1.message-attempt.get", "Get an attempt").run(get),
        operation(
            Method::DELETE,
            content,
            "v1.message-attempt.expunge-content",
            TAG,
            "Remove an attempt's answer",
        )
        .run(expunge),
        operation(
            Method::POST,
            again,
            "v1.message-attempt.resend",
            TAG,
            "Send a message to an endpoint again",
        )
        .by(Access::Application(Capability::CreateAttempts))
        .run(resend),
    ]
}

query! {
    AttemptQuery {
        /// Most items on the page.
        limit: Limit,
        /// The `iterator` or `prevIterator` of the page to go on from.
        iterator: Option<String>,
        /// Only attempts that ended so.
        status: Option<MessageStatus>,
        /// Only attempts whose answer has a status in this hundred; 0 for no answer.
        status_code_class: Option<StatusCodeClass>,
        /// Only attempts of messages with this channel.
        channel: Option<String>,
        /// Only attempts of messages with this tag.
        tag: Option<String>,
        /// Only attempts that began before this.
        before: Option<Timestamp>,
        /// Only attempts that began at this time or later.
        after: Option<Timestamp>,
        /// Only attempts of messages of these event types.
        event_types: Vec<EventTypeName>,
        /// Show what was answered.
        with_content: OnByDefault,
        /// Show the message, without its payload.
        with_msg: bool,
    }

    EndpointQuery {
        /// Only attempts to this endpoint, by its id or uid.
        endpoint_id: Option<String>,
    }

    DeliveryQuery {
        /// Most items on the page.
        limit: Limit,
        /// The `iterator` or `prevIterator` of the page to go on from.
        iterator: Option<String>,
        /// Only deliveries that stand so.
        status: Option<MessageStatus>,
        /// Only messages with this channel.
        channel: Option<String>,
        /// Only messages with this tag.
        tag: Option<String>,
        /// Only messages accepted before this.
        before: Option<Timestamp>,
        /// Only messages accepted at this time or later.
        after: Option<Timestamp>,
        /// Only messages of these event types.
        event_types: Vec<EventTypeName>,
        /// Show payloads.
        with_content: OnByDefault,
        /// Tell deliveries that were cancelled from those that failed.
        expanded_statuses: bool,
    }

    ResendQuery {
        /// If the attempt fails, run the whole retry schedule again; by default it is the only one.
        retry: bool,
    }

    EndpointsQuery {
        /// Most items on the page.
        limit: Limit,
        /// The `iterator` or `prevIterator` of the page to go on from.
        iterator: Option<String>,
        /// Tell deliveries that were cancelled from those that failed.
        expanded_statuses: bool,
    }
}

impl AttemptQuery {
    /// The filter, or nothing if no attempt can pass it: attempts are not under way.
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
                with_body: false,
            },
        })
    }
}

type Attempts = Shown<ListResponse<MessageAttemptOut>>;

async fn list_by_endpoint(call: Call, query: AttemptQuery, (): ()) -> Result<Attempts, ApiError> {
    let entry = call.application().await?;
    let endpoint = call.endpoint(&entry)?.id;
    list(&call, &query, AttemptsOf::Endpoint(entry.application.id, endpoint)).await
}

async fn list_by_message(
    call: Call,
    (query, only): (AttemptQuery, EndpointQuery),
    (): (),
) -> Result<Attempts, ApiError> {
    let entry = call.application().await?;
    let message = message::find(&call).await?.id;
    let endpoint = only.endpoint_id.as_deref().map(|text| {
        let named = named::<EndpointId>(text).ok_or(ApiError::NotFound("endpoint"))?;
        let endpoint = pick_endpoint(&entry, &named).ok_or(ApiError::NotFound("endpoint"))?;
        Ok::<_, ApiError>(endpoint.id)
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
    Ok(Shown(page.list(found, |it| it.0.id, out)))
}

async fn list_messages(
    call: Call,
    query: DeliveryQuery,
    (): (),
) -> Result<Shown<ListResponse<EndpointMessageOut>>, ApiError> {
    let entry = call.application().await?;
    let endpoint = call.endpoint(&entry)?.id;
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
    Ok(Shown(page.list(found, |row| row.id.message, out)))
}

impl DeliveryQuery {
    fn filter(&self) -> DeliveryFilter {
        DeliveryFilter {
            status: self.status.map(status::kind),
            message: MessageFilter {
                before: self.before,
                after: self.after,
                channel: self.channel.clone(),
                tag: self.tag.clone(),
                event_types: self.event_types.clone(),
                with_body: self.with_content.0,
            },
        }
    }
}

async fn list_endpoints(
    call: Call,
    query: EndpointsQuery,
    (): (),
) -> Result<Shown<ListResponse<MessageEndpointOut>>, ApiError> {
    let entry = call.application().await?;
    let message = message::find(&call).await?.id;
    let iterator = query.iterator.as_deref();
    let mut page = Page::<EndpointId>::new(&call, query.limit, iterator, Ordering::Ascending)?;
    let of = DeliveriesOf::Message(entry.application.id, message);
    let store = call.store();
    let found = page
        .fill(async |scan| {
            let scan = widen(scan, |endpoint| DeliveryId { endpoint, message });
            let found = store.deliveries(of, DeliveryFilter::default(), scan).await?;
            Ok(narrow(found, |it| it.endpoint))
        })
        .await?;
    let mut shown = shown(&call, &entry, &found.items).await?;
    let expanded = query.expanded_statuses;
    let out = |row: DeliveryRow| {
        let endpoint = shown.remove(&row.id.endpoint).expect("it was looked up");
        render::message_endpoint(&row, endpoint, expanded)
    };
    Ok(Shown(page.list(found, |row| row.id.endpoint, out)))
}

/// The endpoints of the deliveries.
async fn shown(
    call: &Call,
    entry: &Entry,
    rows: &[DeliveryRow],
) -> Result<HashMap<EndpointId, EndpointOut>, ApiError> {
    let known: HashMap<_, _> = entry.endpoints.iter().map(|it| (it.id, it)).collect();
    let mut shown = HashMap::with_capacity(rows.len());
    for row in rows {
        let id = row.id.endpoint;
        let endpoint = match known.get(&id) {
            Some(endpoint) => render::endpoint(endpoint),
            None => render::deleted_endpoint(id, last_url(call, entry, row).await?),
        };
        shown.insert(id, endpoint);
    }
    Ok(shown)
}

/// Where the delivery's last attempt went. Nothing else is kept of an endpoint that was deleted.
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

/// The scan over whole names of deliveries of which one half is given.
fn widen<K>(scan: Scan<K>, whole: impl FnOnce(K) -> DeliveryId) -> Scan<DeliveryId> {
    Scan { after: scan.after.map(whole), ascending: scan.ascending, limit: scan.limit }
}

fn narrow<K>(
    found: ScanPage<DeliveryRow, DeliveryId>,
    half: impl FnOnce(DeliveryId) -> K,
) -> ScanPage<DeliveryRow, K> {
    ScanPage { items: found.items, resume: found.resume.map(half) }
}

async fn get(call: Call, (): (), (): ()) -> Result<Shown<MessageAttemptOut>, ApiError> {
    let message = message::find(&call).await?;
    let attempt = find(&call, &message).await?;
    let detail = Detail { content: true, message: false };
    Ok(Shown(render::attempt(attempt, &message, detail)))
}

async fn expunge(call: Call, (): (), (): ()) -> Result<NoContent, ApiError> {
    let message = message::find(&call).await?;
    let attempt = find(&call, &message).await?;
    call.store().expunge_attempt(message.application, message.id, attempt.id).await?;
    Ok(NoContent)
}

async fn find(call: &Call, message: &Message) -> Result<Attempt, ApiError> {
    let missing = || ApiError::NotFound("attempt");
    let id = call.argument("attempt_id").parse::<AttemptId>().map_err(|_| missing())?;
    let found = call.store().attempt(message.application, message.id, id).await?;
    found.ok_or_else(missing)
}

async fn resend(call: Call, query: ResendQuery, (): ()) -> Result<Accepted<EmptyOut>, ApiError> {
    let entry = call.application().await?;
    let message = message::find(&call).await?.id;
    let endpoint = enabled(&*call.endpoint(&entry)?)?;
    let application = entry.application.id;
    let id = DeliveryId { endpoint, message };
    let mode = resend_mode(query.retry);
    if !call.store().resend(application, id, call.now, mode).await? {
        let detail = "the message's payload is gone, so it cannot be sent again".to_owned();
        return Err(ApiError::Bad { code: "payload_expired", detail });
    }
    call.engine().wake(application);
    Ok(Accepted(EmptyOut {}))
}
