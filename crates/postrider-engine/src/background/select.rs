//! Finds the deliveries of an endpoint that a filter matches.

use postrider::{ApplicationId, EndpointId, MessageId};
use postrider_core::{
    catalog::ResendFilter,
    cause::Cause,
    delivery::{DeliveryId, StatusKind},
};
use postrider_store::{
    AttemptFilter, AttemptsOf, DeliveriesOf, DeliveryFilter, DeliveryRow, MessageFilter, Scan,
    StatusFilter, Store, StoreError,
};

/// Deliveries in the order of their messages.
#[derive(Debug, Default)]
pub(super) struct Selected {
    pub(super) rows: Vec<DeliveryRow>,
    /// The message after which the next selection continues; `None` at the end.
    pub(super) resume: Option<MessageId>,
}

/// Where a selection starts, and how many rows it reads of each status.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position {
    pub(super) after: Option<MessageId>,
    pub(super) limit: usize,
}

/// The next matching deliveries of the endpoint.
pub(super) async fn select(
    store: &dyn Store,
    (application, endpoint): (ApplicationId, EndpointId),
    filter: &ResendFilter,
    position: Position,
) -> Result<Selected, StoreError> {
    let of = DeliveriesOf::Endpoint(application, endpoint);
    let mut rows = Vec::new();
    let mut resume = None::<MessageId>;
    for status in scanned(&filter.statuses) {
        let after = position.after.map(|message| DeliveryId { endpoint, message });
        let scan = Scan { after, ascending: true, limit: position.limit };
        let conditions = DeliveryFilter { status, message: on_messages(filter) };
        let page = store.deliveries(of, conditions, scan).await?;
        rows.extend(page.items);
        if let Some(id) = page.resume {
            resume = Some(resume.map_or(id.message, |before| before.min(id.message)));
        }
    }
    // Another status continues from there, so the rows behind that are found again.
    rows.retain(|row| {
        let is_reached = resume.is_none_or(|resume| row.id.message <= resume);
        is_reached && filter.statuses.contains(&StatusKind::from(row.status))
    });
    rows.sort_by_key(|row| row.id.message);
    rows.dedup_by_key(|row| row.id.message);
    if let Some(cause) = filter.cause {
        rows = with_cause(store, application, rows, cause).await?;
    }
    Ok(Selected { rows, resume })
}

/// The statuses to scan for. Nearly all deliveries are delivered, so looking for those means
/// looking at all of them.
fn scanned(statuses: &[StatusKind]) -> Vec<Option<StatusFilter>> {
    if statuses.contains(&StatusKind::Delivered) {
        return vec![None];
    }
    let is_unfinished = |kind: &StatusKind| StatusFilter::Unfinished.admits(*kind);
    let mut scanned = Vec::new();
    // The deliveries of both are kept together: to look for those of one means passing the others.
    match statuses.iter().filter(|kind| is_unfinished(kind)).collect::<Vec<_>>()[..] {
        [] => {},
        [one] => scanned.push(Some(StatusFilter::Is(*one))),
        _ => scanned.push(Some(StatusFilter::Unfinished)),
    }
    let ended = statuses.iter().filter(|kind| !is_unfinished(kind));
    scanned.extend(ended.map(|kind| Some(StatusFilter::Is(*kind))));
    scanned
}

fn on_messages(filter: &ResendFilter) -> MessageFilter {
    MessageFilter {
        before: Some(filter.period.until),
        after: Some(filter.period.since),
        channel: filter.channel.clone(),
        tag: filter.tag.clone(),
        event_types: filter.event_types.clone(),
        scheduled_after: None,
        with_body: false,
    }
}

/// The deliveries whose last attempt had this result.
async fn with_cause(
    store: &dyn Store,
    application: ApplicationId,
    rows: Vec<DeliveryRow>,
    cause: Cause,
) -> Result<Vec<DeliveryRow>, StoreError> {
    let mut found = Vec::new();
    for row in rows.into_iter().filter(|row| row.attempts > 0) {
        let of = AttemptsOf::Message(application, row.id.message, Some(row.id.endpoint));
        let last = Scan { after: None, ascending: false, limit: 1 };
        let attempts = store.attempts(of, AttemptFilter::default(), last).await?;
        if attempts.items.first().is_some_and(|(attempt, _)| cause.matches(attempt.outcome)) {
            found.push(row);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_deliveries_are_walked_over_twice() {
        use StatusKind::{Cancelled, Delivered, Failed, Pending, Sending};
        let is = |kind| Some(StatusFilter::Is(kind));
        for (statuses, expected) in [
            (vec![], vec![]),
            (vec![Failed, Cancelled], vec![is(Failed), is(Cancelled)]),
            (vec![Pending], vec![is(Pending)]),
            (vec![Pending, Failed, Sending], vec![Some(StatusFilter::Unfinished), is(Failed)]),
            (vec![Failed, Delivered], vec![None]),
        ] {
            assert_eq!(scanned(&statuses), expected, "{statuses:?}");
        }
    }
}
