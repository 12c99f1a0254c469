//! Copies from one store to another: everything arrives as it was, whatever happened before,
//! and wherever the copy was interrupted.

use std::path::Path;

use postrider_store::{
    EmbeddedSide, EmbeddedStore, Options, PostgresSide, Record, Reservation, Store,
    transfer::{self, Side},
};
use proptest::prelude::*;

use crate::{
    database::Schema,
    fixture::*,
    model::{Call, answer, call, view},
};

fn source(folder: &Path) -> EmbeddedSide {
    EmbeddedSide::source(folder, &Options::default()).unwrap()
}

fn target(folder: &Path) -> EmbeddedSide {
    EmbeddedSide::target(folder, &Options::default()).unwrap()
}

fn open(folder: &Path) -> EmbeddedStore {
    EmbeddedStore::open(folder, &Options::default()).unwrap()
}

async fn must_copy(from: &dyn Side, to: &dyn Side, number: u64) {
    let copied = transfer::copy(from, to, number, |_, _| ()).await.unwrap();
    assert!(copied.is_whole(), "{copied:?}");
}

/// What the store offers from now on.
async fn offers(store: &dyn Store) -> String {
    format!("{:?}", store.claim(claim_at(at(1_000_000))).await.unwrap().deliveries)
}

/// An installation after these calls.
async fn made_by(calls: &[Call], folder: &Path) {
    let store = open(folder);
    furnish(&store).await;
    store.save(Record::EventType(event_type("user.created")), true).await.unwrap();
    for (call, number) in calls.iter().zip(0..) {
        answer(&store, number, call).await;
    }
    assert_eq!(store.reserve([1; 32], [2; 32], at(0)).await.unwrap(), Reservation::Fresh);
    store.answer([1; 32], Some(vec![3]), at(0)).await.unwrap();
}

/// To the database and back.
async fn play(calls: Vec<Call>) {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let schema = Schema::create().await;
    made_by(&calls, first.path()).await;
    {
        let to = PostgresSide::target(schema.options()).await.unwrap();
        must_copy(&source(first.path()), &to, 1).await;
    }
    {
        let from = PostgresSide::source(schema.options()).await.unwrap();
        must_copy(&from, &target(second.path()), 2).await;
    }
    let (first, second) = (open(first.path()), open(second.path()));
    let database = schema.open().await;
    let expected = view(&first).await;
    assert_eq!(view(&database).await, expected);
    assert_eq!(view(&second).await, expected);
    let expected = offers(&first).await;
    assert_eq!(offers(&second).await, expected);
    assert_eq!(offers(&database).await, expected);
    drop(database);
    schema.remove().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn what_was_copied_there_and_back_answers_as_before(
        calls in prop::collection::vec(call(), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(play(calls));
    }
}
