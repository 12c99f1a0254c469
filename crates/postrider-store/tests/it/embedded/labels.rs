//! Filters that need not look at every message, because the index says what they are about.

use std::path::Path;

use postrider_core::{
    delivery::Delivery,
    message::Message,
    retry::{Reason, Verdict},
};
use postrider_store::{
    AttemptFilter, AttemptSearch, AttemptsOf, Deliveries, DeliveriesOf, DeliveryFilter,
    EmbeddedStore, History, Hold, Maintenance, MessageFilter, MessageSearch, Reach, Search,
    StatusKind, StoreError,
};
use rusqlite::Connection;

use crate::fixture::*;

/// A folder with messages 1 to 20, each with a failed attempt. Number 7 has an event type, a channel
/// and a tag that no other has.
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
    let failed = (1..=20).map(|number| {
        let delivery = Delivery::first(delivery_id(1, number), application_id(1));
        settlement(number, delivery, 500, Verdict::GiveUp(Reason::Exhausted))
    });
    settle(&store, failed.collect()).await;
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

/// The messages that each kind of list finds.
async fn found(store: &EmbeddedStore, filter: &MessageFilter) -> Result<Vec<Vec<u64>>, StoreError> {
    let number = |message: &Message| message.id.millis() - START;
    let deliveries_of = DeliveriesOf::Endpoint(application_id(1), endpoint_id(1));
    let attempts_of = AttemptsOf::Endpoint(application_id(1), endpoint_id(1));
    let application = Reach::organization(organization());
    let endpoint = (application_id(1), Some(endpoint_id(1)));
    let endpoint = Reach { application: Some(endpoint), ..application.clone() };
    let search = MessageSearch { message: filter.clone(), ..MessageSearch::default() };
    let failed = MessageSearch { status: Some(StatusKind::Failed), ..search.clone() };
    let attempt = AttemptFilter { message: filter.clone(), ..AttemptFilter::default() };
    let failures = AttemptFilter { delivered: Some(false), ..attempt.clone() };
    let delivery = DeliveryFilter { message: filter.clone(), status: None };

    let messages = store.messages(application_id(1), filter.clone(), all()).await?;
    let mut lists = vec![messages.items.iter().map(number).collect()];
    let attempts = store.attempts(attempts_of, attempt.clone(), all()).await?;
    lists.push(attempts.items.iter().map(|(_, it)| number(it)).collect());
    let deliveries = store.deliveries(deliveries_of, delivery, all()).await?;
    lists.push(deliveries.items.iter().map(|it| number(&it.message)).collect());
    for (reach, attempt) in [(&application, failures), (&endpoint, attempt)] {
        let search = AttemptSearch { attempt, ..AttemptSearch::default() };
        let found = store.search_attempts(reach.clone(), search, all()).await?;
        lists.push(found.items.iter().map(|(_, it)| number(it)).collect());
    }
    let of_application = Reach { application: Some((application_id(1), None)), ..application };
    for (reach, search) in [(&endpoint, search), (&of_application, failed)] {
        let found = store.search_messages(reach.clone(), search, all()).await?;
        lists.push(found.items.iter().map(number).collect());
    }
    Ok(lists)
}

fn change(folder: &Path, file: &str, sql: &str) -> usize {
    Connection::open(folder.join(file)).unwrap().execute(sql, []).unwrap()
}

#[tokio::test]
async fn messages_that_cannot_match_are_not_read() {
    let folder = sample_folder().await;
    for (table, column) in [("messages", "head"), ("attempts", "record")] {
        let row = format!("(SELECT sequence FROM {table} LIMIT 1 OFFSET 6)");
        let damage = format!("UPDATE {table} SET {column} = x'00' WHERE sequence <> {row}");
        assert_eq!(change(folder.path(), "postrider.db", &damage), 19);
    }
    let store = open_embedded(folder.path());
    for filter in rare_filters() {
        for list in found(&store, &filter).await.unwrap() {
            assert_eq!(list, [7], "{filter:?}");
        }
    }
    found(&store, &MessageFilter::default()).await.unwrap_err();
}

#[tokio::test]
async fn rows_of_earlier_versions_are_filtered_too() {
    let folder = sample_folder().await;
    assert_eq!(change(folder.path(), "index.db", "UPDATE messages SET labels = NULL"), 20);
    let store = open_embedded(folder.path());
    let common =
        MessageFilter { event_types: vec![type_name("common")], ..MessageFilter::default() };
    for list in found(&store, &common).await.unwrap() {
        assert_eq!(list.len(), 19);
    }
    for filter in rare_filters() {
        for list in found(&store, &filter).await.unwrap() {
            assert_eq!(list, [7], "{filter:?}");
        }
    }
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
