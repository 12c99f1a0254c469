//! Statistics of the hosted API that are about the organization or one endpoint.

use postrider::{
    ApplicationId, EndpointId,
    api::{ActiveAppCount, Capability, EndpointAttemptStats, EndpointCountOut},
};
use postrider_core::{
    statistics::{Subject, periods},
    time::Timestamp,
};
use postrider_store::IdOrUid;

use super::{application::total, range};
use crate::{
    api::{
        access::Access,
        error::ApiError,
        operation::operations,
        query::{OnByDefault, query},
        reply::Done,
    },
    operations::call::{self, Call},
};
use postrider::api::Permission;

operations! {
    tag "Statistics";

    /// Count an endpoint's attempts by result
    GetAttemptStats "v1.endpoint.get-attempt-stats" = GET "/api/v1/app/{app_id}/endpoint/{endpoint_id}/attempt-stats"
        path { app_id: IdOrUid<ApplicationId>, endpoint_id: IdOrUid<EndpointId> }
        query { EndpointStatsQuery }
        -> Done<EndpointAttemptStats> = attempt_stats,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);

    /// Count the endpoints of all applications
    CountEndpoints "v1.statistics.endpoint-count" = GET "/api/v1/stats/endpoint/count"
        -> Done<EndpointCountOut> = count_endpoints,
        needs(Permission::Read);

    /// Count the applications with an endpoint that receives messages
    CountActive "v1.application.count-active" = GET "/api/v1/app/stats/count-active"
        query { CountActiveQuery }
        -> Done<ActiveAppCount> = count_active,
        needs(Permission::Read);
}

query! {
    EndpointStatsQuery {
        /// Start of the time range; 28 days ago if absent. Rounded down to a minute, or to an hour or a day where minutes are not kept any more.
        since: Option<Timestamp>,
        /// End of the time range, exclusive; now if absent. Rounded up in the same way.
        until: Option<Timestamp>,
    }
    CountActiveQuery {
        /// Count only applications with an endpoint that is enabled; otherwise, those with any endpoint.
        exclude_disabled: OnByDefault,
    }
}

async fn attempt_stats(
    call: Call,
    input: GetAttemptStats,
) -> Result<Done<EndpointAttemptStats>, ApiError> {
    let entry = call.application(&input.app_id).await?;
    let endpoint = call::endpoint(&entry, &input.endpoint_id)?.id;
    let (since, until) = range::of_query(call.now, input.query.since, input.query.until)?;
    let retention = call.engine().statistics_retention();
    let subject = Subject::Endpoint(entry.application.id, endpoint);
    let counters = total(&call, &subject, periods(since, until, call.now, &retention)).await?;
    let (success, fail) = (counters.delivered(), counters.failed());
    Ok(Done(EndpointAttemptStats { success, fail, canceled: 0 }))
}

async fn count_endpoints(
    call: Call,
    _: CountEndpoints,
) -> Result<Done<EndpointCountOut>, ApiError> {
    let counts = call.store().count_endpoints(call.organization().clone()).await?;
    Ok(Done(EndpointCountOut { active: counts.enabled, disabled: counts.disabled }))
}

async fn count_active(call: Call, input: CountActive) -> Result<Done<ActiveAppCount>, ApiError> {
    let counts = call.store().count_endpoints(call.organization().clone()).await?;
    let with_disabled = !input.query.exclude_disabled.0;
    let count = if with_disabled { counts.applications } else { counts.active_applications };
    Ok(Done(ActiveAppCount { count }))
}
