//! The statistics contract.

mod rank;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use postrider::{OrganizationId, SourceId};
use postrider_core::{
    statistics::{
        Counted, CountedFor, Counters, Period, Resolution, RollupKey, StatisticsRetention, Subject,
    },
    time::Timestamp,
};
use rusqlite::Connection;

use super::{
    error::IndexError,
    index::{counts, feed::KeptFrom, recent, rollups},
    journal::Change,
    ledger::Ledger,
    number::{PackedFact, sequence_at},
    readers::Reader,
    row::blob,
    store::EmbeddedStore,
};
use crate::{
    contract::statistics::{Ranked, Statistics},
    error::StoreError,
};

#[async_trait]
impl Statistics for EmbeddedStore {
    async fn count(&self, counted: Vec<Counted>) -> Result<(), StoreError> {
        self.commit(move |ledger| ledger.count(&counted)).await
    }

    async fn rollups(
        &self,
        subjects: Vec<Subject>,
        period: Period,
    ) -> Result<Vec<(RollupKey, Counters)>, StoreError> {
        let period = self.kept_part(period)?;
        self.search(move |reader| {
            reader.coverage().require(sequence_at(period.since))?;
            Ok(find(&reader.index, &subjects, period).map_err(IndexError)?)
        })
        .await
    }

    async fn worst(
        &self,
        organization: OrganizationId,
        ranked: Ranked,
        period: Period,
        limit: usize,
    ) -> Result<Vec<(Subject, Counters)>, StoreError> {
        let period = self.kept_part(period)?;
        self.search(move |reader| worst(reader, &organization, (ranked, period), limit)).await
    }

    /// The index thread removes what is not kept when it writes next.
    async fn maintain_statistics(
        &self,
        now: Timestamp,
        retention: StatisticsRetention,
    ) -> Result<bool, StoreError> {
        let kept = KeptFrom(Resolution::ALL.map(|it| retention.first_kept(it, now)));
        self.open_store()?.handles().index.keep_from(kept);
        Ok(false)
    }
}

impl EmbeddedStore {
    /// The part of the period that is kept, whether the rest was removed already or not.
    fn kept_part(&self, period: Period) -> Result<Period, StoreError> {
        let kept = self.open_store()?.handles().index.kept().of(period.resolution);
        Ok(Period { since: period.since.max(kept), ..period })
    }
}

const SOURCE_EXISTS: &str = "SELECT 1 FROM sources WHERE id = ?1";

impl Ledger {
    fn count(&mut self, counted: &[Counted]) -> Result<(), StoreError> {
        for it in counted {
            let CountedFor::Source(source) = it.of else { continue };
            if self.is_source(source)? {
                let position = self.next_position();
                let application = self.numbers_mut().assign_application(it.application, position);
                let fact = PackedFact(it.fact.pack());
                let (source, count) = (source.as_u128(), it.count);
                self.changes.push(Change::RequestsCounted { application, source, fact, count });
            }
        }
        Ok(())
    }

    fn is_source(&self, source: SourceId) -> Result<bool, StoreError> {
        Ok(self.db.prepare_cached(SOURCE_EXISTS)?.exists([blob(source.as_u128())])?)
    }
}

/// Both tables are read as they are at one moment: numbers move from one to the other.
fn find(
    index: &Connection,
    subjects: &[Subject],
    period: Period,
) -> rusqlite::Result<Vec<(RollupKey, Counters)>> {
    let snapshot = index.unchecked_transaction()?;
    let subjects: BTreeSet<&Subject> = subjects.iter().collect();
    let Period { resolution, since, until } = period;
    let mut found = stored(&snapshot, &subjects, period)?;
    for &subject in &subjects {
        for (minute, counters) in recent::of_subject(&snapshot, subject)? {
            let start = resolution.start(minute);
            if start >= since && start < until {
                let key = RollupKey { resolution, start, subject: subject.clone() };
                found.entry(key).or_default().merge(&counters);
            }
        }
    }
    Ok(found.into_iter().collect())
}

fn stored(
    index: &Connection,
    subjects: &BTreeSet<&Subject>,
    Period { resolution, since, until }: Period,
) -> rusqlite::Result<BTreeMap<RollupKey, Counters>> {
    let mut found = BTreeMap::new();
    let mut from = since;
    while let Some(start) = rollups::next(index, resolution, from)?.filter(|it| *it < until) {
        for &subject in subjects {
            let key = RollupKey { resolution, start, subject: subject.clone() };
            if let Some(counters) = rollups::get(index, &key)? {
                found.insert(key, counters);
            }
        }
        from = Timestamp::from_millis(start.as_millis() + 1);
    }
    Ok(found)
}

fn worst(
    reader: &Reader,
    organization: &OrganizationId,
    (ranked, period): (Ranked, Period),
    limit: usize,
) -> Result<Vec<(Subject, Counters)>, StoreError> {
    reader.coverage().require(sequence_at(period.since))?;
    let ranking = rank::rank(&reader.index, ranked, period).map_err(IndexError)?;
    let mut failure = None;
    let is_of = |subject: &Subject| {
        let Some(application) = subject.application() else { return false };
        match counts::organization(&reader.main, application) {
            Ok(found) => found.as_ref() == Some(organization),
            Err(error) => {
                failure = Some(error);
                false
            },
        }
    };
    let worst = ranking.worst(is_of, limit);
    failure.map_or(Ok(worst), |error| Err(error.into()))
}
