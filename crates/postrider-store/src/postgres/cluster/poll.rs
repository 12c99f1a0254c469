//! Polls the table of changed applications, for changes whose notification was not received.

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio_postgres::Row;

use crate::{
    contract::cluster::StoreEvent,
    postgres::{
        error::DatabaseError,
        node::Node,
        notify,
        value::{self, Uuid},
    },
};

/// Time between two polls, while notifications arrive and while they do not.
const INTERVAL: Duration = Duration::from_secs(5);
const SHORT_INTERVAL: Duration = Duration::from_millis(500);

/// A change becomes visible when its transaction commits, which may be this long after its time. So
/// each poll reads this much of the time before the last one again.
const OVERLAP: Duration = Duration::from_secs(20);

/// Changes are deleted after a while. If the last poll is longer ago, some may be missing.
const MAX_GAP: Duration = Duration::from_secs(300);

/// Limit of changes in one poll; if there are more, the engine is notified that it missed some.
const LIMIT: u32 = 20_000;

/// Polls as long as the store is open.
pub(in crate::postgres) async fn poll(node: Arc<Node>) {
    loop {
        if let Err(error) = poll_once(&node).await {
            let error = &error as &dyn std::error::Error;
            tracing::debug!(error, "changes of applications were not polled");
        }
        let mut pause = Duration::ZERO;
        // Checks often whether notifications still arrive, to poll soon when they do not.
        while pause < INTERVAL && (pause.is_zero() || node.is_listening.load(Ordering::Relaxed)) {
            tokio::time::sleep(SHORT_INTERVAL).await;
            pause += SHORT_INTERVAL;
        }
    }
}

/// Returns the time of the database, also if there are no changes.
const CHANGES: &str = "
SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint, change.id, change.application
FROM (SELECT) AS always
LEFT JOIN change ON change.at > to_timestamp($1::bigint / 1000.0)
ORDER BY change.id
LIMIT $2";

async fn poll_once(node: &Node) -> Result<(), DatabaseError> {
    let last_read_at = node.changes().read_at;
    let overlap = i64::try_from(OVERLAP.as_millis()).unwrap_or(i64::MAX);
    let since = value::millis(last_read_at).saturating_sub(overlap);
    let mut session = node.background_session().await?;
    let rows = session.query(CHANGES, &[&since, &i64::from(LIMIT)]).await?;
    let Some(now) = rows.first().map(|row| value::timestamp(row.get(0))) else { return Ok(()) };
    let change = |row: &Row| Some((row.get::<_, Option<i64>>(1)?, row.get(2)));
    let changes: Vec<(i64, Uuid)> = rows.iter().filter_map(change).collect();
    let mut known = node.changes();
    known.read_at = now.max(last_read_at);
    let new: BTreeSet<Uuid> = changes
        .iter()
        .filter(|(id, _)| !known.ids.contains(id))
        .map(|(_, application)| *application)
        .collect();
    known.ids = changes.iter().map(|(id, _)| *id).collect();
    drop(known);
    if now.since(last_read_at) > MAX_GAP || changes.len() >= LIMIT as usize {
        node.emit(StoreEvent::EventsMissed);
    }
    for application in new {
        node.emit(notify::event(application.into()));
    }
    Ok(())
}
