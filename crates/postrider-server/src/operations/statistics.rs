//! Statistics: series of numbers, and what is worst.

pub(super) mod application;
pub(super) mod hosted;
mod range;
mod render;
pub(super) mod worst;

use postrider::{
    ApplicationId, EndpointId, SourceId,
    api::{Capability, StatisticsPeriod, StatisticsPointOut, StatisticsSeriesOut},
};
use postrider_core::{
    statistics::{Counters, RollupKey, Subject},
    time::Timestamp,
};
use postrider_store::IdOrUid;

use self::range::Range;
pub use self::{
    application::{AttemptSeries, AttemptSeriesQuery, AttemptStats, AttemptStatsQuery},
    hosted::{CountActive, CountActiveQuery, CountEndpoints, EndpointStatsQuery, GetAttemptStats},
    worst::{RejectingSources, WorstEndpoints, WorstQuery},
};
use crate::{
    api::{
        access::Access, convert::to_wire, error::ApiError, operation::operations, query::query,
        reply::Done,
    },
    operations::call::{self, Call},
};
use postrider::api::Permission;

operations! {
    tag "Statistics";

    /// Count the messages, attempts and received requests of the organization over time
    Series "v1.statistics.series" = GET "/api/v1/stats/series"
        query { SeriesQuery }
        -> Done<StatisticsSeriesOut> = series,
        needs(Permission::Read);

    /// Count the messages and attempts of an application over time
    ApplicationSeries "v1.application.get-series" = GET "/api/v1/app/{app_id}/stats/series"
        path { app_id: IdOrUid<ApplicationId> }
        query { SeriesQuery }
        -> Done<StatisticsSeriesOut> = application_series,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);

    /// Count the attempts of an endpoint over time
    EndpointSeries "v1.endpoint.get-series" = GET "/api/v1/app/{app_id}/endpoint/{endpoint_id}/stats/series"
        path { app_id: IdOrUid<ApplicationId>, endpoint_id: IdOrUid<EndpointId> }
        query { SeriesQuery }
        -> Done<StatisticsSeriesOut> = endpoint_series,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);

    /// Count the requests that a source received over time
    SourceSeries "v1.ingest.source.get-series" = GET "/ingest/api/v1/source/{source_id}/stats/series"
        path { source_id: IdOrUid<SourceId> }
        query { SeriesQuery }
        -> Done<StatisticsSeriesOut> = source_series,
        needs(Permission::Read);
}

query! {
    SeriesQuery {
        /// Start of the first period; rounded down. By default, the last 60 periods are returned.
        since: Option<Timestamp>,
        /// End of the last period, exclusive; rounded up. Now if absent.
        until: Option<Timestamp>,
        /// The length of each period: `OneDay`, `OneHour` (the default), `FiveMinutes` or `OneMinute`.
        period: Option<StatisticsPeriod>,
    }
}

async fn series(call: Call, input: Series) -> Result<Done<StatisticsSeriesOut>, ApiError> {
    let subject = Subject::Organization(call.organization().clone());
    call.count_requests().await?;
    read(&call, subject, &input.query).await.map(Done)
}

async fn application_series(
    call: Call,
    input: ApplicationSeries,
) -> Result<Done<StatisticsSeriesOut>, ApiError> {
    let entry = call.application(&input.app_id).await?;
    call.count_requests().await?;
    read(&call, Subject::Application(entry.application.id), &input.query).await.map(Done)
}

async fn endpoint_series(
    call: Call,
    input: EndpointSeries,
) -> Result<Done<StatisticsSeriesOut>, ApiError> {
    let entry = call.application(&input.app_id).await?;
    let endpoint = call::endpoint(&entry, &input.endpoint_id)?.id;
    let subject = Subject::Endpoint(entry.application.id, endpoint);
    read(&call, subject, &input.query).await.map(Done)
}

async fn source_series(
    call: Call,
    input: SourceSeries,
) -> Result<Done<StatisticsSeriesOut>, ApiError> {
    let source = call.source(&input.source_id).await?;
    call.count_requests().await?;
    read(&call, Subject::Source(source.application, source.id), &input.query).await.map(Done)
}

/// The numbers of the subject in each period of the range.
async fn read(
    call: &Call,
    subject: Subject,
    query: &SeriesQuery,
) -> Result<StatisticsSeriesOut, ApiError> {
    let period = query.period.unwrap_or_default();
    let range = Range::of(query.since, query.until, period, call.now)?;
    let mut total = Counters::default();
    let mut data = Vec::new();
    for (at, counters) in points(call, subject, range).await? {
        total.merge(&counters);
        data.push(StatisticsPointOut { at: to_wire(at), counts: render::counts(&counters) });
    }
    Ok(StatisticsSeriesOut {
        since: to_wire(range.since),
        until: to_wire(range.until),
        period,
        data,
        total: render::counts(&total),
    })
}

/// The periods that are not empty, from the oldest on.
async fn points(
    call: &Call,
    subject: Subject,
    range: Range,
) -> Result<Vec<(Timestamp, Counters)>, ApiError> {
    let stored = call.store().rollups(vec![subject], range.stored()).await?;
    let mut points: Vec<(Timestamp, Counters)> = Vec::new();
    for (RollupKey { start, .. }, counters) in stored {
        let at = range.start_of(start);
        match points.last_mut() {
            Some((last, total)) if *last == at => total.merge(&counters),
            Some(_) | None => points.push((at, counters)),
        }
    }
    Ok(points)
}
