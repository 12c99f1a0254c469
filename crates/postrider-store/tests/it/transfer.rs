//! Copies from one store to another: they are complete after any calls, and after interruptions.

use std::{
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;
use postrider_core::{
    catalog::{Connector, DeadLetter, Source, Task},
    polling::PollConsumer,
    queue::partitions::Partitions,
};
use postrider_store::{
    AuditFilter, AuditLog, Change, Deliveries, EmbeddedStore, EmbeddedTransferStore, Expected,
    IdOrUid, Idempotency, KeyReservation, LogKey, Maintenance, Options, PostgresTransferStore,
    Records, Rejections, SavedConsumer, Store, StoreError,
    transfer::{
        self, Chunk, CopyError, CopyRefusal, Cursor, ExportPage, Progress, RecordCounts,
        TargetState, TransferStore,
    },
};
use proptest::prelude::*;

use crate::{
    fixture::{source as source_of, *},
    model::{Call, call, make_call, visible_state},
    schema::Schema,
    tasks::task,
};

fn source(folder: &Path) -> EmbeddedTransferStore {
    EmbeddedTransferStore::source(folder, &Options::default()).unwrap()
}

fn target(folder: &Path) -> EmbeddedTransferStore {
    EmbeddedTransferStore::target(folder, &Options::default()).unwrap()
}

async fn copy_completely(from: &dyn TransferStore, to: &dyn TransferStore, number: u64) {
    let copied = transfer::copy(from, to, number, |_, _| ()).await.unwrap();
    assert!(copied.is_complete(), "{copied:?}");
}

/// How far the queue of consumer 9 was read.
fn partitions() -> Partitions {
    let mut partitions = Partitions::new(consumer_id(9));
    partitions.advance(1, 5);
    partitions
}

/// The deliveries that the store offers from now on.
async fn claimable(store: &dyn Store) -> String {
    format!("{:?}", store.claim(claim_at(at(1_000_000))).await.unwrap().deliveries)
}

/// Creates an installation and makes these calls.
async fn create_installation(calls: &[Call], folder: &Path) {
    let store = open_embedded(folder);
    set_up(&store).await;
    store.save(&event_type("user.created"), Expected::New).await.unwrap();
    for (call, number) in calls.iter().zip(0..) {
        make_call(&store, number, call).await;
    }
    store.save(&source_of(9), Expected::New).await.unwrap();
    store.reject(vec![rejection(1, 9)]).await.unwrap();
    store.save(&connector(9), Expected::New).await.unwrap();
    store.save(&consumer(9), Expected::New).await.unwrap();
    store.save(&partitions(), Expected::New).await.unwrap();
    store.save(&dead_letter(1, 9), Expected::New).await.unwrap();
    store.change(Change::Elsewhere, audit_entry(1)).await.unwrap();
    store.save(&task(1), Expected::New).await.unwrap();
    append_to_logs(&store).await;
    assert_eq!(store.reserve_key([1; 32], [2; 32], at(0)).await.unwrap(), KeyReservation::Acquired);
    store.complete_key([1; 32], Some(vec![3]), at(0)).await.unwrap();
}

const LOG: LogKey = LogKey { application: application_id(1), endpoint: endpoint_id(2) };

/// Appends to the log of an endpoint, and saves a consumer of it.
async fn append_to_logs(store: &dyn Store) {
    store.save(&endpoint(2), Expected::Any).await.unwrap();
    store.append(vec![new(message(9_000), &[], free_at(0))]).await.unwrap();
    let messages = vec![message_id(9_000), message_id(9_001)];
    assert!(store.append_to_log(LOG, messages, at(5)).await.unwrap());
    store.save_poll_consumer(LOG, saved_consumer()).await.unwrap();
}

fn saved_consumer() -> SavedConsumer {
    let consumer = PollConsumer::new("worker".to_owned(), 1, at(0));
    SavedConsumer { consumer, expected: None, limit: 9 }
}

/// Copies an installation to a database and back, and compares all three.
async fn copy_there_and_back(calls: Vec<Call>) {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let schema = Schema::create().await;
    create_installation(&calls, first.path()).await;
    {
        let to = PostgresTransferStore::target(schema.options()).await.unwrap();
        copy_completely(&source(first.path()), &to, 1).await;
    }
    {
        let from = PostgresTransferStore::source(schema.options()).await.unwrap();
        copy_completely(&from, &target(second.path()), 2).await;
    }
    let (first, second) = (open_embedded(first.path()), open_embedded(second.path()));
    let database = schema.open().await;
    let expected = visible_state(&first).await;
    assert_eq!(visible_state(&database).await, expected);
    assert_eq!(visible_state(&second).await, expected);
    for store in [&database as &dyn Store, &second] {
        let kept = store.reserve_key([1; 32], [2; 32], at(0)).await.unwrap();
        assert_eq!(kept, KeyReservation::Completed(vec![3]));
        let sources = store.list::<Source>(&organization(), all()).await.unwrap().items;
        assert_eq!(sources.last(), Some(&source_of(9)));
        let found = store.list::<Connector>(&organization(), all()).await.unwrap().items;
        assert_eq!(found, [connector(9)]);
        assert_eq!(store.all_consumers(None, 10).await.unwrap(), [consumer(9)]);
        let key = IdOrUid::Id(consumer_id(9));
        let found = store.get::<Partitions>(&consumer_id(9), &key).await.unwrap();
        assert_eq!(found, Some(partitions()));
        let found = store.list::<DeadLetter>(&consumer_id(9), all()).await.unwrap().items;
        assert_eq!(found, [dead_letter(1, 9)]);
        let log = store.audit_log(&organization(), AuditFilter::default(), all()).await.unwrap();
        assert_eq!(log.items, [audit_entry(1)]);
        let found = store.list::<Task>(&organization(), all()).await.unwrap().items;
        assert_eq!(found, [task(1)]);
        let page = store.read_log(LOG, 0, 10).await.unwrap();
        let entries: Vec<_> = page.entries.iter().map(|it| (it.offset, it.message.id)).collect();
        assert_eq!((entries, page.scanned), (vec![(1, message_id(9_000))], 2));
        assert_eq!(store.log_offset_at(LOG, at(6)).await.unwrap(), 2);
        assert_eq!(store.poll_consumers(LOG).await.unwrap(), [saved_consumer().consumer]);
        // Rejections are kept for a short time only, and are not copied.
        assert_eq!(store.rejections(source_id(9), all()).await.unwrap().items, []);
    }
    let expected = claimable(&first).await;
    assert_eq!(claimable(&second).await, expected);
    assert_eq!(claimable(&database).await, expected);
    drop(database);
    schema.remove().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn a_copy_there_and_back_behaves_like_the_original(
        calls in prop::collection::vec(call(), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(copy_there_and_back(calls));
    }
}

/// A target whose process ends before it writes a certain chunk, or right after.
#[derive(Debug)]
struct FailingTarget {
    inner: Box<dyn TransferStore>,
    imports_left: AtomicU32,
    writes_last: bool,
}

#[async_trait]
impl TransferStore for FailingTarget {
    async fn identity(&self) -> Result<u64, StoreError> {
        self.inner.identity().await
    }

    async fn mark(&self) -> Result<Option<u64>, StoreError> {
        self.inner.mark().await
    }

    async fn set_mark(&self, copy: u64) -> Result<(), StoreError> {
        self.inner.set_mark(copy).await
    }

    async fn export(&self, after: &Cursor, limit: usize) -> Result<ExportPage, StoreError> {
        self.inner.export(after, limit).await
    }

    async fn target_state(&self) -> Result<TargetState, StoreError> {
        self.inner.target_state().await
    }

    async fn import(
        &self,
        chunk: Chunk,
        before: Option<Progress>,
        after: Progress,
    ) -> Result<u64, StoreError> {
        if self.imports_left.fetch_sub(1, Ordering::Relaxed) > 0 {
            return self.inner.import(chunk, before, after).await;
        }
        if self.writes_last {
            self.inner.import(chunk, before, after).await?;
        }
        Err(StoreError::Unavailable("killed".into()))
    }

    async fn record_counts(&self) -> Result<RecordCounts, StoreError> {
        self.inner.record_counts().await
    }

    async fn finish(&self) -> Result<(), StoreError> {
        self.inner.finish().await
    }
}

/// Creates an installation with records of every kind, and more messages than fit into one chunk.
async fn create_large_installation(folder: &Path) {
    create_installation(&[], folder).await;
    let store = open_embedded(folder);
    for batch in 0..5 {
        let messages = (batch * 500..(batch + 1) * 500).map(|it| free(it, &[1, 2]));
        store.append(messages.collect()).await.unwrap();
    }
    let claimed = store.claim(claim()).await.unwrap().deliveries;
    for ((delivery, _), number) in claimed.into_iter().zip(0..) {
        deliver(&store, number, delivery).await;
    }
}

/// Interrupts the copy at every chunk, and continues it.
async fn copy_with_interruptions(from: &dyn TransferStore, mut to: FailingTarget) {
    let mut runs = 0;
    loop {
        to.imports_left = AtomicU32::new(1);
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
    assert!(runs > 3, "the copy has more chunks");
}

#[tokio::test]
async fn an_interrupted_copy_continues_where_it_stopped() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let schema = Schema::create().await;
    create_large_installation(first.path()).await;
    let failing =
        |inner| FailingTarget { inner, imports_left: AtomicU32::new(0), writes_last: false };
    let to = PostgresTransferStore::target(schema.options()).await.unwrap();
    copy_with_interruptions(&source(first.path()), failing(Box::new(to))).await;
    let from = PostgresTransferStore::source(schema.options()).await.unwrap();
    copy_with_interruptions(&from, failing(Box::new(target(second.path())))).await;
    drop(from);
    let expected = source(first.path()).record_counts().await.unwrap();
    assert_eq!(expected.messages, 2_501);
    assert_eq!((expected.attempts, expected.sources), (100, 1));
    assert_eq!(source(second.path()).record_counts().await.unwrap(), expected);
    schema.remove().await;
}

/// The reason why the copy is refused.
async fn refusal_of(from: &dyn TransferStore, to: &dyn TransferStore) -> CopyRefusal {
    match transfer::copy(from, to, 7, |_, _| ()).await {
        Err(CopyError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

/// Starts a copy that is interrupted after its first chunk.
async fn start_copy(from: &Path, to: &Path) {
    let inner = Box::new(target(to));
    let to = FailingTarget { inner, imports_left: AtomicU32::new(0), writes_last: true };
    transfer::copy(&source(from), &to, 5, |_, _| ()).await.unwrap_err();
}

#[tokio::test]
async fn a_copy_that_would_mix_installations_is_refused() {
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let [first, second, third] = folders.each_ref().map(tempfile::TempDir::path);
    create_installation(&[], first).await;
    create_installation(&[], second).await;
    let (from, full) = (source(first), target(second));
    assert_eq!(refusal_of(&from, &from).await, CopyRefusal::Same);
    assert_eq!(refusal_of(&from, &full).await, CopyRefusal::Occupied);
    drop((from, full));
    start_copy(first, third).await;
    assert_eq!(refusal_of(&source(second), &target(third)).await, CopyRefusal::OtherCopy);
    assert!(EmbeddedStore::open(third, &Options::default()).is_err(), "the copy is incomplete");
    drop(open_embedded(first));
    assert_eq!(refusal_of(&source(first), &target(third)).await, CopyRefusal::Used);
    assert!(EmbeddedTransferStore::source(&first.join("nothing"), &Options::default()).is_err());
}

#[tokio::test]
async fn a_database_with_a_node_or_an_unfinished_copy_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    create_installation(&[], folder.path()).await;
    let schema = Schema::create().await;
    assert!(PostgresTransferStore::source(schema.options()).await.is_err(), "the schema is empty");
    let node = schema.open().await;
    assert!(PostgresTransferStore::target(schema.options()).await.is_err(), "a node is running");
    node.close().await.unwrap();
    let inner = Box::new(PostgresTransferStore::target(schema.options()).await.unwrap());
    let to = FailingTarget { inner, imports_left: AtomicU32::new(0), writes_last: true };
    transfer::copy(&source(folder.path()), &to, 5, |_, _| ()).await.unwrap_err();
    let error = postrider_store::PostgresStore::open(schema.options()).await.unwrap_err();
    assert!(format!("{error:?}").contains("unfinished copy"), "{error:?}");
    schema.remove().await;
}

/// Nodes make ids independently of each other.
#[tokio::test]
async fn messages_with_the_same_sequence_are_all_copied_to_a_folder() {
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
    assert_eq!(open_embedded(folder.path()).claim(claim()).await.unwrap().deliveries.len(), 2);
    drop(from);
    schema.remove().await;
}
