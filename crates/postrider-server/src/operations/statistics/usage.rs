//! The computations behind the statistics that background tasks return.

use postrider::{ApplicationId, OrganizationId};
use postrider_core::{
    statistics::{Counters, StatisticsRetention, Subject, periods},
    time::Timestamp,
};
use postrider_store::{Store, StoreError};

/// Applications whose numbers are read at once.
const APPLICATIONS: usize = 100;

/// The time range that a task looks at, and what it has to know to find the numbers.
#[derive(Clone, Copy, Debug)]
pub struct UsageRange {
    pub since: Timestamp,
    pub until: Timestamp,
    pub now: Timestamp,
    pub retention: StatisticsRetention,
}

/// The number of attempts of each of these applications in the time range, whose ends are rounded
/// outwards to periods that are kept.
pub async fn attempts_of(
    store: &dyn Store,
    applications: &[ApplicationId],
    range: UsageRange,
) -> Result<Vec<(ApplicationId, u64)>, StoreError> {
    let mut counts = Vec::with_capacity(applications.len());
    for part in applications.chunks(APPLICATIONS) {
        counts.extend(attempts_of_part(store, part, range).await?);
    }
    Ok(counts)
}

async fn attempts_of_part(
    store: &dyn Store,
    applications: &[ApplicationId],
    range: UsageRange,
) -> Result<Vec<(ApplicationId, u64)>, StoreError> {
    let subjects: Vec<_> = applications.iter().copied().map(Subject::Application).collect();
    let mut totals = vec![0_u64; applications.len()];
    for period in periods(range.since, range.until, range.now, &range.retention) {
        for (key, counters) in store.rollups(subjects.clone(), period).await? {
            let of = |total: &&Subject| **total == key.subject;
            if let Some(place) = subjects.iter().position(|it| of(&it)) {
                totals[place] += attempts(&counters);
            }
        }
    }
    Ok(applications.iter().copied().zip(totals).collect())
}

fn attempts(counters: &Counters) -> u64 {
    counters.delivered() + counters.failed()
}

/// The event types that the endpoints of an application subscribe to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscriptions {
    pub application: ApplicationId,
    /// Sorted, each once.
    pub event_types: Vec<String>,
    /// Whether an endpoint receives all event types.
    pub has_catch_all: bool,
}

/// Endpoints that are read at once.
const ENDPOINTS: usize = 500;

/// What the enabled endpoints of all applications of the organization subscribe to, in the order
/// of the applications. Applications without endpoints are left out.
pub async fn subscriptions(
    store: &dyn Store,
    organization: &OrganizationId,
) -> Result<Vec<Subscriptions>, StoreError> {
    let mut found: Vec<Subscriptions> = Vec::new();
    let mut after = None;
    loop {
        let rows = store.endpoints(organization.clone(), after, ENDPOINTS).await?;
        after = rows.last().map(|row| row.place());
        let is_last = rows.len() < ENDPOINTS;
        for endpoint in rows.into_iter().map(|row| row.endpoint).filter(|it| !it.disabled) {
            if found.last().is_none_or(|it| it.application != endpoint.application) {
                let (event_types, has_catch_all) = (Vec::new(), false);
                let application = endpoint.application;
                found.push(Subscriptions { application, event_types, has_catch_all });
            }
            let Some(of) = found.last_mut() else { continue };
            match endpoint.event_types {
                None => of.has_catch_all = true,
                Some(names) => of.event_types.extend(names.iter().map(|it| it.as_str().to_owned())),
            }
        }
        if is_last {
            break;
        }
    }
    for of in &mut found {
        of.event_types.sort_unstable();
        of.event_types.dedup();
    }
    Ok(found)
}
