//! The subjects with the most problems in a period.

use std::collections::{BTreeMap, BTreeSet};

use postrider_core::{
    statistics::{Counters, MinuteCounts, Period, RollupKey, Subject},
    time::Timestamp,
};
use rusqlite::{Connection, Row, params};

use crate::{
    contract::statistics::Ranked,
    embedded::{
        error::Inconsistency,
        index::{recent, rollups},
        row,
    },
    ranking::Ranking,
};

/// Adds up the periods in which a subject had problems.
pub(super) fn rank(
    index: &Connection,
    ranked: Ranked,
    period: Period,
) -> rusqlite::Result<Ranking> {
    // Numbers move from one table to the other: both are read as they are at one moment.
    let snapshot = index.unchecked_transaction()?;
    let mut recent = RecentProblems::new(ranked, period);
    recent.find(&snapshot)?;
    let mut ranking = Ranking::default();
    each(&snapshot, period, |start, subject, counters| {
        if recent.starts.contains(&start) && ranked.includes(&subject) {
            recent.totals.insert((start, subject), counters);
        } else if ranked.includes(&subject) {
            ranking.add(subject, &counters);
        }
    })?;
    for ((_, subject), counters) in recent.complete(&snapshot)? {
        ranking.add(subject, &counters);
    }
    Ok(ranking)
}

const PROBLEMS: &str = "SELECT start, subject, counters
    FROM rollups
    WHERE resolution = ?1 AND start >= ?2 AND start < ?3 AND problems > 0";

fn each(
    index: &Connection,
    Period { resolution, since, until }: Period,
    mut add: impl FnMut(Timestamp, Subject, Counters),
) -> rusqlite::Result<()> {
    let values = params![resolution.code(), since.as_millis(), until.as_millis()];
    let mut statement = index.prepare_cached(PROBLEMS)?;
    let mut rows = statement.query(values)?;
    while let Some(row) = rows.next()? {
        let start = Timestamp::from_millis(row.get(0)?);
        add(start, subject(row)?, row::decode(row::blob_of(row, 2)?)?);
    }
    Ok(())
}

/// Reads the second column.
fn subject(row: &Row<'_>) -> rusqlite::Result<Subject> {
    let bytes = row::blob_of(row, 1)?;
    Subject::from_bytes(bytes).ok_or_else(|| Inconsistency::UnknownVersion.into())
}

/// The numbers of subjects with problems in periods to which recent numbers belong. Only these
/// subjects are in memory: there may be very many others.
struct RecentProblems {
    ranked: Ranked,
    period: Period,
    starts: BTreeSet<Timestamp>,
    totals: BTreeMap<(Timestamp, Subject), Counters>,
}

impl RecentProblems {
    const fn new(ranked: Ranked, period: Period) -> Self {
        Self { ranked, period, starts: BTreeSet::new(), totals: BTreeMap::new() }
    }

    /// When the period begins to which the number belongs, if it is one of those asked for.
    fn start(&self, number: &MinuteCounts) -> Option<Timestamp> {
        let start = self.period.resolution.start(number.start);
        let is_within = start >= self.period.since && start < self.period.until;
        (is_within && self.ranked.includes(&number.subject)).then_some(start)
    }

    /// Finds the periods, and the subjects with recent problems, with their numbers in the rollups.
    fn find(&mut self, index: &Connection) -> rusqlite::Result<()> {
        let mut keys = BTreeSet::new();
        recent::visit(index, |number| {
            let Some(start) = self.start(&number) else { return };
            self.starts.insert(start);
            if number.counters.problems() > 0 {
                keys.insert((start, number.subject));
            }
        })?;
        for (start, subject) in keys {
            let resolution = self.period.resolution;
            let key = RollupKey { resolution, start, subject: subject.clone() };
            let counters = rollups::get(index, &key)?.unwrap_or_default();
            self.totals.insert((start, subject), counters);
        }
        Ok(())
    }

    /// Adds the recent numbers.
    fn complete(
        mut self,
        index: &Connection,
    ) -> rusqlite::Result<BTreeMap<(Timestamp, Subject), Counters>> {
        if !self.totals.is_empty() {
            recent::visit(index, |number| {
                let Some(start) = self.start(&number) else { return };
                if let Some(total) = self.totals.get_mut(&(start, number.subject)) {
                    total.merge(&number.counters);
                }
            })?;
        }
        Ok(self.totals)
    }
}
