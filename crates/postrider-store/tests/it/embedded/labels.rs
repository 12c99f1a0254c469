//! Filters that need not look at every message, because the index says what they are about.

use std::path::Path;

use postrider_core::message::Message;
use postrider_store::{Deliveries, EmbeddedStore, History, Hold, Maintenance, MessageFilter};
use rusqlite::Connection;

use crate::fixture::*;

/// A folder with messages 1 to 20. Number 7 has an event type, a channel and a tag that no other
/// has.
async fn sample_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let store = open_embedded(folder.path());
    set_up(&store).await;
    let batch = (1..=20).map(|number| {
        let rare = |text: &str| if number == 7 { vec![text.to_owned()] } else { Vec::new() };
        let event_type = type_name(if number == 7 { "rare" } else { "common" });
        let (channels, tags) = (rare("a"), rare("b"));
        let message = Message { event_type, channels, tags, ..message(number) };
        new(message, &[1], Hold::Leased(NOW))
    });
    store.append(batch.collect()).await.unwrap();
    store.close().await.unwrap();
    folder
}

/// The only message that each filter matches.
fn rare_filters() -> [MessageFilter; 3] {
    let none = MessageFilter::default();
    [
        MessageFilter { event_types: vec![type_name("rare")], ..none.clone() },
        MessageFilter { channel: Some("a".to_owned()), ..none.clone() },
        MessageFilter { tag: Some("b".to_owned()), ..none },
    ]
}

async fn found(store: &EmbeddedStore, filter: MessageFilter) -> Vec<u64> {
    let found = store.messages(application_id(1), filter, all()).await.unwrap();
    found.items.iter().map(|it| it.id.millis() - START).collect()
}

fn change(folder: &Path, file: &str, sql: &str) -> usize {
    Connection::open(folder.join(file)).unwrap().execute(sql, []).unwrap()
}

#[tokio::test]
async fn messages_that_cannot_match_are_not_read() {
    let folder = sample_folder().await;
    let row = "(SELECT sequence FROM messages LIMIT 1 OFFSET 6)";
    let damage = format!("UPDATE messages SET head = x'00' WHERE sequence <> {row}");
    assert_eq!(change(folder.path(), "postrider.db", &damage), 19);
    let store = open_embedded(folder.path());
    for filter in rare_filters() {
        assert_eq!(found(&store, filter).await, [7]);
    }
    let all_of_them = store.messages(application_id(1), MessageFilter::default(), all()).await;
    all_of_them.unwrap_err();
}

#[tokio::test]
async fn rows_of_earlier_versions_are_filtered_too() {
    let folder = sample_folder().await;
    assert_eq!(change(folder.path(), "index.db", "UPDATE messages SET labels = NULL"), 20);
    let store = open_embedded(folder.path());
    for filter in rare_filters() {
        assert_eq!(found(&store, filter).await, [7]);
    }
    let common =
        MessageFilter { event_types: vec![type_name("common")], ..MessageFilter::default() };
    assert_eq!(found(&store, common).await.len(), 19);
}

#[tokio::test]
async fn a_rebuilt_index_has_the_labels() {
    let folder = sample_folder().await;
    std::fs::remove_file(folder.path().join("index.db")).unwrap();
    let store = open_embedded(folder.path());
    store.index_complete().await.unwrap();
    store.close().await.unwrap();
    let index = Connection::open(folder.path().join("index.db")).unwrap();
    let labelled = "SELECT count(labels), count(DISTINCT labels) FROM messages";
    let counts: (u64, u64) =
        index.query_row(labelled, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!(counts, (20, 2));
}
