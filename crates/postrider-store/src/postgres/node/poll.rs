//! Reads which applications changed, for what was not heard.

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use postrider_core::time::Timestamp;
use tokio_postgres::types::Type;

use super::{Shared, lock, value};
use crate::{StoreError, StoreEvent, postgres::value::Uuid};

/// Time between two looks, while notifications arrive and while they do not.
const RARELY: Duration = Duration::from_secs(5);
const OFTEN: Duration = Duration::from_millis(500);

/// A change may become visible so long after its time: no transaction takes longer.
const OVERLAP: Duration = Duration::from_secs(20);

/// Changes are kept for a while; after so long without a look some may be gone.
const MEMORY: Duration = Duration::from_secs(300);

/// Most changes in one look; more are told as missed.
const LIMIT: u32 = 20_000;

/// What is known of changes.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Ids of recent changes that were told to the engine.
    told: BTreeSet<i64>,
    /// When we looked last, by the database's clock.
    looked_at: Timestamp,
}

impl Heard {
    /// What changes from then on is news.
    pub(super) const fn begin(&mut self, now: Timestamp) {
        self.looked_at = now;
    }

    /// A change was heard of as it happened.
    pub(super) fn note(&mut self, id: i64) {
        self.told.insert(id);
    }
}

/// Looks for changes for as long as the store is open.
pub(super) async fn poll(shared: Arc<Shared>) {
    loop {
        if let Err(error) = shared.look_for_changes().await {
            let error = &error as &dyn std::error::Error;
            tracing::debug!(error, "changes were not looked for");
        }
        let mut pause = Duration::ZERO;
        // Who listens no more looks soon.
        while pause < RARELY && (pause.is_zero() || shared.is_listening.load(Ordering::Relaxed)) {
            tokio::time::sleep(OFTEN).await;
            pause += OFTEN;
        }
    }
}

const CHANGES: &str = "
    SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint, change.id, change.application
    FROM (SELECT) AS always
    LEFT JOIN change ON change.at > to_timestamp($1::bigint / 1000.0)
    ORDER BY change.id
    LIMIT $2";

impl Shared {
    async fn look_for_changes(&self) -> Result<(), StoreError> {
        let looked_at = lock(&self.heard).looked_at;
        let overlap = i64::try_from(OVERLAP.as_millis()).unwrap_or(i64::MAX);
        let since = value::millis(looked_at).saturating_sub(overlap);
        let params = [(&since as _, Type::INT8), (&i64::from(LIMIT) as _, Type::INT8)];
        let rows = self.own().await?.query(CHANGES, &params).await?;
        let Some(now) = rows.first().map(|row| value::timestamp(row.get(0))) else { return Ok(()) };
        let changes: Vec<(i64, Uuid)> = rows
            .iter()
            .filter_map(|row| Some((row.get::<_, Option<i64>>(1)?, row.get(2))))
            .collect();
        let mut heard = lock(&self.heard);
        heard.looked_at = now.max(looked_at);
        let news: BTreeSet<Uuid> =
            changes.iter().filter(|it| !heard.told.contains(&it.0)).map(|it| it.1).collect();
        heard.told = changes.iter().map(|it| it.0).collect();
        drop(heard);
        if now.since(looked_at) > MEMORY || changes.len() >= LIMIT as usize {
            self.tell(StoreEvent::EventsMissed);
        }
        for application in news {
            self.tell(StoreEvent::ApplicationChanged(application.into()));
        }
        Ok(())
    }
}
