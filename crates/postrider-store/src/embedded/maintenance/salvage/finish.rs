//! What can be told and has to be removed once all rows are copied.

use rusqlite::{Connection, params};

use super::{
    files::PrivateCopy,
    gaps,
    report::Salvaged,
    rows::{self, Target},
};
use crate::{
    embedded::{
        error,
        files::MAIN,
        maintenance::{scan::Range, verify},
        number::{ApplicationNumber, MessageSequence},
        row, state,
    },
    error::StoreError,
};

const LISTED: &str = "SELECT application, message
    FROM messages
    WHERE message > ?1 AND message < ?2
    ORDER BY message";

const APPLICATION: &str = "SELECT id FROM application_numbers WHERE number = ?1";

/// Names the messages in unreadable ranges that the index lists; or the ranges, without an index.
pub(super) fn name_lost_messages(
    source: &PrivateCopy,
    target: &Target<'_>,
    report: &mut Salvaged,
) -> Result<(), StoreError> {
    if target.lost_messages.is_empty() {
        return Ok(());
    }
    let index = source.open_index()?.filter(|index| is_complete(index, source));
    for gap in &target.lost_messages {
        let listed = index.as_ref().map(|index| listed(index, gap));
        match listed {
            Some(Ok(listed)) => {
                for it in listed {
                    report.lose(target.describe_message(it));
                }
            },
            Some(Err(error)) if !error::is_damage(&error) => return Err(error.into()),
            Some(Err(_)) | None => report.lose(rows::period("messages", gap)),
        }
    }
    Ok(())
}

/// Whether the index is of this database and complete.
fn is_complete(index: &Connection, source: &PrivateCopy) -> bool {
    let Ok(main) = source.open() else { return false };
    let origin = |db: &Connection| state::get::<i64>(db, state::ORIGIN).ok().flatten();
    let rebuilding = state::get::<i64>(index, state::COVERED_FROM);
    origin(&main).is_some() && origin(&main) == origin(index) && matches!(rebuilding, Ok(None))
}

/// A message without the second half of its id, which the index does not have.
type Listed = (ApplicationNumber, MessageSequence);

fn listed(index: &Connection, gap: &Range) -> rusqlite::Result<Vec<Listed>> {
    let low = gaps::integer(gap.after.as_ref()).unwrap_or(-1);
    let high = gaps::integer(gap.before.as_ref()).unwrap_or(i64::MAX);
    let mut statement = index.prepare(LISTED)?;
    let rows = statement.query_map([low, high], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

impl Target<'_> {
    fn describe_message(&self, (application, message): Listed) -> String {
        let id = self.db().query_row(APPLICATION, params![application], |row| row::id(row, 0));
        let owner = id.map_or_else(
            |_| format!("application number {}", application.0),
            |id| postrider::ApplicationId::from_u128(id).to_string(),
        );
        format!("a message of {owner}, accepted at {}", message.time().to_rfc3339())
    }
}

/// Statements that remove rows that refer to messages that are not there, and what those are.
const DANGLING: [(&str, Option<&str>); 6] = [
    (
        "DELETE FROM pending WHERE message NOT IN (SELECT sequence FROM messages)",
        Some("pending deliveries of lost messages"),
    ),
    ("DELETE FROM ended WHERE message NOT IN (SELECT sequence FROM messages)", None),
    ("DELETE FROM extras WHERE message NOT IN (SELECT sequence FROM messages)", None),
    ("DELETE FROM cancelled WHERE message NOT IN (SELECT sequence FROM messages)", None),
    // A lost message that is published again must not be refused as a duplicate.
    ("DELETE FROM event_ids WHERE message NOT IN (SELECT sequence FROM messages)", None),
    ("DELETE FROM idempotent WHERE message NOT IN (SELECT sequence FROM messages)", None),
];

pub(super) fn remove_dangling(db: &Connection, report: &mut Salvaged) -> rusqlite::Result<()> {
    for (sql, what) in DANGLING {
        let removed = db.execute(sql, [])?;
        if let (1.., Some(what)) = (removed, what) {
            report.lose(format!("{removed} {what}"));
        }
    }
    Ok(())
}

/// A damaged page can hide rows without an error, for example if its count of rows is wrong.
pub(super) fn check_structure(from: &Connection, report: &mut Salvaged) -> rusqlite::Result<()> {
    let found = match verify::structure(from) {
        Err(error) if error::is_damage(&error) => vec![error.to_string()],
        result => result?,
    };
    for line in found {
        report.lose(format!("{MAIN} is damaged, and rows may be missing: {line}"));
    }
    Ok(())
}
