//! Which Postrider is measured, and where it keeps its data.

use tempfile::TempDir;

use super::postgres::Database;

/// Which Postrider is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Setup {
    pub(crate) store: StoreKind,
    pub(crate) nodes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum StoreKind {
    Embedded,
    Postgres,
}

impl Setup {
    /// Its name in the table and, with underscores, in the JSON.
    pub(crate) fn name(self) -> String {
        match (self.store, self.nodes) {
            (StoreKind::Embedded, _) => "postrider".to_owned(),
            (StoreKind::Postgres, 1) => "postgres".to_owned(),
            (StoreKind::Postgres, nodes) => format!("postgres-{nodes}-nodes"),
        }
    }
}

/// Where a Postrider keeps everything.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) setup: Setup,
    pub(crate) folder: TempDir,
    pub(crate) database: Option<Database>,
    /// How many threads serve and deliver; as many as Postrider chooses if `None`.
    pub(crate) shards: Option<usize>,
}
