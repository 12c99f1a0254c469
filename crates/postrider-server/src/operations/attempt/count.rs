//! Counting attempts.

use postrider::{
    ApplicationId, AttemptId, EndpointId, EventTypeName,
    api::{Capability, CountOut, MessageStatus, StatusCodeClass},
};
use postrider_core::time::Timestamp;
use postrider_store::{AttemptsOf, IdOrUid, Scan};

use super::AttemptQuery;
use crate::{
    api::{access::Access, error::ApiError, operation::operations, query::query, reply::Done},
    operations::call::{self, Call},
};
use postrider::api::Permission;

/// Attempts that are counted at most, and reads for that.
const MAX_COUNT: u64 = 5_000;
const MAX_READS: usize = 50;

/// Attempts that one read returns.
const PAGE: usize = 250;

operations! {
    tag "Message Attempt";

    /// Count an endpoint's attempts
    CountByEndpoint "v1.message-attempt.count-by-endpoint" = GET "/api/v1/app/{app_id}/attempt/endpoint/{endpoint_id}/count"
        path { app_id: IdOrUid<ApplicationId>, endpoint_id: IdOrUid<EndpointId> }
        query { CountQuery }
        -> Done<CountOut> = count_by_endpoint,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);
}

query! {
    CountQuery {
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
    }
}

impl CountQuery {
    /// The query of a list of the same attempts.
    fn into_list(self) -> AttemptQuery {
        let Self { status, status_code_class, channel, tag, before, after, event_types } = self;
        AttemptQuery {
            status,
            status_code_class,
            channel,
            tag,
            before,
            after,
            event_types,
            ..AttemptQuery::default()
        }
    }
}

async fn count_by_endpoint(call: Call, input: CountByEndpoint) -> Result<Done<CountOut>, ApiError> {
    let CountByEndpoint { app_id, endpoint_id, query } = input;
    let entry = call.application(&app_id).await?;
    let of = AttemptsOf::Endpoint(entry.application.id, call::endpoint(&entry, &endpoint_id)?.id);
    let Some(filter) = query.into_list().filter() else {
        return Ok(Done(CountOut { count: 0, approximated: false }));
    };
    let (mut count, mut after) = (0, None::<AttemptId>);
    for _ in 0..MAX_READS {
        let scan = Scan { after, ascending: false, limit: PAGE };
        let found = call.store().attempts(of, filter.clone(), scan).await?;
        count += found.items.len() as u64;
        after = found.resume;
        if after.is_none() || count >= MAX_COUNT {
            break;
        }
    }
    Ok(Done(CountOut { count, approximated: after.is_some() }))
}
