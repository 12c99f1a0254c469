//! The endpoints that fail most, and the sources that reject most.

use std::time::Duration;

use postrider::{
    ApplicationId, EndpointId, SourceId,
    api::{RejectingSourceOut, RejectingSourcesOut, WorstEndpointOut, WorstEndpointsOut},
};
use postrider_core::{
    catalog::{Endpoint, Source},
    statistics::{Cause, Counters, Period, Resolution, Subject},
    time::Timestamp,
};
use postrider_store::{IdOrUid, Ranked, Records};

use super::render;
use crate::{
    api::{
        convert::to_wire,
        error::ApiError,
        operation::operations,
        query::{Limit, query},
        reply::Done,
    },
    operations::call::Call,
};

/// Most hours that are looked at.
const MAX_HOURS: u64 = 7 * 24;

/// Most subjects that are returned: each is looked up.
const MAX_SUBJECTS: usize = 50;

operations! {
    tag "Statistics";

    /// List the endpoints with the most failed attempts
    WorstEndpoints "v1.statistics.worst-endpoints" = GET "/api/v1/stats/worst-endpoints"
        query { WorstQuery }
        -> Done<WorstEndpointsOut> = worst_endpoints;

    /// List the sources that rejected the most requests
    RejectingSources "v1.statistics.rejecting-sources" = GET "/api/v1/stats/rejecting-sources"
        query { WorstQuery }
        -> Done<RejectingSourcesOut> = rejecting_sources;
}

query! {
    WorstQuery {
        /// Start of the first hour; rounded down. An hour ago if absent, and at most a week ago.
        since: Option<Timestamp>,
        /// End of the last hour, exclusive; rounded up. Now if absent.
        until: Option<Timestamp>,
        /// Maximum number of items; at most 50 are returned.
        limit: Limit,
    }
}

async fn worst_endpoints(
    call: Call,
    input: WorstEndpoints,
) -> Result<Done<WorstEndpointsOut>, ApiError> {
    let (period, found) = find(&call, &input.query, Ranked::Endpoints).await?;
    let mut data = Vec::with_capacity(found.len());
    for (subject, counters) in found {
        if let Subject::Endpoint(application, endpoint) = subject {
            data.push(worst_endpoint(&call, application, endpoint, &counters).await?);
        }
    }
    let (since, until) = (to_wire(period.since), to_wire(period.until));
    Ok(Done(WorstEndpointsOut { since, until, data }))
}

async fn worst_endpoint(
    call: &Call,
    application: ApplicationId,
    endpoint: EndpointId,
    counters: &Counters,
) -> Result<WorstEndpointOut, ApiError> {
    let found = call.store().get::<Endpoint>(&application, &IdOrUid::Id(endpoint)).await?;
    let cause = counters.causes().max_by_key(|(_, count)| *count);
    let cause = cause.map_or(Cause::OtherStatus, |(cause, _)| cause);
    Ok(WorstEndpointOut {
        app_id: application,
        endpoint_id: endpoint,
        url: found.map(|it| it.url),
        cause: cause.name().to_owned(),
        remedy: cause.remedy().to_owned(),
        counts: render::counts(counters),
    })
}

async fn rejecting_sources(
    call: Call,
    input: RejectingSources,
) -> Result<Done<RejectingSourcesOut>, ApiError> {
    call.count_requests().await?;
    let (period, found) = find(&call, &input.query, Ranked::Sources).await?;
    let mut data = Vec::with_capacity(found.len());
    for (subject, counters) in found {
        if let Subject::Source(_, source) = subject {
            let name = source_name(&call, source).await?;
            let counts = render::counts(&counters);
            data.push(RejectingSourceOut { source_id: source, name, counts });
        }
    }
    let (since, until) = (to_wire(period.since), to_wire(period.until));
    Ok(Done(RejectingSourcesOut { since, until, data }))
}

async fn source_name(call: &Call, id: SourceId) -> Result<Option<String>, ApiError> {
    let found = call.store().get::<Source>(call.organization(), &IdOrUid::Id(id)).await?;
    Ok(found.map(|it| it.name))
}

async fn find(
    call: &Call,
    query: &WorstQuery,
    ranked: Ranked,
) -> Result<(Period, Vec<(Subject, Counters)>), ApiError> {
    let resolution = Resolution::Hour;
    let until = resolution.round_up(query.until.unwrap_or(call.now).min(call.now));
    let ago = |hours| {
        Timestamp::from_millis(call.now.as_millis().saturating_sub(hours * resolution.millis()))
    };
    let since = resolution.start(query.since.unwrap_or_else(|| ago(1)));
    if since >= until {
        let message = "must be earlier than `until` and than now";
        return Err(ApiError::invalid(&["query", "since"], message));
    }
    if until.since(since) > Duration::from_millis((MAX_HOURS + 1) * resolution.millis()) {
        let message = "must be at most a week before `until`";
        return Err(ApiError::invalid(&["query", "since"], message));
    }
    let period = Period { resolution, since, until };
    let limit = query.limit.0.min(MAX_SUBJECTS);
    let organization = call.organization().clone();
    let found = call.store().worst(organization, ranked, period, limit).await?;
    Ok((period, found))
}
