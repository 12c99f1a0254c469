//! Tasks that only read: what they have found out so far, and what the next endpoint adds to it.

use postrider_core::catalog::{
    Application, DeliveryCount, Endpoint, Period, Subscriptions, TaskResult,
};
use postrider_store::{Store, StoreError};

/// Most applications in a result.
pub(super) const MAX_APPLICATIONS: usize = 10_000;

/// Adds the deliveries to an endpoint; returns their number.
pub(super) async fn count_deliveries(
    store: &dyn Store,
    (application, endpoint): (&Application, &Endpoint),
    period: Period,
    result: &mut TaskResult,
) -> Result<u64, StoreError> {
    let Period { since, until } = period;
    let stats = store.stats(application.id, endpoint.id, since, until).await?;
    let count = stats.delivered + stats.pending + stats.sending + stats.failed + stats.cancelled;
    counts(result, application).deliveries += count;
    Ok(count)
}

/// The entry of an application, which is created if it does not exist.
pub(super) fn counts<'a>(
    result: &'a mut TaskResult,
    application: &Application,
) -> &'a mut DeliveryCount {
    let new = || DeliveryCount {
        application: application.id,
        uid: application.uid.clone(),
        deliveries: 0,
    };
    if !matches!(result, TaskResult::Deliveries(_)) {
        *result = TaskResult::Deliveries(Vec::new());
    }
    let TaskResult::Deliveries(all) = result else { unreachable!("it was made so") };
    if all.last().is_none_or(|last| last.application != application.id) {
        all.push(new());
    }
    all.last_mut().expect("there is one")
}

/// Adds the event types of an endpoint.
pub(super) fn add_subscriptions(
    (application, endpoint): (&Application, &Endpoint),
    result: &mut TaskResult,
) {
    let entry = subscriptions(result, application);
    let Some(event_types) = &endpoint.event_types else {
        entry.has_catch_all = true;
        return;
    };
    entry.event_types.extend(event_types.iter().cloned());
    entry.event_types.sort_unstable();
    entry.event_types.dedup();
}

/// The entry of an application, which is created if it does not exist.
pub(super) fn subscriptions<'a>(
    result: &'a mut TaskResult,
    application: &Application,
) -> &'a mut Subscriptions {
    let new = || Subscriptions {
        application: application.id,
        event_types: Vec::new(),
        has_catch_all: false,
    };
    if !matches!(result, TaskResult::Subscriptions(_)) {
        *result = TaskResult::Subscriptions(Vec::new());
    }
    let TaskResult::Subscriptions(all) = result else { unreachable!("it was made so") };
    if all.last().is_none_or(|last| last.application != application.id) {
        all.push(new());
    }
    all.last_mut().expect("there is one")
}

/// The number of applications in a result.
pub(super) fn applications(result: &TaskResult) -> usize {
    match result {
        TaskResult::Done => 0,
        TaskResult::Deliveries(all) => all.len(),
        TaskResult::Subscriptions(all) => all.len(),
    }
}
