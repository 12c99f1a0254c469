//! A new database schema for each test, on the server in `POSTRIDER_TEST_POSTGRES`.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use tokio_postgres::NoTls;

/// A schema for one test; it is dropped with this value.
#[derive(Debug)]
pub(crate) struct Schema {
    /// URL of the schema.
    pub(crate) url: String,
    server: String,
    name: String,
}

impl Schema {
    /// A schema if this run tests PostgreSQL: `POSTRIDER_TEST_STORE=postgres`.
    pub(crate) fn if_selected() -> Option<Self> {
        match variable("POSTRIDER_TEST_STORE").as_deref() {
            Some("postgres") => Some(Self::create()),
            None | Some("") => None,
            Some(other) => panic!("POSTRIDER_TEST_STORE is {other}, expected postgres"),
        }
    }

    pub(crate) fn create() -> Self {
        Self::on_server(server())
    }

    /// A schema on another server than that of all tests.
    pub(crate) fn on_server(server: String) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("e2e_{}_{number}", std::process::id());
        let separator = if server.contains('?') { '&' } else { '?' };
        let url = format!("{server}{separator}options=-csearch_path%3D{name}");
        let schema = Self { url, server, name };
        schema.run(&format!("DROP SCHEMA IF EXISTS {0} CASCADE; CREATE SCHEMA {0}", schema.name));
        schema
    }

    /// The name of a table with that of the schema.
    pub(crate) fn table(&self, name: &str) -> String {
        format!("{}.{name}", self.name)
    }

    /// Runs statements in the schema.
    pub(crate) fn run(&self, sql: &str) {
        self.try_run(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// Every row of every table as text, with bytes in hex.
    pub(crate) fn dump(&self) -> String {
        let (url, name) = (self.server.clone(), self.name.clone());
        thread::spawn(move || dump(&url, &name)).join().unwrap()
    }

    fn try_run(&self, sql: &str) -> Result<(), tokio_postgres::Error> {
        let url = self.server.clone();
        let sql =
            format!("SET client_min_messages = error; SET search_path = {}; {sql}", self.name);
        // The caller may run inside a runtime.
        thread::spawn(move || execute(&url, &sql)).join().unwrap()
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        // The server may be gone, with everything in it; leftovers do no harm.
        drop(self.try_run(&format!("DROP SCHEMA {} CASCADE", self.name)));
    }
}

/// Runs one statement on the shared server.
pub(crate) fn run(sql: &str) {
    let (url, sql) = (server(), sql.to_owned());
    thread::spawn(move || execute(&url, &sql)).join().unwrap().unwrap();
}

fn execute(url: &str, sql: &str) -> Result<(), tokio_postgres::Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(connection);
        client.batch_execute(sql).await
    })
}

fn dump(url: &str, schema: &str) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(connection);
        let tables = "SELECT table_name::text FROM information_schema.tables
            WHERE table_schema = $1 ORDER BY 1";
        let mut text = String::new();
        for table in client.query(tables, &[&schema]).await.unwrap() {
            let table: String = table.get(0);
            let rows = format!("SELECT row_to_json(t)::text FROM {schema}.\"{table}\" t");
            for row in client.query(rows.as_str(), &[]).await.unwrap() {
                text.push_str(row.get(0));
                text.push('\n');
            }
        }
        text
    })
}

/// URL of the shared server.
pub(crate) fn server() -> String {
    variable("POSTRIDER_TEST_POSTGRES").expect(
        "POSTRIDER_TEST_POSTGRES is not set: run ./test, or set it to the URL of a server, \
         such as `scripts/postgres start DIR` prints",
    )
}

#[expect(clippy::disallowed_methods, reason = "tests have no configuration")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
