//! A database as one end of a copy.

mod count;
mod export;
mod import;
mod rows;

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use deadpool_postgres::Pool;
use tokio_postgres::types::Type;

#[cfg(test)]
pub(super) use self::export::{ATTEMPTS, ENDED, QUEUED};
use super::{
    PostgresOptions,
    connect::Address,
    expire::{self, Upkeep},
    migrate, obstacle,
    session::Session,
    trouble,
};
use crate::{
    StoreError,
    transfer::{
        Chunk, ChunkKind, Cursor, ExportPage, MessageExport, Progress, RecordCounts, TargetState,
        TransferOpenError, TransferStore, corrupt,
    },
};

/// Everything is counted in one statement, and that takes its time.
const STATEMENT: Duration = Duration::from_secs(3_600);

/// A part is fetched while another one is written; one more looks on.
const CONNECTIONS: usize = 3;

/// A database that is open for a copy and for nothing else.
#[derive(Debug)]
pub struct PostgresTransferStore {
    pool: Pool,
    options: PostgresOptions,
    upkeep: Upkeep,
    /// Days that have partitions, or need none.
    days: Mutex<BTreeSet<u64>>,
}

const IS_INSTALLED: &str = "SELECT to_regclass('installation') IS NOT NULL";

const NODES: &str = "SELECT name FROM node WHERE alive_until > clock_timestamp() ORDER BY id";

const GIVE_ORIGIN: &str = "INSERT INTO installation (name, value)
    VALUES ('origin', substr(uuid_send(gen_random_uuid()), 9))
    ON CONFLICT DO NOTHING";

const GET: &str = "SELECT value FROM installation WHERE name = $1";

const SET_MARK: &str = "INSERT INTO installation (name, value) VALUES ('copied_as', $1)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value";

const FORGET_MARK: &str = "DELETE FROM installation WHERE name = 'copied_as'";

impl PostgresTransferStore {
    /// Opens the database of an installation, to copy from there.
    pub async fn source(options: PostgresOptions) -> Result<Self, TransferOpenError> {
        let side = Self::connect(options)?;
        let is_installed = side.is_installed().await;
        if !is_installed.map_err(|error| obstacle::explain(error, &side.options))? {
            return Err(TransferOpenError::Missing);
        }
        side.ready().await
    }

    /// Opens a database to copy to, which may be empty.
    pub async fn target(options: PostgresOptions) -> Result<Self, TransferOpenError> {
        Self::connect(options)?.ready().await
    }

    fn connect(options: PostgresOptions) -> Result<Self, StoreError> {
        let options =
            PostgresOptions { call_timeout: STATEMENT, connections: CONNECTIONS, ..options };
        let pool = Address::of(&options)?.pool(&options)?;
        Ok(Self { pool, options, upkeep: Upkeep::default(), days: Mutex::default() })
    }

    /// Brings the schema up to date, and makes sure that no node is at work.
    async fn ready(self) -> Result<Self, TransferOpenError> {
        migrate::start(&self.pool, &self.options).await?;
        let mut session = self.session().await?;
        session.execute(GIVE_ORIGIN, &[]).await?;
        let nodes = session.query(NODES, &[]).await?;
        drop(session);
        if nodes.is_empty() {
            return Ok(self);
        }
        Err(TransferOpenError::InUse(nodes.iter().map(|row| row.get(0)).collect()))
    }

    async fn is_installed(&self) -> Result<bool, StoreError> {
        Ok(self.session().await?.query_one(IS_INSTALLED, &[]).await?.get(0))
    }

    async fn session(&self) -> Result<Session, StoreError> {
        Session::open(&self.pool, !self.options.is_pooled, self.options.call_timeout).await
    }

    /// Makes partitions for what is about to come.
    async fn make_partitions(&self, chunk: &Chunk) -> Result<(), StoreError> {
        let Chunk::Messages(parcels) = chunk else { return Ok(()) };
        let days: BTreeSet<u64> = {
            let known = self.days.lock().unwrap_or_else(PoisonError::into_inner);
            moments(parcels).map(expire::day_of).filter(|day| !known.contains(day)).collect()
        };
        if !days.is_empty() {
            expire::make_for(&mut self.session().await?, &self.upkeep, &days).await?;
            self.days.lock().unwrap_or_else(PoisonError::into_inner).extend(days);
        }
        Ok(())
    }

    async fn fact(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        fact(&mut self.session().await?, name).await
    }
}

/// When messages and attempts were made.
fn moments(parcels: &[MessageExport]) -> impl Iterator<Item = u64> {
    parcels.iter().flat_map(|parcel| {
        let attempts = parcel.deliveries.iter().flat_map(|it| &it.attempts);
        std::iter::once(parcel.message.id.millis()).chain(attempts.map(|it| it.id.millis()))
    })
}

async fn fact(session: &mut Session, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let row = session.query_opt(GET, &[(&name, Type::TEXT)]).await?;
    Ok(row.map(|row| row.get(0)))
}

/// Makes sure that a node finds a whole installation. One that works is no source of an
/// unfinished copy any more.
pub(super) async fn take_up_work(session: &mut Session) -> Result<(), StoreError> {
    if fact(session, import::PROGRESS).await?.is_some() {
        return Err(trouble::unavailable(
            "the database holds an unfinished copy; finish it with the `postrider copy` that \
             began it, or empty the database",
        ));
    }
    session.execute(FORGET_MARK, &[]).await?;
    Ok(())
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
        self.session().await?.execute(SET_MARK, &[(&value, Type::BYTEA)]).await?;
        Ok(())
    }

    async fn export(&self, after: &Cursor, limit: usize) -> Result<ExportPage, StoreError> {
        let session = &mut self.session().await?;
        match after.kind {
            ChunkKind::Applications => export::applications(session, after, limit).await,
            ChunkKind::Endpoints => export::endpoints(session, after, limit).await,
            ChunkKind::EventTypes => export::event_types(session, after, limit).await,
            ChunkKind::Sources => export::sources(session, after, limit).await,
            ChunkKind::Messages => export::messages(session, after, limit).await,
            ChunkKind::Recoveries => export::recoveries(session, after, limit).await,
            ChunkKind::CompletedKeys | ChunkKind::End => {
                export::answers(session, after, limit).await
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

    /// Keeps every id.
    async fn import(
        &self,
        chunk: Chunk,
        before: Option<Progress>,
        after: Progress,
    ) -> Result<u64, StoreError> {
        self.make_partitions(&chunk).await?;
        let mut session = self.session().await?;
        session.begin().await?;
        import::import(&mut session, &chunk).await?;
        import::note(&mut session, before.as_ref(), &after).await?;
        session.commit().await?;
        Ok(0)
    }

    async fn record_counts(&self) -> Result<RecordCounts, StoreError> {
        count::record_counts(&mut self.session().await?).await
    }

    async fn finish(&self) -> Result<(), StoreError> {
        let mut session = self.session().await?;
        session.begin().await?;
        import::finish(&mut session).await?;
        session.commit().await
    }
}

fn number(bytes: &[u8]) -> Result<u64, StoreError> {
    let bytes = bytes.try_into().map_err(|error| corrupt("fact of the installation", error))?;
    Ok(u64::from_be_bytes(bytes))
}
