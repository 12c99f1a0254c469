//! Delivers to a database server: one connection for each endpoint, one statement after the other.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use postrider_core::{
    kind::{
        Destination,
        sql::{MAX_ROWS, Mapping, Row},
    },
    outcome::Failure,
    target::Target,
};
use tokio::sync::Mutex;

use super::{
    IDLE_TIMEOUT, MAX_CLIENTS, TIME_LIMIT, WRITE_LIMIT,
    failed::Failed,
    write::{Write, fill, write_all},
};
use crate::sender::{Batcher, Call, Clients, Guard, Report, Sender};

/// A connection to a database, with what is prepared on it.
pub(in crate::sender) trait Session:
    std::fmt::Debug + Send + Sized + 'static
{
    /// The configuration of the kind.
    type Config: Sync;

    /// Most parameters of a statement, if each value is one.
    const MAX_PARAMETERS: usize;

    fn config(destination: &Destination) -> Option<&Self::Config>;

    fn mapping(config: &Self::Config) -> Mapping;

    /// The name of the table, for people.
    fn table(config: &Self::Config) -> String;

    /// Connects, and makes sure that the table is there and can be written to.
    fn open(
        guard: &Guard,
        target: &Target,
        config: &Self::Config,
        mapping: &Mapping,
    ) -> impl Future<Output = Result<Self, Failed>> + Send;

    /// The server's address.
    fn address(&self) -> SocketAddr;

    /// Writes all the rows or none. It may be none at all, which shows whether the table is right.
    fn write(
        &mut self,
        mapping: &Mapping,
        rows: &[Row],
    ) -> impl Future<Output = Result<(), Failed>> + Send;
}

/// Delivers to a database server.
#[derive(Debug)]
pub(in crate::sender) struct ServerSender<S> {
    guard: Guard,
    clients: Clients<Table<S>>,
}

/// The table of an endpoint.
#[derive(Debug)]
struct Table<S> {
    mapping: Mapping,
    batcher: Batcher<Row, Report>,
    /// Taken out during a write. If the write is dropped, so is the connection.
    session: Mutex<Option<S>>,
}

impl<S: Session> ServerSender<S> {
    pub(in crate::sender) fn new(guard: Guard) -> Self {
        Self { guard, clients: Clients::new(MAX_CLIENTS, IDLE_TIMEOUT) }
    }

    #[expect(clippy::result_large_err, reason = "a report is made once for each delivery")]
    fn table(&self, target: &Arc<Target>) -> Result<(&Guard, Arc<Table<S>>), Report> {
        let config = S::config(&target.destination).ok_or_else(|| {
            Report::failed(Failure::Protocol, "internal error: this is not a table of this kind")
        })?;
        let make = || Table {
            mapping: S::mapping(config),
            batcher: Batcher::new(MAX_ROWS),
            session: Mutex::new(None),
        };
        Ok((&self.guard, self.clients.get(target, make)))
    }
}

impl<S: Session> Table<S> {
    /// Writes the rows that were collected. Their reports are in their order.
    async fn write(&self, guard: &Guard, target: &Target, rows: Vec<Row>) -> Vec<Report> {
        let mut reports = vec![None; rows.len()];
        let Some(config) = S::config(&target.destination) else { return Vec::new() };
        let max = (S::MAX_PARAMETERS / self.mapping.columns.len().max(1)).max(1);
        let session = self.session.lock().await.take();
        let mut writer =
            Writer { table: self, guard, target, config, is_reused: session.is_some(), session };
        let writing = write_all(&mut writer, &rows, max, &mut reports);
        if tokio::time::timeout(WRITE_LIMIT, writing).await.is_ok() {
            *self.session.lock().await = writer.session;
        } else {
            let reason = format!(
                "the database did not write the rows within {} s; find out what slows it down",
                WRITE_LIMIT.as_secs()
            );
            fill(&mut reports, &Failed::new(Failure::Timeout, reason));
        }
        reports.into_iter().flatten().collect()
    }
}

/// Writes to a table, and connects first if necessary.
struct Writer<'a, S: Session> {
    table: &'a Table<S>,
    guard: &'a Guard,
    target: &'a Target,
    config: &'a S::Config,
    session: Option<S>,
    is_reused: bool,
}

impl<S: Session> Write for Writer<'_, S> {
    fn is_reused(&self) -> bool {
        self.is_reused
    }

    fn close(&mut self) {
        self.session = None;
    }

    async fn write(&mut self, rows: &[Row]) -> Result<Report, Failed> {
        let mapping = &self.table.mapping;
        let session = if let Some(session) = &mut self.session {
            session
        } else {
            self.is_reused = false;
            let session = S::open(self.guard, self.target, self.config, mapping).await?;
            self.session.insert(session)
        };
        let address = session.address();
        session.write(mapping, rows).await.map_err(|failed| failed.at(address))?;
        let done = format!("the row is in table `{}`", S::table(self.config));
        Ok(Report::delivered(done).at(Some(address)))
    }
}

#[async_trait]
impl<S: Session> Sender for ServerSender<S> {
    async fn send(&self, call: Call) -> Report {
        let (guard, table) = match self.table(&call.target) {
            Ok(table) => table,
            Err(report) => return report,
        };
        let row = match table.mapping.row(&call.message, &call.body) {
            Ok(row) => row,
            Err(unfit) => return Report::failed(Failure::Rejected, unfit.to_string()),
        };
        let write = |rows| table.write(guard, &call.target, rows);
        let report = table.batcher.submit(row, write).await;
        report.unwrap_or_else(|| {
            let reason = "the statement with this row was abandoned, so it is not known whether \
                          the row was written; a retry cannot write it twice";
            Report::failed(Failure::Unavailable, reason)
        })
    }

    async fn check(&self, target: Arc<Target>) -> Report {
        let (guard, table) = match self.table(&target) {
            Ok(table) => table,
            Err(report) => return report,
        };
        let Some(config) = S::config(&target.destination) else { return Report::delivered("") };
        let checking = async {
            let mut session = S::open(guard, &target, config, &table.mapping).await?;
            session.write(&table.mapping, &[]).await?;
            Ok::<_, Failed>(session.address())
        };
        match checking.await {
            Ok(address) => {
                let done = format!(
                    "connected to {address}; table `{}` has the columns and the unique index that \
                     are needed",
                    S::table(config)
                );
                Report::delivered(done).at(Some(address))
            },
            Err(failed) => failed.report(),
        }
    }

    fn time_limit(&self, _target: &Target) -> Option<Duration> {
        Some(TIME_LIMIT)
    }
}
