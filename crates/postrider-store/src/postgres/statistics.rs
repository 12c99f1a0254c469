//! The statistics contract.
//!
//! A statement that writes messages or attempts also writes what it counts to `tally`, in few
//! rows and without an index. One node at a time moves these rows into `rollup`. A reader adds
//! the rows that are still in `tally`, so it sees everything that was acknowledged.

pub(super) mod fold;
pub(super) mod read;
pub(super) mod remove;
mod tally;

use async_trait::async_trait;
use postrider::OrganizationId;
use postrider_core::{
    statistics::{Counted, CountedFor, Counters, Period, RollupKey, StatisticsRetention, Subject},
    time::Timestamp,
};

use super::{
    error::DatabaseError,
    session::Session,
    store::{PostgresStore, with_session},
    value::Uuid,
};
use crate::{
    contract::statistics::{Ranked, Statistics},
    error::StoreError,
};

#[async_trait]
impl Statistics for PostgresStore {
    async fn count(&self, counted: Vec<Counted>) -> Result<(), StoreError> {
        with_session!(self.node.api_session(), |session| count(session, &counted))
    }

    async fn rollups(
        &self,
        subjects: Vec<Subject>,
        period: Period,
    ) -> Result<Vec<(RollupKey, Counters)>, StoreError> {
        with_session!(self.node.api_session(), |session| read::rollups(session, &subjects, period))
    }

    async fn worst(
        &self,
        organization: OrganizationId,
        ranked: Ranked,
        period: Period,
        limit: usize,
    ) -> Result<Vec<(Subject, Counters)>, StoreError> {
        with_session!(self.node.api_session(), |session| read::worst(
            session,
            &organization,
            (ranked, period),
            limit
        ))
    }

    async fn maintain_statistics(
        &self,
        now: Timestamp,
        retention: StatisticsRetention,
    ) -> Result<bool, StoreError> {
        with_session!(self.node.api_session(), |session| maintain(session, now, &retention))
    }
}

/// Facts about sources that do not exist are ignored. Locks the sources against removal, as a
/// rejection does.
pub(super) const COUNT: &str = "INSERT INTO tally (application, subject, fact, count)
    SELECT known.application, new.source, new.fact, new.count
    FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) AS new (source, fact, count)
    CROSS JOIN LATERAL (
        SELECT application FROM source WHERE id = new.source LIMIT 1 FOR KEY SHARE
    ) AS known";

async fn count(session: &mut Session, counted: &[Counted]) -> Result<(), DatabaseError> {
    let (mut source, mut fact, mut number) = (Vec::new(), Vec::new(), Vec::new());
    for it in counted {
        if let CountedFor::Source(id) = it.of {
            source.push(Uuid::from(id));
            fact.push(it.fact.pack());
            number.push(i64::try_from(it.count).unwrap_or(i64::MAX));
        }
    }
    if source.is_empty() {
        return Ok(());
    }
    session.execute(COUNT, &[&source, &fact, &number]).await.map(drop)
}

async fn maintain(
    session: &mut Session,
    now: Timestamp,
    retention: &StatisticsRetention,
) -> Result<bool, DatabaseError> {
    let has_more = fold::fold(session).await?;
    let has_removed = remove::expire(session, now, retention).await?;
    Ok(has_more || has_removed)
}
