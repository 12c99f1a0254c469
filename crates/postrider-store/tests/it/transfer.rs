//! Copies from one store to another: everything arrives as it was, whatever happened before,
//! and wherever the copy was interrupted.

use std::{
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;
use postrider_core::catalog::Source;
use postrider_store::{
    Deliveries, EmbeddedStore, EmbeddedTransferStore, Expected, Idempotency, KeyReservation,
    Maintenance, Options, PostgresTransferStore, Records, Rejections, Store, StoreError,
    transfer::{
        self, Chunk, CopyError, CopyRefusal, Cursor, ExportPage, Progress, RecordCounts,
        TargetState, TransferStore,
    },
};
use proptest::prelude::*;

use crate::{
    database::Schema,
    fixture::{source as source_of, *},
    model::{Call, answer, call, view},
};

fn source(folder: &Path) -> EmbeddedTransferStore {
    EmbeddedTransferStore::source(folder, &Options::default()).unwrap()
}

fn target(folder: &Path) -> EmbeddedTransferStore {
    EmbeddedTransferStore::target(folder, &Options::default()).unwrap()
}

fn open(folder: &Path) -> EmbeddedStore {
    EmbeddedStore::open(folder, &Options::default()).unwrap()
}

async fn must_copy(from: &dyn TransferStore, to: &dyn TransferStore, number: u64) {
    let copied = transfer::copy(from, to, number, |_, _| ()).await.unwrap();
    assert!(copied.is_complete(), "{copied:?}");
}

/// What the store offers from now on.
async fn offers(store: &dyn Store) -> String {
    format!("{:?}", store.claim(claim_at(at(1_000_000))).await.unwrap().deliveries)
}

/// An installation after these calls.
async fn made_by(calls: &[Call], folder: &Path) {
    let store = open(folder);
    set_up(&store).await;
    store.save(&event_type("user.created"), Expected::New).await.unwrap();
    for (call, number) in calls.iter().zip(0..) {
        answer(&store, number, call).await;
    }
    store.save(&source_of(9), Expected::New).await.unwrap();
    store.reject(vec![rejection(1, 9)]).await.unwrap();
    assert_eq!(store.reserve_key([1; 32], [2; 32], at(0)).await.unwrap(), KeyReservation::Acquired);
    store.complete_key([1; 32], Some(vec![3]), at(0)).await.unwrap();
}

/// To the database and back.
async fn play(calls: Vec<Call>) {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let schema = Schema::create().await;
    made_by(&calls, first.path()).await;
    {
        let to = PostgresTransferStore::target(schema.options()).await.unwrap();
        must_copy(&source(first.path()), &to, 1).await;
    }
    {
        let from = PostgresTransferStore::source(schema.options()).await.unwrap();
        must_copy(&from, &target(second.path()), 2).await;
    }
    let (first, second) = (open(first.path()), open(second.path()));
    let database = schema.open().await;
    let expected = view(&first).await;
    assert_eq!(view(&database).await, expected);
    assert_eq!(view(&second).await, expected);
    for store in [&database as &dyn Store, &second] {
        let kept = store.reserve_key([1; 32], [2; 32], at(0)).await.unwrap();
        assert_eq!(kept, KeyReservation::Completed(vec![3]));
        let sources = store.list::<Source>(&organization(), all()).await.unwrap().items;
        assert_eq!(sources.last(), Some(&source_of(9)));
        // They are for a look and for a day, and stay behind.
        assert_eq!(store.rejections(source_id(9), all()).await.unwrap().items, []);
    }
    let expected = offers(&first).await;
    assert_eq!(offers(&second).await, expected);
    assert_eq!(offers(&database).await, expected);
    drop(database);
    schema.remove().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn what_was_copied_there_and_back_answers_as_before(
        calls in prop::collection::vec(call(), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(play(calls));
    }
}

/// A target whose process ends before it writes a certain part, or right after it has.
#[derive(Debug)]
struct Mortal {
    side: Box<dyn TransferStore>,
    left: AtomicU32,
    writes_last: bool,
}

#[async_trait]
impl TransferStore for Mortal {
    async fn identity(&self) -> Result<u64, StoreError> {
        self.side.identity().await
    }

    async fn mark(&self) -> Result<Option<u64>, StoreError> {
        self.side.mark().await
    }

    async fn set_mark(&self, copy: u64) -> Result<(), StoreError> {
        self.side.set_mark(copy).await
    }

    async fn export(&self, after: &Cursor, limit: usize) -> Result<ExportPage, StoreError> {
        self.side.export(after, limit).await
    }

    async fn target_state(&self) -> Result<TargetState, StoreError> {
        self.side.target_state().await
    }

    async fn import(
        &self,
        chunk: Chunk,
        before: Option<Progress>,
        after: Progress,
    ) -> Result<u64, StoreError> {
        if self.left.fetch_sub(1, Ordering::Relaxed) > 0 {
            return self.side.import(chunk, before, after).await;
        }
        if self.writes_last {
            self.side.import(chunk, before, after).await?;
        }
        Err(StoreError::Unavailable("killed".into()))
    }

    async fn record_counts(&self) -> Result<RecordCounts, StoreError> {
        self.side.record_counts().await
    }

    async fn finish(&self) -> Result<(), StoreError> {
        self.side.finish().await
    }
}

/// An installation with something of everything, and more messages than travel in one part.
async fn make(folder: &Path) {
    made_by(&[], folder).await;
    let store = open(folder);
    for part in 0..5 {
        let messages = (part * 500..(part + 1) * 500).map(|it| free(it, &[1, 2]));
        store.append(messages.collect()).await.unwrap();
    }
    let claimed = store.claim(claim()).await.unwrap().deliveries;
    for ((delivery, _), number) in claimed.into_iter().zip(0..) {
        deliver(&store, number, delivery).await;
    }
}

/// Ends the copy at every part, and goes on each time.
async fn interrupt(from: &dyn TransferStore, mut to: Mortal) {
    let mut runs = 0;
    loop {
        to.left = AtomicU32::new(1);
        to.writes_last = runs % 2 == 0;
        match transfer::copy(from, &to, runs, |_, _| ()).await {
            Ok(copied) => {
                assert!(copied.is_complete(), "{copied:?}");
                break;
            },
            Err(CopyError::Target(_)) => runs += 1,
            Err(error) => panic!("{error:?}"),
        }
    }
    assert!(runs > 3, "there were more parts");
}

#[tokio::test]
async fn a_copy_goes_on_where_it_was_interrupted() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let schema = Schema::create().await;
    make(first.path()).await;
    let mortal = |side| Mortal { side, left: AtomicU32::new(0), writes_last: false };
    let to = PostgresTransferStore::target(schema.options()).await.unwrap();
    interrupt(&source(first.path()), mortal(Box::new(to))).await;
    let from = PostgresTransferStore::source(schema.options()).await.unwrap();
    interrupt(&from, mortal(Box::new(target(second.path())))).await;
    drop(from);
    let expected = source(first.path()).record_counts().await.unwrap();
    assert_eq!(expected.messages, 2_500);
    assert_eq!((expected.attempts, expected.sources), (100, 1));
    assert_eq!(source(second.path()).record_counts().await.unwrap(), expected);
    schema.remove().await;
}

async fn refused(from: &dyn TransferStore, to: &dyn TransferStore) -> CopyRefusal {
    match transfer::copy(from, to, 7, |_, _| ()).await {
        Err(CopyError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

/// Begins a copy that ends after its first part.
async fn begin(from: &Path, to: &Path) {
    let side = Box::new(target(to));
    let to = Mortal { side, left: AtomicU32::new(0), writes_last: true };
    transfer::copy(&source(from), &to, 5, |_, _| ()).await.unwrap_err();
}

#[tokio::test]
async fn a_copy_is_refused_where_it_would_mix_installations() {
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let [first, second, third] = folders.each_ref().map(tempfile::TempDir::path);
    made_by(&[], first).await;
    made_by(&[], second).await;
    let (from, full) = (source(first), target(second));
    assert_eq!(refused(&from, &from).await, CopyRefusal::Same);
    assert_eq!(refused(&from, &full).await, CopyRefusal::Occupied);
    drop((from, full));
    begin(first, third).await;
    assert_eq!(refused(&source(second), &target(third)).await, CopyRefusal::OtherCopy);
    assert!(EmbeddedStore::open(third, &Options::default()).is_err(), "it is not whole");
    drop(open(first));
    assert_eq!(refused(&source(first), &target(third)).await, CopyRefusal::Used);
    assert!(EmbeddedTransferStore::source(&first.join("nothing"), &Options::default()).is_err());
}

#[tokio::test]
async fn a_database_with_a_node_or_an_unfinished_copy_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    made_by(&[], folder.path()).await;
    let schema = Schema::create().await;
    assert!(PostgresTransferStore::source(schema.options()).await.is_err(), "there is nothing");
    let node = schema.open().await;
    assert!(PostgresTransferStore::target(schema.options()).await.is_err(), "somebody uses it");
    node.close().await.unwrap();
    let side = Box::new(PostgresTransferStore::target(schema.options()).await.unwrap());
    let to = Mortal { side, left: AtomicU32::new(0), writes_last: true };
    transfer::copy(&source(folder.path()), &to, 5, |_, _| ()).await.unwrap_err();
    let error = postrider_store::PostgresStore::open(schema.options()).await.unwrap_err();
    assert!(format!("{error:?}").contains("unfinished copy"), "{error:?}");
    schema.remove().await;
}

/// Nodes make ids without asking each other.
#[tokio::test]
async fn messages_with_the_same_time_and_counter_all_find_a_place_in_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let schema = Schema::create().await;
    let node = schema.open().await;
    set_up(&node).await;
    let twin = postrider::MessageId::from_parts(message_id(3).sequence(), 99);
    let twins = [message_id(3), twin].map(|id| {
        new(
            postrider_core::message::Message { id, ..message(3) },
            &[1],
            postrider_store::Hold::Free(at(3)),
        )
    });
    node.append(twins.to_vec()).await.unwrap();
    node.close().await.unwrap();
    let from = PostgresTransferStore::source(schema.options()).await.unwrap();
    let copied = transfer::copy(&from, &target(folder.path()), 1, |_, _| ()).await.unwrap();
    assert!(copied.is_complete(), "{copied:?}");
    assert_eq!(copied.renamed, 1);
    assert_eq!(open(folder.path()).claim(claim()).await.unwrap().deliveries.len(), 2);
    drop(from);
    schema.remove().await;
}
