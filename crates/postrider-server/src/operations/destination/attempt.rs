//! The attempts of destinations, as the hosted API shows them. It delivers messages in batches; here
//! every attempt has one message.

use std::sync::Arc;

use postrider::{
    ApplicationId, AttemptId,
    api::{
        Capability, ListResponse, MessageStatus, Ordering,
        destination::{DestinationAttemptOut, DestinationId},
    },
};
use postrider_core::{delivery::Attempt, message::Message, time::Timestamp};
use postrider_store::{AttemptFilter, AttemptsOf, IdOrUid, MessageFilter, Scan, ScanPage};

use super::{find, render::NOT_FOUND};
use crate::{
    api::{
        access::Access,
        error::ApiError,
        operation::operations,
        query::{Limit, OnByDefault, query},
        reply::Done,
    },
    operations::{
        call::Call,
        page::Page,
        render::{self, Detail},
    },
};
use postrider::api::Permission;

operations! {
    tag "Destination";

    /// List a destination's attempts, newest first
    ListAttempts "v1.destination.attempt.list" = GET "/api/v1/app/{app_id}/destination/{destination_id}/attempt"
        path { app_id: IdOrUid<ApplicationId>, destination_id: IdOrUid<DestinationId> }
        query { AttemptQuery }
        -> Done<ListResponse<DestinationAttemptOut>> = list,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);

    /// Get a destination's attempt
    GetAttempt "v1.destination.attempt.get" = GET "/api/v1/app/{app_id}/destination/{destination_id}/attempt/{attempt_id}"
        path { app_id: IdOrUid<ApplicationId>, destination_id: IdOrUid<DestinationId>, attempt_id: AttemptId }
        -> Done<DestinationAttemptOut> = get,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);
}

query! {
    AttemptQuery {
        /// Maximum number of items on the page.
        limit: Limit,
        /// The `iterator` or `prevIterator` of another page.
        iterator: Option<String>,
        /// Only attempts with this result.
        status: Option<MessageStatus>,
        /// Only attempts that began before this time.
        before: Option<Timestamp>,
        /// Only attempts that began at this time or later.
        after: Option<Timestamp>,
        /// Include the responses.
        with_content: OnByDefault,
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
        let message =
            MessageFilter { before: self.before, after: self.after, ..MessageFilter::default() };
        Some(AttemptFilter { delivered, message, ..AttemptFilter::default() })
    }
}

async fn list(
    call: Call,
    input: ListAttempts,
) -> Result<Done<ListResponse<DestinationAttemptOut>>, ApiError> {
    let ListAttempts { app_id, destination_id, query } = input;
    let of = attempts_of(&call, &app_id, &destination_id).await?;
    let iterator = query.iterator.as_deref();
    let mut page = Page::<AttemptId>::new(&call, query.limit, iterator, Ordering::Descending)?;
    let found = match query.filter() {
        Some(filter) => page.fill(|scan| call.store().attempts(of, filter.clone(), scan)).await?,
        None => ScanPage { items: Vec::new(), resume: None },
    };
    let content = query.with_content.0;
    Ok(Done(page.list(found, |(attempt, _)| attempt.id, |it| shown(it, content))))
}

async fn get(call: Call, input: GetAttempt) -> Result<Done<DestinationAttemptOut>, ApiError> {
    let GetAttempt { app_id, destination_id, attempt_id } = input;
    let of = attempts_of(&call, &app_id, &destination_id).await?;
    // An attempt is stored with its message, which the path does not name. Ids are in order, so it
    // is the one after its predecessor.
    let before = AttemptId::from_u128(attempt_id.as_u128().saturating_sub(1));
    let scan = Scan { after: Some(before), ascending: true, limit: 1 };
    let found = call.store().attempts(of, AttemptFilter::default(), scan).await?;
    let found = found.items.into_iter().find(|(attempt, _)| attempt.id == attempt_id);
    found.map(|it| Done(shown(it, true))).ok_or(ApiError::NotFound("attempt"))
}

async fn attempts_of(
    call: &Call,
    app_id: &IdOrUid<ApplicationId>,
    destination_id: &IdOrUid<DestinationId>,
) -> Result<AttemptsOf, ApiError> {
    let (endpoint, _) = find(call, app_id, destination_id).await?.ok_or(NOT_FOUND)?;
    Ok(AttemptsOf::Endpoint(endpoint.application, endpoint.id))
}

fn shown((attempt, message): (Attempt, Arc<Message>), content: bool) -> DestinationAttemptOut {
    let shown = render::attempt(attempt, &message, Detail { content, message: false });
    DestinationAttemptOut {
        id: shown.id,
        destination_id: DestinationId(shown.endpoint_id),
        status: shown.status,
        status_text: shown.status_text,
        first_msg_id: shown.msg_id,
        last_msg_id: shown.msg_id,
        num_events: 1,
        response: shown.response,
        response_status_code: shown.response_status_code,
        response_duration_ms: shown.response_duration_ms,
        timestamp: shown.timestamp,
    }
}
