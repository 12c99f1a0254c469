//! Pending deliveries of endpoints, counted in the main database while the index is being rebuilt.

use std::collections::HashMap;

use postrider::EndpointId;
use postrider_core::time::Timestamp;
use rusqlite::params;

use super::{ledger::Ledger, number::EndpointNumber, readers::Reader, store::EmbeddedStore};
use crate::{contract::overview::Queued, error::StoreError};

impl EmbeddedStore {
    /// The pending deliveries of each of these endpoints, up to the limit for each. Those that
    /// change between the two looks at the store may be counted as before or as after that.
    pub(super) async fn queued_without_index(
        &self,
        endpoints: Vec<EndpointId>,
        limit: u64,
    ) -> Result<Vec<Queued>, StoreError> {
        let leased = self.commit(|ledger| Ok(ledger.unpersisted_by_endpoint())).await?;
        self.read(move |reader| {
            let count = |endpoint: &EndpointId| {
                let number = reader.numbers().endpoint_number(*endpoint);
                let Some(number) = number else { return Ok(Queued::default()) };
                let with_rows = with_rows(reader, number, limit)?;
                Ok(leased.get(&number).map_or(with_rows, |leased| sum(with_rows, *leased, limit)))
            };
            endpoints.iter().map(count).collect()
        })
        .await
    }
}

impl Ledger {
    /// Deliveries that are leased without a row: the first attempts under way.
    fn unpersisted_by_endpoint(&self) -> HashMap<EndpointNumber, Queued> {
        let mut found: HashMap<EndpointNumber, Queued> = HashMap::new();
        for (key, lease) in self.leases.all_unpersisted() {
            let one = Queued { pending: 1, oldest_due: Some(lease.due_at) };
            let queued = found.entry(key.endpoint).or_default();
            *queued = sum(*queued, one, u64::MAX);
        }
        found
    }
}

fn sum(one: Queued, other: Queued, limit: u64) -> Queued {
    Queued {
        pending: (one.pending + other.pending).min(limit),
        oldest_due: one.oldest_due.into_iter().chain(other.oldest_due).min(),
    }
}

pub(super) const WITH_ROWS: &str = "SELECT count(*), min(due_at) FROM (
    SELECT coalesce(due_at, free_at) AS due_at FROM pending WHERE endpoint = ?1 LIMIT ?2
  )";

fn with_rows(reader: &Reader, endpoint: EndpointNumber, limit: u64) -> rusqlite::Result<Queued> {
    let mut statement = reader.main.prepare_cached(WITH_ROWS)?;
    statement.query_row(params![endpoint, limit], |row| {
        let oldest_due = row.get::<_, Option<u64>>(1)?.map(Timestamp::from_millis);
        Ok(Queued { pending: row.get(0)?, oldest_due })
    })
}
