//! Rows of database endpoints, although the process is killed.

use std::{
    collections::HashSet,
    fs,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::{
    restart::start_publishers,
    schema::Schema,
    server::{Server, until},
};

/// Messages that are accepted at least.
const MESSAGES: usize = 5_000;

/// Number of times the process is killed meanwhile.
const KILLS: usize = 4;

/// The file of the only application.
fn file(server: &Server) -> Option<PathBuf> {
    let folder = server.folder.path().join("data/sqlite");
    let application = fs::read_dir(folder).ok()?.next()?.ok()?;
    Some(application.path().join("shop.db"))
}

fn in_sqlite(server: &Server) -> Vec<String> {
    let connection = Connection::open(file(server).unwrap()).unwrap();
    let mut statement = connection.prepare("SELECT id FROM events").unwrap();
    let ids = statement.query_map([], |row| row.get(0)).unwrap();
    ids.map(Result::unwrap).collect()
}

fn in_postgres(schema: &Schema) -> Vec<String> {
    let id = |line: &str| {
        let row: Value = serde_json::from_str(line).unwrap();
        row["id"].as_str().unwrap().to_owned()
    };
    schema.dump().lines().map(id).collect()
}

#[tokio::test]
async fn every_accepted_message_has_one_row_although_the_process_is_killed() {
    let schema = Schema::create();
    let mut server = Server::embedded(&[]);
    server.application("acme").await;
    let url = crate::schema::server();
    let table = schema.table("events");
    let configs = [
        ("sqlite", json!({ "database": "shop" })),
        ("postgres", json!({ "url": url, "table": table, "createTable": true })),
    ];
    for (kind, config) in configs {
        let endpoint = json!({ "kind": kind, "config": config });
        server.post("/app/acme/endpoint", endpoint).await;
    }
    let accepted = Arc::new(Mutex::new(HashSet::new()));
    for round in 1..=KILLS {
        let mut tasks = start_publishers(&server, &accepted);
        let enough = MESSAGES * round / KILLS;
        let accepted = Arc::clone(&accepted);
        let wait = move || until("enough is accepted", || accepted.lock().unwrap().len() >= enough);
        tokio::task::spawn_blocking(wait).await.unwrap();
        server.kill_and_restart();
        while tasks.join_next().await.is_some() {}
    }
    let accepted = accepted.lock().unwrap().clone();
    let has_all = |ids: Vec<String>| accepted.is_subset(&ids.into_iter().collect());
    until("all rows are there", || has_all(in_sqlite(&server)) && has_all(in_postgres(&schema)));
    for ids in [in_sqlite(&server), in_postgres(&schema)] {
        let distinct: HashSet<&String> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len(), "no message has two rows");
    }
}
