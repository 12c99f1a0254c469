//! Reading around damaged pages.
//!
//! A scan ends at the first damaged page, so a table is read from both ends. What is between the
//! two damages is read in halves, as long as that finds rows.

use rusqlite::{Connection, Row, types::Value};

use crate::embedded::maintenance::{
    scan::{self, Range},
    tables::{Key, Table},
};

/// How often a range in which nothing could be read is halved: a thousand probes.
const HALVINGS: u32 = 10;

/// The largest number of ranges that are read, also if each has rows.
const PROBES: u32 = 100_000;

/// What bounds row ids.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// No message or attempt has a higher one.
    pub(super) newest: i64,
}

pub(super) type Visit<'a> = dyn FnMut(&Row<'_>, Vec<Value>) -> rusqlite::Result<()> + 'a;

/// Visits every row that can be read, some of them twice. Returns the ranges that cannot be read.
pub(super) fn read(
    db: &Connection,
    table: &Table,
    bounds: Bounds,
    visit: &mut Visit<'_>,
) -> rusqlite::Result<Vec<Range>> {
    read_range(db, table, (&Range::default(), bounds), visit)
}

/// The same for a part of the table.
pub(super) fn read_range(
    db: &Connection,
    table: &Table,
    (range, bounds): (&Range, Bounds),
    visit: &mut Visit<'_>,
) -> rusqlite::Result<Vec<Range>> {
    let mut reader = Reader { db, table, probes: PROBES, gaps: Vec::new() };
    if let (Some(gap), _) = reader.read_from_both_ends(range, visit)? {
        match table.key {
            Key::Row => reader.halve(row_ids(&gap, bounds.newest), HALVINGS, visit)?,
            Key::Columns(_) => reader.gaps.push(gap),
        }
    }
    Ok(reader.gaps)
}

struct Reader<'a> {
    db: &'a Connection,
    table: &'a Table,
    /// Ranges that may still be read.
    probes: u32,
    gaps: Vec<Range>,
}

impl Reader<'_> {
    /// Reads the range from both ends. Returns what is left between two damages, and whether any
    /// row was read.
    fn read_from_both_ends(
        &self,
        range: &Range,
        visit: &mut Visit<'_>,
    ) -> rusqlite::Result<(Option<Range>, bool)> {
        let forward = scan::scan(self.db, self.table, (range, true), usize::MAX, visit)?;
        if forward.damage.is_none() {
            return Ok((None, forward.count > 0));
        }
        let rest = Range {
            after: forward.last.or_else(|| range.after.clone()),
            before: range.before.clone(),
        };
        let backward = scan::scan(self.db, self.table, (&rest, false), usize::MAX, visit)?;
        let found = forward.count + backward.count > 0;
        if backward.damage.is_none() {
            return Ok((None, found));
        }
        let before = backward.last.or(rest.before);
        Ok((Some(Range { before, ..rest }), found))
    }

    /// Reads the row ids from `low` to before `high` in halves, and their halves.
    fn halve(
        &mut self,
        (low, high): (i64, i64),
        halvings: u32,
        visit: &mut Visit<'_>,
    ) -> rusqlite::Result<()> {
        if low >= high {
            return Ok(());
        }
        if halvings == 0 || high - low == 1 || self.probes == 0 {
            self.add_gap(low, high);
            return Ok(());
        }
        let middle = low + (high - low) / 2;
        for (low, high) in [(low, middle), (middle, high)] {
            self.probes = self.probes.saturating_sub(1);
            let half = Range {
                after: Some(vec![Value::Integer(low - 1)]),
                before: Some(vec![Value::Integer(high)]),
            };
            let (left, found) = self.read_from_both_ends(&half, visit)?;
            if let Some(left) = left {
                // A damaged tree can return rows that are not in the range.
                let (after, before) = row_ids(&left, high);
                let halvings = if found { HALVINGS } else { halvings - 1 };
                self.halve((after.max(low), before.min(high)), halvings, visit)?;
            }
        }
        Ok(())
    }

    /// Adds the row ids from `low` to before `high`, to the last gap if they follow it.
    fn add_gap(&mut self, low: i64, high: i64) {
        let before = Some(vec![Value::Integer(high)]);
        match self.gaps.last_mut() {
            Some(last) if last.before == Some(vec![Value::Integer(low)]) => last.before = before,
            _ => {
                let after = Some(vec![Value::Integer(low - 1)]);
                self.gaps.push(Range { after, before });
            },
        }
    }
}

/// The first row id of a range, and the one behind its last; `end` is the latter if there is none.
fn row_ids(range: &Range, end: i64) -> (i64, i64) {
    let first = integer(range.after.as_ref()).map_or(0, |after| after.saturating_add(1));
    (first, integer(range.before.as_ref()).unwrap_or(end))
}

/// A row id.
pub(super) fn integer(key: Option<&Vec<Value>>) -> Option<i64> {
    match key?.as_slice() {
        [Value::Integer(number)] => Some(*number),
        _ => None,
    }
}
