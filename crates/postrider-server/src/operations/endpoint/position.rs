//! Where an endpoint is in its messages: the next one, the last that arrived, and moving on.

use std::sync::Arc;

use postrider::{
    ApplicationId, EndpointId, MessageId,
    api::{
        Capability, Permission,
        destination::{EventOut, SkipIn},
    },
};
use postrider_core::{
    catalog::Endpoint,
    delivery::{Attempt, StatusKind},
    outcome::Outcome,
    time::Timestamp,
};
use postrider_store::{
    AttemptFilter, AttemptsOf, DeliveriesOf, DeliveryFilter, DeliveryRow, Expected, IdOrUid,
    MessageFilter, Scan, StatusFilter,
};

use super::current;
use crate::{
    api::{
        access::Access,
        body::OptionalJson,
        convert::to_wire,
        error::ApiError,
        operation::operations,
        reply::{Done, NoContent},
    },
    operations::call::{self, ApplicationPath, Call},
    race,
};

operations! {
    tag "Endpoint";

    /// Get the next message of an endpoint
    NextEvent "v1.endpoint.next-event" = GET "/api/v1/app/{app_id}/endpoint/{endpoint_id}/next-event"
        path { app_id: IdOrUid<ApplicationId>, endpoint_id: IdOrUid<EndpointId> }
        -> Done<EventOut> = next_event,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);

    /// Get the last message that was delivered to an endpoint
    LastAckedEvent "v1.endpoint.last-acked-event" = GET "/api/v1/app/{app_id}/endpoint/{endpoint_id}/last-acked-event"
        path { app_id: IdOrUid<ApplicationId>, endpoint_id: IdOrUid<EndpointId> }
        -> Done<EventOut> = last_acked_event,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);

    /// Skip the next messages of an endpoint
    Skip "v1.endpoint.skip" = POST "/api/v1/app/{app_id}/endpoint/{endpoint_id}/skip"
        path { app_id: IdOrUid<ApplicationId>, endpoint_id: IdOrUid<EndpointId> }
        body { OptionalJson<SkipIn> }
        -> NoContent = skip,
        access(Access::Application(Capability::ManageEndpoint)),
        needs(Permission::Operate);

    /// Retry the messages of an endpoint now
    ForceRetry "v1.endpoint.force-retry" = POST "/api/v1/app/{app_id}/endpoint/{endpoint_id}/force-retry"
        path { app_id: IdOrUid<ApplicationId>, endpoint_id: IdOrUid<EndpointId> }
        -> NoContent = force_retry,
        access(Access::Application(Capability::ManageEndpoint)),
        needs(Permission::Operate);
}

async fn next_event(call: Call, input: NextEvent) -> Result<Done<EventOut>, ApiError> {
    let endpoint = found(&call, (&input.app_id).into(), &input.endpoint_id).await?;
    next_of(&call, &endpoint).await.map(Done)
}

async fn last_acked_event(call: Call, input: LastAckedEvent) -> Result<Done<EventOut>, ApiError> {
    let endpoint = found(&call, (&input.app_id).into(), &input.endpoint_id).await?;
    last_acked_of(&call, &endpoint).await.map(Done)
}

async fn skip(call: Call, input: Skip) -> Result<NoContent, ApiError> {
    let Skip { app_id, endpoint_id, body } = input;
    skip_in(&call, (&app_id).into(), &endpoint_id, body.iterator.as_deref()).await
}

async fn force_retry(call: Call, input: ForceRetry) -> Result<NoContent, ApiError> {
    force_retry_in(&call, (&input.app_id).into(), &input.endpoint_id).await
}

/// The endpoint that a path names.
pub(in crate::operations) async fn found(
    call: &Call,
    path: ApplicationPath<'_>,
    endpoint_id: &IdOrUid<EndpointId>,
) -> Result<Arc<Endpoint>, ApiError> {
    let entry = call.application(path).await?;
    call::endpoint(&entry, endpoint_id)
}

/// Deliveries that are looked at for one that is not scheduled for later.
const LOOKED_AT: usize = 20;

/// The first delivery of the endpoint that has not ended, without those that are to be made at a
/// later time, which are in no order.
pub(in crate::operations) async fn next_delivery(
    call: &Call,
    endpoint: &Endpoint,
    with_body: bool,
) -> Result<Option<DeliveryRow>, ApiError> {
    let mut scan = Scan { after: None, ascending: true, limit: LOOKED_AT };
    loop {
        let filter = DeliveryFilter {
            status: Some(StatusFilter::Unfinished),
            message: MessageFilter { with_body, ..MessageFilter::default() },
        };
        let of = DeliveriesOf::Endpoint(endpoint.application, endpoint.id);
        let page = call.store().deliveries(of, filter, scan).await?;
        let is_later = |at: Option<Timestamp>| at.is_some_and(|at| at > call.now);
        let next = page.items.into_iter().find(|row| !is_later(row.message.deliver_at));
        if next.is_some() || page.resume.is_none() {
            return Ok(next);
        }
        scan = Scan { after: page.resume, ascending: true, limit: LOOKED_AT };
    }
}

