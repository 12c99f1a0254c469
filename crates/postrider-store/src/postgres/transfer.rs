//! A database as the source or the target of a copy.

mod copy_rows;
mod count;
mod export;
mod import;
mod polling;

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use deadpool_postgres::Pool;

#[cfg(test)]
pub(super) use self::export::{ATTEMPTS, ENDED, QUEUED};
use super::{
    connect::Address,
    error::DatabaseError,
    format, installation, migrate,
    options::PostgresOptions,
    partitions::{self, PartitionLog},
    session::Session,
};
use crate::{
    error::StoreError,
    transfer::{
        Chunk, ChunkKind, Cursor, ExportPage, MessageExport, Progress, RecordCounts, TargetState,
        TransferOpenError, TransferStore, corrupt,
    },
};

/// Time limit for statements: the ones that count all rows of a table take long.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(3_600);

/// One for reading, one for writing at the same time, and one for the progress.
const CONNECTIONS: usize = 3;

/// A database that is opened for a copy.
#[derive(Debug)]
pub struct PostgresTransferStore {
    address: Address,
    pool: Pool,
    options: PostgresOptions,
    log: PartitionLog,
    /// Days that have partitions, or need none.
    days: Mutex<BTreeSet<u64>>,
}

const IS_INSTALLED: &str = "SELECT to_regclass('installation') IS NOT NULL";

const NODES: &str = "SELECT name FROM node WHERE alive_until > clock_timestamp() ORDER BY id";

const SET_ORIGIN: &str = "INSERT INTO installation (name, value)
    VALUES ('origin', substr(uuid_send(gen_random_uuid()), 9))
    ON CONFLICT DO NOTHING";

const SET_MARK: &str = "INSERT INTO installation (name, value) VALUES ('copied_as', $1)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value";

const DELETE_MARK: &str = "DELETE FROM installation WHERE name = 'copied_as'";

impl PostgresTransferStore {
    /// Opens the database of an installation, to copy from there.
    pub async fn source(options: PostgresOptions) -> Result<Self, TransferOpenError> {
        let store = Self::connect(options)?;
        let is_installed = store.is_installed().await;
        if !is_installed.map_err(|error| StoreError::from(store.address.explain(error)))? {
            return Err(TransferOpenError::Missing);
        }
        store.ready().await
    }

    /// Opens a database to copy to, which may be empty.
    pub async fn target(options: PostgresOptions) -> Result<Self, TransferOpenError> {
        Self::connect(options)?.ready().await
    }

    fn connect(options: PostgresOptions) -> Result<Self, StoreError> {
        let options = PostgresOptions {
            call_timeout: STATEMENT_TIMEOUT,
            connections: CONNECTIONS,
            ..options
        };
        let address = Address::of(&options)?;
        let pool = address.pool(&options)?;
        let (log, days) = (PartitionLog::default(), Mutex::default());
        Ok(Self { address, pool, options, log, days })
    }

    /// Migrates the schema, and makes sure that no node is running.
    async fn ready(self) -> Result<Self, TransferOpenError> {
        let nodes = self.nodes().await.map_err(StoreError::from)?;
        if nodes.is_empty() { Ok(self) } else { Err(TransferOpenError::InUse(nodes)) }
    }

    /// The names of running nodes, in a database that has all tables.
    async fn nodes(&self) -> Result<Vec<String>, DatabaseError> {
        migrate::start(&self.address, &self.pool, &self.options).await?;
        let mut session = self.session().await?;
        format::require_known(&mut session).await?;
        session.execute(SET_ORIGIN, &[]).await?;
        let nodes = session.query(NODES, &[]).await?;
        Ok(nodes.iter().map(|row| row.get(0)).collect())
    }

    async fn is_installed(&self) -> Result<bool, DatabaseError> {
        Ok(self.session().await?.query_one(IS_INSTALLED, &[]).await?.get(0))
    }

    async fn session(&self) -> Result<Session, DatabaseError> {
        Session::open(&self.pool, !self.options.is_pooled, self.options.call_timeout).await
    }

    /// Creates the partitions that the chunk needs.
    async fn create_partitions(&self, chunk: &Chunk) -> Result<(), DatabaseError> {
        let Chunk::Messages(messages) = chunk else { return Ok(()) };
        let days: BTreeSet<u64> = {
            let known = self.days.lock().unwrap_or_else(PoisonError::into_inner);
            times(messages).map(partitions::day_of).filter(|day| !known.contains(day)).collect()
        };
        if !days.is_empty() {
            partitions::create_for(&mut self.session().await?, &self.log, &days).await?;
            self.days.lock().unwrap_or_else(PoisonError::into_inner).extend(days);
        }
        Ok(())
    }

