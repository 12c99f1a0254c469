//! The state of the example: what was set up, and what the orders led to.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use anyhow::Context;
use postrider::{ApplicationId, signature::Verifier};
use postrider_core::time::Timestamp;
use postrider_engine::Engine;
use rusqlite::{Connection, OpenFlags};
use serde::Serialize;

use super::records::{Received, Records};
use crate::commands::{access::ApiAccess, provider::Sender};

/// Path of the shop's page.
pub(super) const PAGE_PATH: &str = "/shop";

/// What the setup has created.
#[derive(Debug)]
pub(super) struct Ready {
    pub application: ApplicationId,
    /// Verifies the requests to the partner.
    pub partner: Verifier,
    /// Plays Stripe.
    pub stripe: Sender,
    /// The API of the server, to get tokens for the page.
    pub access: ApiAccess,
}

/// The example shop.
#[derive(Clone, Debug)]
pub(super) struct Shop {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    engine: Engine,
    /// The folder of the databases of `sqlite` endpoints.
    databases: PathBuf,
    records: Records,
    ready: OnceLock<Ready>,
}

/// Whether the table exists. The endpoint creates it a moment after the file.
const HAS_ORDERS: &str = "SELECT EXISTS (
  SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'orders'
)";

/// The newest rows of the table that `endpoints.json` describes.
const ORDERS: &str = "SELECT session, customer, amount, currency
FROM orders
ORDER BY id DESC
LIMIT 50";

/// A row of the table of orders.
#[derive(Debug, Serialize)]
pub(super) struct Order {
    pub session: String,
    pub customer: String,
    pub amount: i64,
    pub currency: String,
}

/// Everything that the orders led to, newest first.
#[derive(Debug, Serialize)]
pub(super) struct Effects {
    pub orders: Vec<Order>,
    #[serde(flatten)]
    pub received: Received,
}

impl Shop {
    pub(super) fn new(engine: Engine, databases: PathBuf, records: Records) -> Self {
        let shared = Shared { engine, databases, records, ready: OnceLock::new() };
        Self { shared: Arc::new(shared) }
    }

    /// Opens the shop; before that, it takes no orders.
    pub(super) fn open(&self, ready: Ready) {
        // It is opened once.
        drop(self.shared.ready.set(ready));
    }

    pub(super) fn ready(&self) -> Option<&Ready> {
        self.shared.ready.get()
    }

    pub(super) fn partner_verifier(&self) -> Option<&Verifier> {
        self.ready().map(|ready| &ready.partner)
    }

    pub(super) fn now(&self) -> Timestamp {
        self.shared.engine.clock().now()
    }

    pub(super) async fn effects(&self) -> anyhow::Result<Effects> {
        let ready = self.ready().context("the shop is not open yet")?;
        let folder = self.shared.databases.join(ready.application.to_string());
        let orders = tokio::task::spawn_blocking(move || orders(&folder.join("shop.db"))).await??;
        Ok(Effects { orders, received: self.shared.records.all() })
    }
}

/// The rows of the table, which another part of the process writes.
fn orders(file: &Path) -> anyhow::Result<Vec<Order>> {
    if !file.exists() {
        return Ok(Vec::new());
    }
    let database = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    if !database.query_row(HAS_ORDERS, [], |row| row.get::<_, bool>(0))? {
        return Ok(Vec::new());
    }
    let mut statement = database.prepare(ORDERS)?;
    let rows = statement.query_map([], |row| {
        Ok(Order {
            session: row.get(0)?,
            customer: row.get(1)?,
            amount: row.get(2)?,
            currency: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
