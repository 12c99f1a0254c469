//! Upgrades by a program of a later version, whose migration only adds.

use std::path::Path;

use postrider_store::{EmbeddedStore, PostgresStore, format_of};
use rusqlite::Connection;

use crate::{
    fixture::open_embedded,
    schema::{Schema, count},
};

const TABLES: &str =
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";

/// Adds a column to each table of a data folder, and a table. The next version of the format is
/// usable from this one on.
pub(crate) fn upgrade_folder(folder: &Path) {
    let own = format_of(folder).unwrap().unwrap().found.version;
    let db = Connection::open(folder.join("postrider.db")).unwrap();
    for name in table_names(&db) {
        db.execute_batch(&format!(
            "ALTER TABLE {name} ADD COLUMN added INTEGER NOT NULL DEFAULT 7"
        ))
        .unwrap();
    }
    db.execute_batch("CREATE TABLE later (id INTEGER PRIMARY KEY, value TEXT) STRICT").unwrap();
    set_format(&db, own + 1, own);
}

fn table_names(db: &Connection) -> Vec<String> {
    let mut statement = db.prepare(TABLES).unwrap();
    let names = statement.query_map([], |row| row.get(0)).unwrap();
    names.collect::<Result<_, _>>().unwrap()
}

/// Declares that a later program, version 2.3.4, has given the database this format.
pub(crate) fn set_format(db: &Connection, version: u32, usable_from: u32) {
    let set = "INSERT OR REPLACE INTO state (key, value) VALUES (?1, ?2)";
    db.execute(set, ("usable_from", usable_from)).unwrap();
    db.execute(set, ("written_by", 2_003_004)).unwrap();
    db.pragma_update(None, "user_version", version).unwrap();
}

/// The store of a new folder that a later program has upgraded.
pub(crate) fn open_upgraded(folder: &Path) -> EmbeddedStore {
    drop(open_embedded(folder));
    upgrade_folder(folder);
    open_embedded(folder)
}

/// Adds a column to each table, and a table. The next version of the schema is usable from this one
/// on.
const UPGRADE_SCHEMA: &str = "
DO $$
DECLARE
    name text;
BEGIN
    FOR name IN
        SELECT relname FROM pg_class
        WHERE relnamespace = quote_ident(current_schema())::regnamespace
            AND relkind IN ('r', 'p') AND NOT relispartition
    LOOP
        EXECUTE format('ALTER TABLE %I ADD COLUMN added integer NOT NULL DEFAULT 7', name);
    END LOOP;
    CREATE TABLE later (id bigint PRIMARY KEY);
    INSERT INTO schema_version (version, usable_from, written_by)
    SELECT max(version) + 1, max(version), 2003004 FROM schema_version;
END
$$";

/// Upgrades the schema, which nodes may be using.
pub(crate) async fn upgrade_schema(schema: &Schema) {
    let client = schema.client().await;
    for _ in 0..10 {
        // It can deadlock with a statement of a node, and may be the one that is cancelled.
        if client.batch_execute(UPGRADE_SCHEMA).await.is_ok() {
            return;
        }
    }
    panic!("the schema cannot be upgraded");
}

#[tokio::test]
async fn an_upgraded_schema_is_used_and_not_changed() {
    let schema = Schema::create().await;
    schema.open().await;
    upgrade_schema(&schema).await;
    let report = PostgresStore::format(&schema.options()).await.unwrap();
    let own = report.own.version;
    assert_eq!((report.found.version, report.found.usable_from), (own + 1, own));
    assert_eq!(report.writer(), "Postrider 2.3.4");
    let migrated = PostgresStore::migrate(&schema.options()).await.unwrap();
    assert_eq!((migrated.from, migrated.to), (own + 1, own + 1));
    let newest = "SELECT max(version)::bigint FROM schema_version";
    assert_eq!(count(&schema.client().await, newest).await, i64::from(own + 1));
    schema.remove().await;
}
