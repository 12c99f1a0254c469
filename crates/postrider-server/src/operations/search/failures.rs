//! Failed attempts of all applications, grouped by endpoint and cause.

use postrider::{
    AttemptId,
    api::{Capability, FailureGroupOut, FailureSampleOut, SearchResponse},
};
use postrider_core::time::Timestamp;
use postrider_store::Scan;
use serde::{
    Deserialize,
    de::value::{Error, StrDeserializer},
};

use super::{
    attempts::AttemptsQuery,
    group::{Group, Groups},
    reach::{Entries, reach},
};
use crate::{
    api::{
        access::Access,
        convert::{failure_cause, to_wire},
        error::ApiError,
        operation::operations,
        query::query,
        reply::Done,
    },
    operations::call::Call,
};
use postrider::api::Permission;

operations! {
    tag "Message Attempt";

    /// List the failed attempts of all applications, grouped by endpoint and cause
    ListFailures "v1.message-attempt.list-failures" = GET "/api/v1/attempt/failures"
        query { (FailuresQuery, AttemptsQuery) }
        -> Done<SearchResponse<FailureGroupOut>> = list_failures,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);
}

query! {
    FailuresQuery {
        /// The `iterator` of a previous response: continues with earlier attempts.
        iterator: Option<String>,
    }
}

/// Failed attempts that one call groups.
const MAX_ATTEMPTS: usize = 2_000;

/// Failed attempts that one scan reads.
const SCAN_ATTEMPTS: usize = 500;

/// Scans of one call: with a filter that few attempts match, each finds few.
const MAX_SCANS: usize = 4;

async fn list_failures(
    call: Call,
    ListFailures { query: (query, conditions) }: ListFailures,
) -> Result<Done<SearchResponse<FailureGroupOut>>, ApiError> {
    let search = conditions.search(Some(false));
    let reach =
        reach(&call, conditions.app_id.as_deref(), conditions.endpoint_id.as_deref()).await?;
    let mut after = query.iterator.as_deref().map(parse).transpose()?;
    let mut groups = Groups::default();
    let (mut count, mut done) = (0, false);
    for _ in 0..MAX_SCANS {
        let scan = Scan { after, ascending: false, limit: SCAN_ATTEMPTS };
        let found = call.store().search_attempts(reach.clone(), search.clone(), scan).await?;
        count += found.items.len();
        for (attempt, message) in found.items {
            groups.add(message.application, attempt);
        }
        after = found.resume;
        done = after.is_none();
        if done || count >= MAX_ATTEMPTS {
            break;
        }
    }
    let groups = groups.finish();
    let entries = Entries::of(&call, groups.iter().map(|it| it.application)).await?;
    let searched_until = after.map(|id| to_wire(Timestamp::from_millis(id.millis())));
    Ok(Done(SearchResponse {
        data: groups.into_iter().map(|it| render(it, &entries)).collect(),
        iterator: after.map(|it| it.to_string()),
        prev_iterator: None,
        done,
        searched_until,
    }))
}

fn parse(iterator: &str) -> Result<AttemptId, ApiError> {
    AttemptId::deserialize(StrDeserializer::<Error>::new(iterator))
        .map_err(|_| ApiError::invalid(&["query", "iterator"], "is not an iterator of this list"))
}

fn render(it: Group, entries: &Entries) -> FailureGroupOut {
    let entry = entries.get(it.application);
    FailureGroupOut {
        app_id: it.application,
        app_uid: entry.and_then(|entry| entry.application.uid.clone()),
        endpoint_id: it.endpoint,
        url: it.url,
        cause: failure_cause(it.cause),
        response_status_code: it.outcome.status(),
        remedy: it.outcome.remedy().unwrap_or_default().to_owned(),
        count: it.count,
        first_at: to_wire(it.first_at),
        last_at: to_wire(it.last_at),
        samples: it
            .samples
            .into_iter()
            .map(|(attempt_id, msg_id)| FailureSampleOut { attempt_id, msg_id })
            .collect(),
    }
}
