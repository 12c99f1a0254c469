//! Writes a batch of rows: in statements of a limited size, and without those that do not fit.

use std::ops::Range;

use postrider_core::{kind::sql::Row, outcome::Failure};

use super::failed::{Failed, Retry};
use crate::sender::Report;

/// Most bytes of a statement, unless a single row has more. Every database accepts as many.
const MAX_BYTES: usize = 1 << 20;

/// How often a statement is repeated at once after a conflict.
const MAX_REPEATS: usize = 3;

/// Writes rows over a connection that it opens when there is none.
pub(super) trait Write: Send {
    /// Whether there is a connection that was used before.
    fn is_reused(&self) -> bool;

    /// Closes the connection.
    fn close(&mut self);

    /// Writes all the rows or none.
    fn write(&mut self, rows: &[Row]) -> impl Future<Output = Result<Report, Failed>> + Send;
}

/// The reports for rows. It is filled in while rows are written, so that what was finished is known
/// even if time runs out.
pub(super) type Reports = [Option<Report>];

/// Writes the rows, at most `max` in a statement. If a statement fails because of a row, its
/// halves are written one after the other, so only rows that do not fit are rejected.
pub(super) async fn write_all<W: Write>(
    writer: &mut W,
    rows: &[Row],
    max: usize,
    reports: &mut Reports,
) {
    let mut waiting = statements(rows, max);
    waiting.reverse();
    let mut repeats = 0;
    while let Some(range) = waiting.pop() {
        let is_reused = writer.is_reused();
        let failed = match writer.write(&rows[range.clone()]).await {
            Ok(report) => {
                reports[range].fill(Some(report));
                continue;
            },
            Err(failed) => failed,
        };
        let is_repeated = match failed.retry {
            Retry::Again => repeats < MAX_REPEATS,
            Retry::Reconnect => is_reused,
            Retry::Later => false,
        };
        if failed.failure != Failure::Rejected {
            // Also after an error of the configuration: the table may be another one now.
            if failed.retry != Retry::Again {
                writer.close();
            }
            if !is_repeated {
                return fill(reports, &failed);
            }
            repeats += 1;
            waiting.push(range);
        } else if range.len() == 1 {
            reports[range].fill(Some(failed.report()));
        } else {
            let middle = range.start + range.len() / 2;
            waiting.push(middle..range.end);
            waiting.push(range.start..middle);
        }
    }
}

/// Everything without a report failed.
pub(super) fn fill(reports: &mut Reports, failed: &Failed) {
    for report in reports.iter_mut().filter(|report| report.is_none()) {
        *report = Some(failed.report());
    }
}

/// Which rows go into the same statement.
fn statements(rows: &[Row], max: usize) -> Vec<Range<usize>> {
    let mut statements = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (position, row) in rows.iter().enumerate() {
        let size = row.size();
        if position > start && (position - start >= max || bytes + size > MAX_BYTES) {
            statements.push(start..position);
            (start, bytes) = (position, 0);
        }
        bytes += size;
    }
    statements.push(start..rows.len());
    statements
}

#[cfg(test)]
mod tests {
    use postrider_core::kind::sql::Cell;

    use super::*;

    /// Accepts all rows but `bad` ones, and the fault that comes next in a list.
    #[derive(Default)]
    struct Fake {
        bad: Vec<i64>,
        faults: Vec<Failed>,
        is_open: bool,
        written: Vec<i64>,
        statements: usize,
    }

    impl Write for Fake {
        fn is_reused(&self) -> bool {
            self.is_open
        }

        fn close(&mut self) {
            self.is_open = false;
        }

        async fn write(&mut self, rows: &[Row]) -> Result<Report, Failed> {
            self.is_open = true;
            self.statements += 1;
            if let Some(failed) = self.faults.pop() {
                return Err(failed);
            }
            let numbers: Vec<i64> = rows.iter().map(number).collect();
            if numbers.iter().any(|number| self.bad.contains(number)) {
                return Err(Failed::new(Failure::Rejected, "bad"));
            }
            self.written.extend(numbers);
            Ok(Report::delivered("written"))
        }
    }

    fn number(row: &Row) -> i64 {
        if let Cell::Integer(number) = row.cells[0] { number } else { unreachable!() }
    }

    fn rows(count: i64) -> Vec<Row> {
        (0..count).map(|number| Row { cells: vec![Cell::Integer(number)] }).collect()
    }

    async fn write(fake: &mut Fake, count: i64) -> Vec<Option<Failure>> {
        let rows = rows(count);
        let mut reports = vec![None; rows.len()];
        write_all(fake, &rows, 1_000, &mut reports).await;
        let failure = |report: Option<Report>| match report.unwrap().outcome {
            postrider_core::outcome::Outcome::Unanswered(failure) => Some(failure),
            postrider_core::outcome::Outcome::Answered { .. } => None,
        };
        reports.into_iter().map(failure).collect()
    }

    #[tokio::test]
    async fn rows_that_do_not_fit_fail_alone() {
        let mut fake = Fake { bad: vec![0, 7, 99], ..Fake::default() };
        let failures = write(&mut fake, 100).await;
        for (number, failure) in failures.iter().enumerate() {
            let is_bad = [0, 7, 99].contains(&number);
            assert_eq!(*failure, is_bad.then_some(Failure::Rejected), "{number}");
        }
        assert_eq!(fake.written.len(), 97);
        assert!(fake.written.is_sorted(), "rows are written in their order");
        assert!(fake.statements < 60, "{}", fake.statements);
    }

    #[tokio::test]
    async fn a_connection_that_was_used_before_is_replaced_once() {
        let lost = || Failed::lost("closed");
        let mut fake = Fake { faults: vec![lost()], is_open: true, ..Fake::default() };
        assert_eq!(write(&mut fake, 2).await, [None, None]);
        let mut fake = Fake { faults: vec![lost(), lost()], is_open: true, ..Fake::default() };
        assert_eq!(write(&mut fake, 2).await, [Some(Failure::Unavailable); 2]);
        let mut fake = Fake { faults: vec![lost()], ..Fake::default() };
        assert_eq!(write(&mut fake, 1).await, [Some(Failure::Unavailable)]);
    }

    #[tokio::test]
    async fn conflicts_are_repeated_a_few_times() {
        let conflict =
            Failed { retry: Retry::Again, ..Failed::new(Failure::Unavailable, "deadlock") };
        let mut fake = Fake { faults: vec![conflict.clone(); 3], ..Fake::default() };
        assert_eq!(write(&mut fake, 1).await, [None]);
        let mut fake = Fake { faults: vec![conflict; 4], ..Fake::default() };
        assert_eq!(write(&mut fake, 1).await, [Some(Failure::Unavailable)]);
    }

    #[test]
    fn statements_are_limited_in_rows_and_bytes() {
        assert_eq!(statements(&rows(5), 2), [0..2, 2..4, 4..5]);
        assert_eq!(statements(&rows(2), 2), vec![0..2]);
        let big = |size| Row { cells: vec![Cell::Text("x".repeat(size))] };
        let rows = [big(10), big(MAX_BYTES + 1), big(10), big(10)];
        assert_eq!(statements(&rows, 100), [0..1, 1..2, 2..4]);
    }
}
