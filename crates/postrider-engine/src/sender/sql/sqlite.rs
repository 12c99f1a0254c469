//! Writes to SQLite files in the server's data folder.

mod file;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use postrider_core::{
    kind::{
        Destination,
        sql::{MAX_ROWS, Mapping, Row, Sqlite},
    },
    outcome::Failure,
    target::Target,
};

use self::file::{File, Place};
use super::{IDLE_TIMEOUT, MAX_CLIENTS, TIME_LIMIT, failed::Failed};
use crate::sender::{Batcher, Call, Clients, Report, Sender};

/// Writes to SQLite files. Each application has a folder, in which its endpoints choose names.
#[derive(Debug)]
pub(in crate::sender) struct SqliteSender {
    folder: PathBuf,
    clients: Clients<Table>,
}

/// The table of an endpoint.
#[derive(Debug)]
struct Table {
    mapping: Mapping,
    batcher: Batcher<Row, Report>,
    file: Arc<Mutex<Option<File>>>,
    place: Arc<Place>,
}

impl SqliteSender {
    pub(in crate::sender) fn new(folder: PathBuf) -> Self {
        Self { folder, clients: Clients::new(MAX_CLIENTS, IDLE_TIMEOUT) }
    }

    #[expect(clippy::result_large_err, reason = "a report is made once for each delivery")]
    fn table(&self, target: &Arc<Target>) -> Result<Arc<Table>, Report> {
        let config = config(target)?;
        let make = || {
            let mapping = config.mapping();
            let place = Arc::new(Place {
                folder: self.folder.join(target.application.to_string()),
                name: format!("{}.db", config.database.as_str()),
                max_bytes: config.max_bytes,
                table: config.table.clone(),
                create: config.create_table.then(|| config.create_statement(&mapping)),
                insert: config.insert_statement(&mapping),
            });
            Table { mapping, batcher: Batcher::new(MAX_ROWS), file: Arc::default(), place }
        };
        Ok(self.clients.get(target, make))
    }
}

#[expect(clippy::result_large_err, reason = "a report is made once for each delivery")]
fn config(target: &Target) -> Result<&Sqlite, Report> {
    if let Destination::Sqlite(config) = &target.destination {
        Ok(config)
    } else {
        let reason = "internal error: this is not a table of this kind";
        Err(Report::failed(Failure::Protocol, reason))
    }
}

impl Table {
    async fn write(&self, rows: Vec<Row>) -> Vec<Report> {
        let count = rows.len();
        let place = Arc::clone(&self.place);
        let written = self.with_file(move |file| file.write(&rows)).await;
        let report = |result: Result<(), Failed>| match result {
            Ok(()) => Report::delivered(format!("the row is in table `{}`", place.table)),
            Err(failed) => failed.report(),
        };
        match written {
            Ok(results) => results.into_iter().map(report).collect(),
            Err(failed) => vec![failed.report(); count],
        }
    }

    /// Does something with the open file on a thread that may block.
    async fn with_file<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut File) -> Result<T, Failed> + Send + 'static,
    ) -> Result<T, Failed> {
        let (file, place) = (Arc::clone(&self.file), Arc::clone(&self.place));
        let working = move || {
            let mut kept = file.lock().unwrap_or_else(PoisonError::into_inner);
            // It is kept only if all went well: the file may have been replaced.
            let mut open = match kept.take() {
                Some(open) if open.exists(&place) => open,
                Some(_) | None => File::open(&place)?,
            };
            let done = work(&mut open)?;
            *kept = Some(open);
            Ok(done)
        };
        let ended = tokio::task::spawn_blocking(working).await;
        ended.unwrap_or_else(|_| {
            let reason = "internal error: the thread that writes the file panicked";
            Err(Failed::new(Failure::Protocol, reason))
        })
    }
}

#[async_trait]
impl Sender for SqliteSender {
    async fn send(&self, call: Call) -> Report {
        let table = match self.table(&call.target) {
            Ok(table) => table,
            Err(report) => return report,
        };
        let row = match table.mapping.row(&call.message, &call.body) {
            Ok(row) => row,
            Err(unfit) => return Report::failed(Failure::Rejected, unfit.to_string()),
        };
        let report = table.batcher.submit(row, |rows| table.write(rows)).await;
        report.unwrap_or_else(|| {
            let reason = "the transaction with this row was abandoned, so it is not known whether \
                          the row was written; a retry cannot write it twice";
            Report::failed(Failure::Unavailable, reason)
        })
    }

    async fn check(&self, target: Arc<Target>) -> Report {
        let table = match self.table(&target) {
            Ok(table) => table,
            Err(report) => return report,
        };
        match table.with_file(|_| Ok(())).await {
            Ok(()) => Report::delivered(format!(
                "opened the file; table `{}` has the columns and the unique index that are needed",
                table.place.table
            )),
            Err(failed) => failed.report(),
        }
    }

    fn time_limit(&self, _target: &Target) -> Option<Duration> {
        Some(TIME_LIMIT)
    }
}
