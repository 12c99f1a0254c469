//! Statistics of all applications, which background tasks compute.

use postrider::{
    ApplicationId,
    api::{AppUsageStatsIn, AppUsageStatsOut, RecoverOut},
};
use postrider_core::catalog::Work;

use super::{begin, period, started};
use crate::{
    api::{body::Json, error::ApiError, operation::operations, path::id_or_uid, reply::Accepted},
    operations::call::Call,
};
use postrider::api::Permission;

/// Most applications that a request can name.
const MAX_NAMED: usize = 1_000;

operations! {
    tag "Statistics";

    /// Count the deliveries of applications, in the background
    AggregateAppStats "v1.statistics.aggregate-app-stats" = POST "/api/v1/stats/usage/app"
        body { Json<AppUsageStatsIn> }
        -> Accepted<AppUsageStatsOut> = aggregate_app_stats,
        needs(Permission::Operate);

    /// List the event types that applications subscribe to, in the background
    AggregateEventTypes "v1.statistics.aggregate-event-types" = PUT "/api/v1/stats/usage/event-types"
        -> Accepted<RecoverOut> = aggregate_event_types,
        needs(Permission::Operate);
}

async fn aggregate_app_stats(
    call: Call,
    input: AggregateAppStats,
) -> Result<Accepted<AppUsageStatsOut>, ApiError> {
    let AppUsageStatsIn { since, until, app_ids } = input.body;
    if app_ids.len() > MAX_NAMED {
        let message = format!("has more than {MAX_NAMED} items");
        return Err(ApiError::invalid(&["body", "appIds"], message));
    }
    let period = period(&call, since, Some(until))?;
    let (mut applications, mut unresolved_app_ids) = (Vec::new(), Vec::new());
    let is_limited = !app_ids.is_empty();
    for text in app_ids {
        let found = match id_or_uid::<ApplicationId>(&text) {
            Some(named) => call.find_application(&named).await?,
            None => None,
        };
        match found {
            Some(entry) => applications.push(entry.application.id),
            None => unresolved_app_ids.push(text),
        }
    }
    // An empty list would mean all applications.
    if is_limited && applications.is_empty() {
        let message = "no application has one of these ids or uids";
        return Err(ApiError::invalid(&["body", "appIds"], message));
    }
    let task = begin(&call, Work::CountDeliveries { applications, period }).await?;
    let RecoverOut { id, status, task, updated_at } = started(&task);
    Ok(Accepted(AppUsageStatsOut { id, status, task, updated_at, unresolved_app_ids }))
}

async fn aggregate_event_types(
    call: Call,
    _: AggregateEventTypes,
) -> Result<Accepted<RecoverOut>, ApiError> {
    Ok(Accepted(started(&begin(&call, Work::ListSubscriptions).await?)))
}