/// The next message of the endpoint.
pub(in crate::operations) async fn next_of(
    call: &Call,
    endpoint: &Endpoint,
) -> Result<EventOut, ApiError> {
    let next = next_delivery(call, endpoint, true).await?;
    next.map(|row| event(&row)).ok_or(ApiError::NotFound("event"))
}

/// The last message that was delivered to the endpoint.
pub(in crate::operations) async fn last_acked_of(
    call: &Call,
    endpoint: &Endpoint,
) -> Result<EventOut, ApiError> {
    let mut scan = Scan { after: None, ascending: false, limit: 1 };
    loop {
        let filter = DeliveryFilter {
            status: Some(StatusFilter::Is(StatusKind::Delivered)),
            message: MessageFilter { with_body: true, ..MessageFilter::default() },
        };
        let of = DeliveriesOf::Endpoint(endpoint.application, endpoint.id);
        let page = call.store().deliveries(of, filter, scan).await?;
        if let Some(row) = page.items.first() {
            return Ok(event(row));
        }
        let Some(resume) = page.resume else { return Err(ApiError::NotFound("event")) };
        scan = Scan { after: Some(resume), ascending: false, limit: 1 };
    }
}

fn event(row: &DeliveryRow) -> EventOut {
    let body = row.message.body.as_deref().unwrap_or_default();
    EventOut {
        event_type: row.message.event_type.clone(),
        payload: String::from_utf8_lossy(body).into_owned(),
        timestamp: to_wire(row.message.created_at()),
        id: row.id.message,
    }
}

/// Why the last attempt for a delivery failed; `None` if there was none.
pub(in crate::operations) async fn failure_reason(
    call: &Call,
    endpoint: &Endpoint,
    message: MessageId,
) -> Result<Option<String>, ApiError> {
    let of = AttemptsOf::Message(endpoint.application, message, Some(endpoint.id));
    let scan = Scan { after: None, ascending: false, limit: 1 };
    let found = call.store().attempts(of, AttemptFilter::default(), scan).await?;
    Ok(found.items.first().and_then(|(attempt, _)| reason(attempt)))
}

fn reason(attempt: &Attempt) -> Option<String> {
    match attempt.outcome {
        outcome if outcome.delivered() => None,
        Outcome::Answered { status, .. } => {
            Some(format!("the status of the response was {status}"))
        },
        Outcome::Unanswered(_) => {
            let body = attempt.response.as_ref().map(|it| &*it.body).unwrap_or_default();
            Some(String::from_utf8_lossy(body).into_owned())
        },
    }
}

/// Cancels the pending deliveries of the endpoint up to that of the message, or only the next one.
pub(in crate::operations) async fn skip_in(
    call: &Call,
    path: ApplicationPath<'_>,
    endpoint_id: &IdOrUid<EndpointId>,
    iterator: Option<&str>,
) -> Result<NoContent, ApiError> {
    let endpoint = found(call, path, endpoint_id).await?;
    let until = match iterator.filter(|text| !text.is_empty()) {
        Some(text) => Some(message_id(text)?),
        // An endpoint that is not called in order has no next message but this.
        None => match next_delivery(call, &endpoint, false).await? {
            Some(row) => Some(row.id.message),
            None => return Ok(NoContent),
        },
    };
    if call.store().skip(endpoint.application, endpoint.id, until).await? {
        resume(call, path, endpoint_id).await?;
    }
    Ok(NoContent)
}

fn message_id(iterator: &str) -> Result<MessageId, ApiError> {
    const DETAIL: &str = "must be the id of a message: `currentIterator` of the destination, or \
                          `id` of an event";
    iterator.parse().map_err(|_| ApiError::invalid(&["iterator"], DETAIL))
}

/// Makes due what waits, and lets the endpoint be called at once.
pub(in crate::operations) async fn force_retry_in(
    call: &Call,
    path: ApplicationPath<'_>,
    endpoint_id: &IdOrUid<EndpointId>,
) -> Result<NoContent, ApiError> {
    let endpoint = found(call, path, endpoint_id).await?;
    call.store().retry_now(endpoint.application, endpoint.id, call.now).await?;
    resume(call, path, endpoint_id).await.map(|()| NoContent)
}

/// Lets all nodes claim again what they hold for the endpoint, and call it without a pause. They
/// learn it as they learn every change of an endpoint.
async fn resume(
    call: &Call,
    path: ApplicationPath<'_>,
    endpoint_id: &IdOrUid<EndpointId>,
) -> Result<(), ApiError> {
    let try_once = async || -> Result<(), ApiError> {
        let entry = call.application(path).await?;
        let _lock = call.locks().application(entry.application.id).await;
        let (endpoint, version) = current(call, &entry, endpoint_id).await?;
        let later =
            endpoint.retry_requested_at.map(|at| Timestamp::from_millis(at.as_millis() + 1));
        let at = later.map_or(call.now, |later| later.max(call.now));
        let requested = Endpoint { retry_requested_at: Some(at), ..endpoint };
        call.store().save(&requested, Expected::Version(version)).await?;
        Ok(call.engine().changed(requested.application).await?)
    };
    race::retry(try_once).await?;
    let entry = call.application(path).await?;
    call.engine().wake(entry.application.id);
    Ok(())
}
