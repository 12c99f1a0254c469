//! Copying the rows of a table that are what was stored.

use std::collections::HashSet;

use rusqlite::{Connection, ErrorCode, Row, params_from_iter, types::Value};

use super::{
    gaps::{self, Bounds},
    report::Salvaged,
};
use crate::embedded::{
    error::{self, Inconsistency},
    ledger::expiry::ExpirySpans,
    maintenance::{
        scan::{self, Range},
        tables::{Check, Table},
    },
    number::MessageSequence,
    row::{self, attempt::AttemptRecord, message::CheckedHead},
};

/// The new database, and what was copied into it.
pub(super) struct Target<'a> {
    db: &'a Connection,
    /// The numbers that are assigned, by table.
    applications: HashSet<u32>,
    endpoints: HashSet<u32>,
    event_types: HashSet<u32>,
    /// Filled again: the spans are not worth a table of what could be lost.
    spans: ExpirySpans,
    /// Ranges of messages that cannot be read.
    pub(super) lost_messages: Vec<Range>,
}

/// The messages whose payload is on pages that cannot be read.
const MESSAGES_WITHOUT_BODY: &str = "sequence, tail, application, head, NULL AS body";

impl<'a> Target<'a> {
    pub(super) fn new(db: &'a Connection) -> Self {
        Self {
            db,
            applications: HashSet::new(),
            endpoints: HashSet::new(),
            event_types: HashSet::new(),
            spans: ExpirySpans::default(),
            lost_messages: Vec::new(),
        }
    }

    pub(super) const fn db(&self) -> &Connection {
        self.db
    }

    /// Copies all rows of the table that can be read and are what was stored.
    pub(super) fn copy(
        &mut self,
        from: &Connection,
        table: &Table,
        bounds: Bounds,
        report: &mut Salvaged,
    ) -> rusqlite::Result<()> {
        let mut take = |row: &Row<'_>, key: Vec<Value>| self.take(table, row, &key, report);
        let gaps = gaps::read(from, table, bounds, &mut take)?;
        match (table.check, table.index) {
            _ if gaps.is_empty() => Ok(()),
            (Check::Message, _) => self.copy_heads(from, table, bounds, (gaps, report)),
            (Check::Attempt, _) => {
                report.lose_all(gaps.iter().map(|gap| period("attempts", gap)));
                Ok(())
            },
            (_, Some(index)) => self.copy_indexed(from, table, index, (&gaps, report)),
            (_, None) => {
                report.lose_all(gaps.iter().map(|gap| between(table, gap)));
                Ok(())
            },
        }
    }

    /// Reads the messages in the gaps without their payloads, which have pages of their own if they
    /// are long.
    fn copy_heads(
        &mut self,
        from: &Connection,
        table: &Table,
        bounds: Bounds,
        (gaps, report): (Vec<Range>, &mut Salvaged),
    ) -> rusqlite::Result<()> {
        let heads = Table { columns: MESSAGES_WITHOUT_BODY, ..*table };
        for gap in gaps {
            let mut take = |row: &Row<'_>, key: Vec<Value>| self.take(&heads, row, &key, report);
            let left = gaps::read_range(from, &heads, (&gap, bounds), &mut take)?;
            self.lost_messages.extend(left);
        }
        Ok(())
    }

    /// Reads the rows one by one whose keys are in an index. So those that are lost have names.
    fn copy_indexed(
        &mut self,
        from: &Connection,
        table: &Table,
        index: &str,
        (gaps, report): (&[Range], &mut Salvaged),
    ) -> rusqlite::Result<()> {
        let (keys, is_complete) = scan::keys(from, table, index)?;
        for key in keys {
            if scan::exists(self.db, table, &key)? {
                continue;
            }
            let mut take = |row: &Row<'_>, key: Vec<Value>| self.take(table, row, &key, report);
            let found = scan::one(from, table, &key, &mut take)?;
            if found.count == 0 {
                report.lose(table.describe(&key));
            }
        }
        if !is_complete {
            report.lose_all(gaps.iter().map(|gap| between(table, gap)));
        }
        Ok(())
    }