    async fn fact(&self, name: &str) -> Result<Option<Vec<u8>>, DatabaseError> {
        installation::fact(&mut self.session().await?, name).await
    }
}

/// The times of messages and attempts.
fn times(messages: &[MessageExport]) -> impl Iterator<Item = u64> {
    messages.iter().flat_map(|export| {
        let attempts = export.deliveries.iter().flat_map(|delivery| &delivery.attempts);
        let times = attempts.map(|attempt| attempt.id.millis());
        std::iter::once(export.message.id.millis()).chain(times)
    })
}

/// Makes sure that a node does not start on an unfinished copy. Removes the mark of a copy's
/// source, since the copy would lack the changes of this node.
pub(super) async fn begin_operation(session: &mut Session) -> Result<(), DatabaseError> {
    if installation::fact(session, import::PROGRESS).await?.is_some() {
        return Err(DatabaseError::unavailable(
            "the database holds an unfinished copy; finish it with the `postrider copy` that \
             began it, or empty the database",
        ));
    }
    session.execute(DELETE_MARK, &[]).await.map(drop)
}

#[async_trait]
impl TransferStore for PostgresTransferStore {
    async fn identity(&self) -> Result<u64, StoreError> {
        let origin = self.fact("origin").await?;
        origin.map_or_else(|| Err(corrupt("origin", "there is none")), |it| number(&it))
    }

    async fn mark(&self) -> Result<Option<u64>, StoreError> {
        self.fact("copied_as").await?.map(|it| number(&it)).transpose()
    }

    async fn set_mark(&self, copy: u64) -> Result<(), StoreError> {
        let value = copy.to_be_bytes().to_vec();
        self.session().await?.execute(SET_MARK, &[&value]).await?;
        Ok(())
    }

    async fn export(&self, after: &Cursor, limit: usize) -> Result<ExportPage, StoreError> {
        let session = &mut self.session().await?;
        match after.kind {
            ChunkKind::Applications => export::applications(session, after, limit).await,
            ChunkKind::Endpoints => export::endpoints(session, after, limit).await,
            ChunkKind::EventTypes => export::event_types(session, after, limit).await,
            ChunkKind::Sources => export::sources(session, after, limit).await,
            ChunkKind::Connectors => export::connectors(session, after, limit).await,
            ChunkKind::Consumers => export::consumers(session, after, limit).await,
            ChunkKind::Partitions => export::partitions(session, after, limit).await,
            ChunkKind::DeadLetters => export::dead_letters(session, after, limit).await,
            ChunkKind::ApiKeys => export::api_keys(session, after, limit).await,
            ChunkKind::TokenPolicies => export::token_policies(session, after, limit).await,
            ChunkKind::AuditLog => export::audit_log(session, after, limit).await,
            ChunkKind::Tasks => export::tasks(session, after, limit).await,
            ChunkKind::Messages => export::messages(session, after, limit).await,
            ChunkKind::PollLogs => polling::logs(session, after, limit).await,
            ChunkKind::PollEntries => polling::entries(session, after, limit).await,
            ChunkKind::Recoveries => export::recoveries(session, after, limit).await,
            ChunkKind::CompletedKeys | ChunkKind::End => {
                export::completed_keys(session, after, limit).await
            },
        }
    }

    async fn target_state(&self) -> Result<TargetState, StoreError> {
        if let Some(progress) = self.fact(import::PROGRESS).await? {
            return Progress::from_bytes(&progress).map(TargetState::Unfinished);
        }
        let is_empty = count::is_empty(&mut self.session().await?).await?;
        Ok(if is_empty { TargetState::Empty } else { TargetState::Occupied })
    }

    /// Keeps all ids.
    async fn import(
        &self,
        chunk: Chunk,
        before: Option<Progress>,
        after: Progress,
    ) -> Result<u64, StoreError> {
        self.create_partitions(&chunk).await?;
        let mut session = self.session().await?;
        session.begin().await?;
        import::import(&mut session, &chunk).await?;
        import::note(&mut session, before.as_ref(), &after).await?;
        session.commit().await?;
        Ok(0)
    }

    async fn record_counts(&self) -> Result<RecordCounts, StoreError> {
        Ok(count::record_counts(&mut self.session().await?).await?)
    }

    async fn finish(&self) -> Result<(), StoreError> {
        let mut session = self.session().await?;
        session.begin().await?;
        import::finish(&mut session).await?;
        Ok(session.commit().await?)
    }
}

fn number(bytes: &[u8]) -> Result<u64, StoreError> {
    let bytes = bytes.try_into().map_err(|error| corrupt("fact of the installation", error))?;
    Ok(u64::from_be_bytes(bytes))
}
