//! A PostgreSQL schema for each test, on the server that `POSTRIDER_TEST_POSTGRES` names.

use std::{
    net::{SocketAddr, ToSocketAddrs},
    sync::atomic::{AtomicU32, Ordering},
};

use postrider_store::{PostgresOptions, PostgresStore};
use tokio_postgres::{Client, NoTls};

/// Reverts a schema to the format before the operations of operators: keys, the audit log, tasks,
/// searches and statistics.
macro_rules! revert_operations {
    () => {
        "DROP TABLE poll_log, poll_entry, poll_consumer, schema_report, connector, audit_log, api_key, api_key_use,
            token_policy, sign_in, task, tally, rollup, lane_state;
        DROP INDEX message_id, attempt_id, attempt_failed, delivery_not_delivered, endpoint_id,
            endpoint_url;"
    };
}

/// Reverts a schema to the format before consumers.
pub(crate) const REVERT_CONSUMERS: &str = concat!(
    revert_operations!(),
    "DROP TABLE consumer, consumer_partitions, dead_letter;
    DELETE FROM schema_version WHERE version >= 6;"
);

/// Reverts a schema to the format before records had versions.
pub(crate) const REVERT_VERSIONS: &str = concat!(
    revert_operations!(),
    "DROP TABLE consumer, consumer_partitions, dead_letter;
    ALTER TABLE application DROP COLUMN version;
    ALTER TABLE endpoint DROP COLUMN version;
    ALTER TABLE event_type DROP COLUMN version;
    ALTER TABLE source DROP COLUMN version;
    DELETE FROM schema_version WHERE version >= 5;"
);

/// Reverts a schema without versions to the format before disabled endpoints kept their pending
/// deliveries.
pub(crate) const REVERT_PAUSING: &str = "
    ALTER TABLE lane DROP COLUMN paused;
    CREATE INDEX lane_due ON lane (due_at) WHERE due_at IS NOT NULL;
    ALTER TABLE queue DROP COLUMN resume_at;
    DROP TABLE erasure;
    DELETE FROM schema_version WHERE version >= 3;";

/// A schema for one test.
#[derive(Debug)]
pub(crate) struct Schema {
    server: String,
    name: String,
}

impl Schema {
    pub(crate) async fn create() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let schema = Self { server: server(), name: format!("it_{}_{number}", std::process::id()) };
        let name = &schema.name;
        let sql = format!("DROP SCHEMA IF EXISTS {name} CASCADE; CREATE SCHEMA {name}");
        schema.client().await.batch_execute(&sql).await.unwrap();
        schema
    }

    /// Options of a store in the schema.
    pub(crate) fn options(&self) -> PostgresOptions {
        let separator = if self.server.contains('?') { '&' } else { '?' };
        let url = format!("{}{separator}options=-csearch_path%3D{}", self.server, self.name);
        PostgresOptions { url, connections: 2, ..PostgresOptions::default() }
    }

    /// The same through another address.
    pub(crate) fn options_over(&self, address: SocketAddr) -> PostgresOptions {
        let options = self.options();
        let url = options.url.replacen(&self.authority(), &address.to_string(), 1);
        PostgresOptions { url, ..options }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.authority().to_socket_addrs().unwrap().next().unwrap()
    }

    /// Host and port.
    fn authority(&self) -> String {
        let rest = self.server.split_once("://").unwrap().1;
        let authority = rest.split('/').next().unwrap();
        authority.rsplit('@').next().unwrap().to_owned()
    }

    /// Opens another node in the schema.
    pub(crate) async fn open(&self) -> PostgresStore {
        PostgresStore::open(self.options()).await.unwrap()
    }

    /// A connection to the schema that does not belong to a store.
    #[expect(clippy::disallowed_methods, reason = "the connection ends with its client")]
    pub(crate) async fn client(&self) -> Client {
        let (client, connection) = tokio_postgres::connect(&self.server, NoTls).await.unwrap();
        tokio::spawn(connection);
        let sql = format!("SET client_min_messages = error; SET search_path = {}", self.name);
        client.batch_execute(&sql).await.unwrap();
        client
    }

    pub(crate) async fn remove(self) {
        let sql = format!("DROP SCHEMA {} CASCADE", self.name);
        let client = self.client().await;
        for _ in 0..10 {
            // It can deadlock with the server's autovacuum, and may be the one that is cancelled.
            if client.batch_execute(&sql).await.is_ok() {
                return;
            }
        }
        panic!("{} cannot be removed", self.name);
    }
}

/// The result of a query for one number.
pub(crate) async fn count(client: &Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

#[expect(clippy::disallowed_methods, reason = "tests have no configuration")]
fn server() -> String {
    std::env::var("POSTRIDER_TEST_POSTGRES").expect(
        "POSTRIDER_TEST_POSTGRES is not set: run ./test, or set it to the URL of a server, \
         such as `scripts/postgres start DIR` prints",
    )
}
