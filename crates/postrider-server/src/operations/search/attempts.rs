//! Attempts across applications.

use std::sync::Arc;

use postrider::{
    AttemptId, EventTypeName,
    api::{
        Capability, EndpointKind, FailureCause, MessageStatus, Ordering, OrganizationAttemptOut,
        SearchResponse, StatusCodeClass,
    },
};
use postrider_core::{delivery::Attempt, message::Message, time::Timestamp};
use postrider_store::{AttemptFilter, AttemptSearch, MessageFilter, ScanPage};

use super::reach::{Entries, reach};
use crate::{
    api::{
        access::Access,
        convert::{failure_cause, from_failure_cause},
        error::ApiError,
        operation::operations,
        query::{Limit, StatusCode, query},
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
    tag "Message Attempt";

    /// List attempts of all applications, newest first
    ListAll "v1.message-attempt.list-all" = GET "/api/v1/attempt"
        query { (PageQuery, (AttemptsQuery, DetailQuery)) }
        -> Done<SearchResponse<OrganizationAttemptOut>> = list_all,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);
}

query! {
    PageQuery {
        /// Maximum number of items on the page.
        limit: Limit,
        /// The `iterator` or `prevIterator` of another page.
        iterator: Option<String>,
        /// The order of the items; descending (newest first) if absent.
        order: Option<Ordering>,
        /// Only attempts with this result.
        status: Option<MessageStatus>,
    }

    AttemptsQuery {
        /// Only attempts to endpoints of this application, by its id or uid.
        app_id: Option<String>,
        /// Only attempts to this endpoint, by its id, or with `app_id` by its uid.
        endpoint_id: Option<String>,
        /// Only attempts to endpoints of this kind that still exist.
        endpoint_kind: Option<EndpointKind>,
        /// Only attempts whose response has this status code; 0 means no response.
        status_code: Option<StatusCode>,
        /// Only attempts whose response has a status code of this class; 0 means no response.
        status_code_class: Option<StatusCodeClass>,
        /// Only attempts that failed for this reason.
        cause: Option<FailureCause>,
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
    }

    DetailQuery {
        /// Include the responses.
        with_content: bool,
        /// Include the messages, without their payloads.
        with_msg: bool,
    }
}

impl AttemptsQuery {
    /// The conditions, and which result an attempt must have.
    pub(super) fn search(&self, delivered: Option<bool>) -> AttemptSearch {
        AttemptSearch {
            attempt: AttemptFilter {
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
            },
            status: self.status_code.map(|StatusCode(status)| status),
            cause: self.cause.map(from_failure_cause),
            kind: self.endpoint_kind,
            without_response: true,
        }
    }
}

async fn list_all(
    call: Call,
    ListAll { query: (query, (conditions, detail)) }: ListAll,
) -> Result<Done<SearchResponse<OrganizationAttemptOut>>, ApiError> {
    let delivered = match query.status {
        None => Some(None),
        Some(MessageStatus::Success) => Some(Some(true)),
        Some(MessageStatus::Fail) => Some(Some(false)),
        Some(MessageStatus::Pending | MessageStatus::Sending | MessageStatus::Canceled) => None,
    };
    let reach =
        reach(&call, conditions.app_id.as_deref(), conditions.endpoint_id.as_deref()).await?;
    let order = query.order.unwrap_or(Ordering::Descending);
    let mut page = Page::<AttemptId>::new(&call, query.limit, query.iterator.as_deref(), order)?;
    let found = match delivered {
        // An attempt has either succeeded or failed.
        None => ScanPage { items: Vec::new(), resume: None },
        Some(delivered) => {
            let search = AttemptSearch {
                without_response: !detail.with_content,
                ..conditions.search(delivered)
            };
            let store = call.store();
            page.fill_search(|scan| store.search_attempts(reach.clone(), search.clone(), scan))
                .await?
        },
    };
    let entries = Entries::of(&call, found.items.iter().map(|it| it.1.application)).await?;
    let shown = Detail { content: detail.with_content, message: detail.with_msg };
    let out = |it: (Attempt, Arc<Message>)| render_attempt(it, &entries, shown);
    Ok(Done(page.search(found, |it| it.0.id, |id| id.millis(), out)))
}

fn render_attempt(
    (attempt, message): (Attempt, Arc<Message>),
    entries: &Entries,
    detail: Detail,
) -> OrganizationAttemptOut {
    let entry = entries.get(message.application);
    let endpoint = entry.and_then(|entry| {
        entry.endpoints.iter().find(|endpoint| endpoint.id == attempt.delivery.endpoint)
    });
    OrganizationAttemptOut {
        app_id: message.application,
        app_uid: entry.and_then(|entry| entry.application.uid.clone()),
        endpoint_kind: endpoint.map(|endpoint| endpoint.kind),
        event_type: message.event_type.clone(),
        cause: attempt.outcome.cause().map(failure_cause),
        remedy: attempt.outcome.remedy().map(ToOwned::to_owned),
        attempt: render::attempt(attempt, &message, detail),
    }
}