    fn take(
        &mut self,
        table: &Table,
        row: &Row<'_>,
        key: &[Value],
        report: &mut Salvaged,
    ) -> rusqlite::Result<()> {
        let taken = self.check(table, row, report).and_then(|keeps_body| {
            let mut values = values_of(row, row.as_ref().column_count() - table.key_length())?;
            if let (false, Some(body)) = (keeps_body, values.get_mut(BODY)) {
                *body = Value::Null;
            }
            insert(self.db, table, &values)
        });
        match taken {
            Ok(true) => count(table, report),
            Ok(false) => {
                report.lose(format!("{}: another row has the same key", table.describe(key)));
            },
            Err(error) if error::is_damage(&error) || is_constraint(&error) => {
                report.lose(lost_row(table, row, key, &error));
            },
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// An error if the row is not what was stored or refers to a number that is lost. Returns
    /// whether it keeps its payload.
    fn check(
        &mut self,
        table: &Table,
        row: &Row<'_>,
        report: &mut Salvaged,
    ) -> rusqlite::Result<bool> {
        if table.check == Check::Message {
            return self.check_message(table, row, report);
        }
        if table.check == Check::Attempt {
            known(&self.endpoints, AttemptRecord::from_row(row)?.endpoint.0)?;
            return Ok(true);
        }
        table.check.row(row)?;
        if let Ok(column) = row.as_ref().column_index("endpoint")
            && table.name != "poll_logs"
        {
            known(&self.endpoints, row.get(column)?)?;
        }
        let numbers = match table.name {
            "application_numbers" => &mut self.applications,
            "endpoint_numbers" => &mut self.endpoints,
            "event_type_numbers" => &mut self.event_types,
            _ => return Ok(true),
        };
        numbers.insert(row.get(0)?);
        Ok(true)
    }

    fn check_message(
        &mut self,
        table: &Table,
        row: &Row<'_>,
        report: &mut Salvaged,
    ) -> rusqlite::Result<bool> {
        let checked = CheckedHead::from_row(row)?;
        known(&self.applications, row.get(2)?)?;
        known(&self.event_types, checked.head.event_type.0)?;
        let sequence: MessageSequence = row.get(0)?;
        let id = sequence.id(row.get(1)?);
        let body = row::optional_blob_of(row, BODY)?;
        if table.columns == MESSAGES_WITHOUT_BODY
            || body.is_some_and(|body| !checked.has_body(body))
        {
            report.lose(format!("the payload of message {id}"));
            return Ok(false);
        }
        if body.is_some() {
            self.spans.add(self.db, id, checked.head.body_until)?;
        }
        Ok(true)
    }
}

/// The column of a message's payload.
const BODY: usize = 4;

fn known(numbers: &HashSet<u32>, number: u32) -> rusqlite::Result<()> {
    if numbers.contains(&number) { Ok(()) } else { Err(Inconsistency::UnknownNumber.into()) }
}

fn values_of(row: &Row<'_>, count: usize) -> rusqlite::Result<Vec<Value>> {
    (0..count).map(|column| row.get(column)).collect()
}

/// Whether the row was inserted.
fn insert(db: &Connection, table: &Table, values: &[Value]) -> rusqlite::Result<bool> {
    let marks = vec!["?"; values.len()].join(", ");
    let sql = format!("INSERT OR IGNORE INTO {} VALUES ({marks})", table.name);
    Ok(db.prepare_cached(&sql)?.execute(params_from_iter(values))? > 0)
}

/// The row does not have the types of its table.
fn is_constraint(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation)
}

fn count(table: &Table, report: &mut Salvaged) {
    let count = if table.check == Check::Message {
        &mut report.messages
    } else if table.check == Check::Attempt {
        &mut report.attempts
    } else {
        &mut report.others
    };
    *count += 1;
}

/// Describes a row that is lost. A message is named by its id, if that can be read.
fn lost_row(table: &Table, row: &Row<'_>, key: &[Value], error: &rusqlite::Error) -> String {
    let message = || {
        let sequence: MessageSequence = row.get(0).ok()?;
        Some(sequence.id(row.get(1).ok()?))
    };
    match (table.check, message()) {
        (Check::Message, Some(id)) => format!("message {id}: {error}"),
        _ => format!("{}: {error}", table.describe(key)),
    }
}

/// Describes rows whose ids tell when they were stored.
pub(super) fn period(what: &str, gap: &Range) -> String {
    let time = |key: Option<&Vec<Value>>| {
        let sequence = u64::try_from(gaps::integer(key)?).ok()?;
        Some(MessageSequence(sequence).time().to_rfc3339())
    };
    let from = time(gap.after.as_ref()).unwrap_or_else(|| "the beginning".to_owned());
    let until = time(gap.before.as_ref()).unwrap_or_else(|| "the end".to_owned());
    format!("{what} from {from} until {until}")
}

/// Describes rows by those before and after them.
fn between(table: &Table, gap: &Range) -> String {
    let name = |key: Option<&Vec<Value>>, none: &str| {
        key.map_or_else(|| none.to_owned(), |key| table.describe(key))
    };
    format!(
        "rows of {} after {} and before {}",
        table.name,
        name(gap.after.as_ref(), "the beginning"),
        name(gap.before.as_ref(), "the end")
    )
}
