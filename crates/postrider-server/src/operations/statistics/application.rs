//! Statistics of the hosted API that are about one application.

use std::collections::BTreeMap;

use postrider::{
    ApplicationId, EventTypeName,
    api::{
        AppAttemptEventTypeStats, AppAttemptStatsOut, AttemptStatisticsData,
        AttemptStatisticsResponse, Capability, StatisticsPeriod,
    },
};
use postrider_core::{
    statistics::{Counters, Period, Subject},
    time::Timestamp,
};
use postrider_engine::Entry;
use postrider_store::{AttemptFilter, AttemptsOf, IdOrUid, MessageFilter, Scan};

use super::{
    points,
    range::{self, Range},
};
use crate::{
    api::{
        access::Access, convert::to_wire, error::ApiError, operation::operations, query::query,
        reply::Done,
    },
    operations::call::Call,
};
use postrider::api::Permission;

/// Attempts that are looked at to tell their event types apart. Statistics do not have them.
const MAX_ATTEMPTS: usize = 10_000;

/// Attempts that are read at once.
const PAGE: usize = 500;

operations! {
    tag "Statistics";

    /// Count an application's attempts in each period
    AttemptSeries "v1.stats.app-attempts" = GET "/api/v1/stats/app/{app_id}/attempt"
        path { app_id: IdOrUid<ApplicationId> }
        query { AttemptSeriesQuery }
        -> Done<AttemptStatisticsResponse> = attempt_series,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);

    /// Count an application's attempts by event type
    AttemptStats "v1.application.stats.attempts" = GET "/api/v1/app/{app_id}/stats/attempts"
        path { app_id: IdOrUid<ApplicationId> }
        query { AttemptStatsQuery }
        -> Done<AppAttemptStatsOut> = attempt_stats,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);
}

query! {
    #[expect(non_snake_case, reason = "the names of the hosted API")]
    AttemptSeriesQuery {
        /// Start of the first period; rounded down. By default, the last 60 periods are returned.
        startDate: Option<Timestamp>,
        /// End of the last period, exclusive; rounded up. Now if absent.
        endDate: Option<Timestamp>,
        /// The length of each period: `OneDay`, `OneHour` (the default), `FiveMinutes` or `OneMinute`.
        period: Option<StatisticsPeriod>,
    }
    AttemptStatsQuery {
        /// Start of the time range.
        since: Option<Timestamp>,
        /// End of the time range, exclusive.
        until: Option<Timestamp>,
        /// Count only attempts for messages of these event types.
        event_types: Vec<EventTypeName>,
    }
}

async fn attempt_series(
    call: Call,
    input: AttemptSeries,
) -> Result<Done<AttemptStatisticsResponse>, ApiError> {
    let AttemptSeriesQuery { startDate: since, endDate: until, period } = input.query;
    let entry = call.application(&input.app_id).await?;
    let period = period.unwrap_or_default();
    let range = Range::of(since, until, period, call.now)?;
    let points = points(&call, Subject::Application(entry.application.id), range).await?;
    let points: BTreeMap<_, _> = points.into_iter().collect();
    let mut data = AttemptStatisticsData::default();
    for start in range.starts() {
        let counters = points.get(&start);
        data.success_count.push(counters.map_or(0, Counters::delivered));
        data.failure_count.push(counters.map_or(0, Counters::failed));
        data.canceled_count.push(0);
    }
    let (start_date, end_date) = (to_wire(range.since), to_wire(range.until));
    Ok(Done(AttemptStatisticsResponse { start_date, end_date, period, data }))
}

async fn attempt_stats(
    call: Call,
    input: AttemptStats,
) -> Result<Done<AppAttemptStatsOut>, ApiError> {
    let AttemptStatsQuery { since, until, event_types } = input.query;
    let entry = call.application(&input.app_id).await?;
    let (since, until) = range::of_query(call.now, since, until)?;
    let message = MessageFilter {
        after: Some(since),
        before: Some(until),
        event_types,
        ..MessageFilter::default()
    };
    let by_event_type = by_event_type(&call, &entry, message).await?;
    let sum =
        |number: fn(&AppAttemptEventTypeStats) -> u64| by_event_type.values().map(number).sum();
    let (total_success, total_failure) = (sum(|it| it.success), sum(|it| it.failure));
    Ok(Done(AppAttemptStatsOut {
        by_event_type,
        total_success,
        total_failure,
        total_canceled: 0,
        since: to_wire(since),
        until: to_wire(until),
    }))
}

async fn by_event_type(
    call: &Call,
    entry: &Entry,
    message: MessageFilter,
) -> Result<BTreeMap<String, AppAttemptEventTypeStats>, ApiError> {
    let mut counts: BTreeMap<String, AppAttemptEventTypeStats> = BTreeMap::new();
    let filter = AttemptFilter { message, ..AttemptFilter::default() };
    let mut left = MAX_ATTEMPTS;
    for endpoint in &entry.endpoints {
        let of = AttemptsOf::Endpoint(entry.application.id, endpoint.id);
        let mut after = None;
        loop {
            let scan = Scan { after, ascending: false, limit: PAGE };
            let page = call.store().attempts(of, filter.clone(), scan).await?;
            left = left.checked_sub(page.items.len().max(1)).ok_or_else(too_many)?;
            for (attempt, message) in &page.items {
                let name = message.event_type.as_str().to_owned();
                let count = counts.entry(name).or_default();
                let delivered = attempt.outcome.delivered();
                *(if delivered { &mut count.success } else { &mut count.failure }) += 1;
            }
            after = page.resume;
            if after.is_none() {
                break;
            }
        }
    }
    Ok(counts)
}

fn too_many() -> ApiError {
    let message = format!("there are more than {MAX_ATTEMPTS} attempts; choose a later time");
    ApiError::invalid(&["query", "since"], message)
}

/// The sum of the subject's numbers in these periods.
pub(super) async fn total(
    call: &Call,
    subject: &Subject,
    periods: Vec<Period>,
) -> Result<Counters, ApiError> {
    let mut total = Counters::default();
    for period in periods {
        for (_, counters) in call.store().rollups(vec![subject.clone()], period).await? {
            total.merge(&counters);
        }
    }
    Ok(total)
}
