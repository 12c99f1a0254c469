//! The promises of `Cluster`: several nodes in one schema, their leases, and events between them.

mod fencing;
mod lost_responses;

use std::{future::Future, time::Duration};

use postrider::ApplicationId;
use postrider_core::catalog::{EventType, organization_digest};
use postrider_store::{
    Cluster, Deliveries, Expected, Maintenance, PostgresOptions, PostgresStore, Records, StoreEvent,
};
use tokio_postgres::Client;

use crate::{
    fixture::*,
    schema::{Schema, count},
};

const NODE_LEASE: Duration = Duration::from_millis(300);

/// How long a test waits for an event or a condition.
const TIMEOUT: Duration = Duration::from_secs(20);

async fn node(schema: &Schema) -> PostgresStore {
    let options = PostgresOptions { node_lease: NODE_LEASE, ..schema.options() };
    PostgresStore::open(options).await.unwrap()
}

/// Waits until the condition is true.
async fn wait_until<F: Future<Output = bool>>(description: &str, mut is_true: impl FnMut() -> F) {
    let polling = async {
        while !is_true().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(TIMEOUT, polling).await.is_ok(), "not in time: {description}");
}

/// The next event that is wanted; others are skipped.
async fn next_matching(store: &PostgresStore, wanted: impl Fn(&StoreEvent) -> bool) -> StoreEvent {
    let waiting = async {
        loop {
            let event = store.next_event().await;
            if wanted(&event) {
                break event;
            }
        }
    };
    tokio::time::timeout(TIMEOUT, waiting).await.expect("no such event in time")
}

/// Adds a node that does not renew its lease, as if it had been killed, and returns its number.
async fn insert_dying_node(client: &Client) -> i64 {
    let sql = "INSERT INTO node (name, version, alive_until)
         VALUES ('dead', '0', clock_timestamp() + interval '1 second') RETURNING id";
    client.query_one(sql, &[]).await.unwrap().get(0)
}

/// Adds a delivery that the node holds, and a lane that it owns.
async fn insert_held_delivery(client: &Client, holder: i64, message: u32) {
    let sql = format!(
        "INSERT INTO queue
         VALUES ('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000002',
             '00000000-0000-0000-0000-{message:012}', 1, false, false, 77, 1000000000000000, {holder},
             0, NULL, '{{}}');
         INSERT INTO lane (application, endpoint, owner)
         VALUES ('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000002', {holder})
         ON CONFLICT DO NOTHING"
    );
    client.batch_execute(&sql).await.unwrap();
}

const FREE: &str = "SELECT count(*) FROM queue WHERE holder IS NULL AND free_at = due_at";
const HELD: &str = "SELECT count(*) FROM queue WHERE holder IS NOT NULL";

#[tokio::test]
async fn deliveries_of_a_dead_node_are_due_again_after_its_lease() {
    let schema = Schema::create().await;
    let store = node(&schema).await;
    let client = schema.client().await;
    let number = insert_dying_node(&client).await;
    insert_held_delivery(&client, number, 1).await;
    insert_held_delivery(&client, number, 2).await;
    let own = i64::try_from(store.node_lease().epoch).unwrap();
    insert_held_delivery(&client, own, 3).await;
    assert_eq!(
        next_matching(&store, |it| matches!(it, StoreEvent::DeliveriesTakenOver(_))).await,
        StoreEvent::DeliveriesTakenOver(2)
    );
    assert_eq!(count(&client, FREE).await, 2);
    assert_eq!(count(&client, HELD).await, 1, "the delivery of the live node stays held");
    let lanes = "SELECT count(*) FROM lane WHERE owner IS NULL AND due_at = 77 AND rest_until > 0";
    assert_eq!(count(&client, lanes).await, 1, "the lane has no owner, and can be claimed from");
    assert_eq!(count(&client, "SELECT count(*) FROM node").await, 1);
    drop(store);
    schema.remove().await;
}

#[tokio::test]
async fn deliveries_of_a_closed_node_are_due_again_immediately() {
    let schema = Schema::create().await;
    let (store, other) = (schema.open().await, schema.open().await);
    assert_eq!(other.next_event().await, StoreEvent::EventsMissed, "the node listens now");
    let client = schema.client().await;
    insert_held_delivery(&client, i64::try_from(store.node_lease().epoch).unwrap(), 1).await;
    store.close().await.unwrap();
    assert_eq!(count(&client, FREE).await, 1);
    assert_eq!(count(&client, "SELECT count(*) FROM lane WHERE owner IS NULL").await, 1);
    assert_eq!(count(&client, "SELECT count(*) FROM node").await, 1);
    assert_eq!(
        next_matching(&other, |it| *it == StoreEvent::DeliveriesDue).await,
        StoreEvent::DeliveriesDue
    );
    drop(store);
    schema.remove().await;
}

#[tokio::test]
async fn a_node_renews_its_lease_and_keeps_its_epoch() {
    let schema = Schema::create().await;
    let (store, other) = (node(&schema).await, node(&schema).await);
    let (first, second) = (store.node_lease(), other.node_lease());
    assert_ne!(first.epoch, second.epoch);
    wait_until("both leases are renewed", async || {
        store.node_lease().valid_until > first.valid_until + 3 * NODE_LEASE
            && other.node_lease().valid_until > second.valid_until + 3 * NODE_LEASE
    })
    .await;
    assert_eq!((store.node_lease().epoch, other.node_lease().epoch), (first.epoch, second.epoch));
    drop(store);
    schema.remove().await;
}

#[tokio::test]
async fn a_node_that_was_declared_dead_takes_a_new_epoch() {
    let schema = Schema::create().await;
    let store = node(&schema).await;
    let before = store.node_lease();
    let client = schema.client().await;
    insert_held_delivery(&client, i64::try_from(before.epoch).unwrap(), 1).await;
    client.batch_execute("DELETE FROM node").await.unwrap();
    wait_until("the node has a new epoch", async || store.node_lease().epoch != before.epoch).await;
    assert!(store.node_lease().valid_until > before.valid_until);
    wait_until("its delivery is free", async || count(&client, FREE).await == 1).await;
    drop(store);
    schema.remove().await;
}

#[tokio::test]
async fn a_change_by_one_node_notifies_the_other() {
    let schema = Schema::create().await;
    let store = schema.open().await;
    assert_eq!(
        store.next_event().await,
        StoreEvent::EventsMissed,
        "events before the node listened"
    );
    let application = ApplicationId::from_u128(7);
    let client = schema.client().await;
    let sql = "INSERT INTO change (application) VALUES ('00000000-0000-0000-0000-000000000007')";
    client.batch_execute(sql).await.unwrap();
    let event = next_matching(&store, |_| true).await;
    assert_eq!(event, StoreEvent::ApplicationChanged(application), "without a notification");
    drop(store);
    schema.remove().await;
}

#[tokio::test]
async fn a_changed_event_type_notifies_the_other_nodes() {
    let schema = Schema::create().await;
    let (store, other) = (schema.open().await, schema.open().await);
    let event_type = event_type("user.created");
    let digest = organization_digest(&event_type.organization);
    let is_changed = |it: &StoreEvent| *it == StoreEvent::EventTypesChanged(digest);
    other.save(&event_type, Expected::Any).await.unwrap();
    next_matching(&store, is_changed).await;
    other.remove::<EventType>(&event_type.organization, &event_type.name).await.unwrap();
    next_matching(&store, is_changed).await;
    drop((store, other));
    schema.remove().await;
}

#[tokio::test]
async fn a_node_behind_a_pooler_is_notified_of_changes() {
    let schema = Schema::create().await;
    let options = PostgresOptions { is_pooled: true, ..schema.options() };
    let store = PostgresStore::open(options).await.unwrap();
    let application = ApplicationId::from_u128(7);
    let client = schema.client().await;
    for _ in 0..2 {
        let sql =
            "INSERT INTO change (application) VALUES ('00000000-0000-0000-0000-000000000007')";
        client.batch_execute(sql).await.unwrap();
        assert_eq!(
            next_matching(&store, |_| true).await,
            StoreEvent::ApplicationChanged(application)
        );
    }
    drop(store);
    schema.remove().await;
}

#[tokio::test]
async fn more_events_than_fit_are_reported_as_missed() {
    let schema = Schema::create().await;
    let store = schema.open().await;
    assert_eq!(store.next_event().await, StoreEvent::EventsMissed);
    let client = schema.client().await;
    let sql = "INSERT INTO change (application)
         SELECT lpad(to_hex(number), 32, '0')::uuid FROM generate_series(1, 3000) AS number";
    client.batch_execute(sql).await.unwrap();
    assert_eq!(
        next_matching(&store, |it| *it == StoreEvent::EventsMissed).await,
        StoreEvent::EventsMissed
    );
    drop(store);
    schema.remove().await;
}

#[tokio::test]
async fn a_listener_whose_connection_is_cut_reports_missed_events() {
    let schema = Schema::create().await;
    let options = schema.options();
    let name = format!("listener_{}", std::process::id());
    let url = format!("{}&application_name={name}", options.url);
    let store = PostgresStore::open(PostgresOptions { url, ..options }).await.unwrap();
    assert_eq!(store.next_event().await, StoreEvent::EventsMissed);
    let client = schema.client().await;
    // The last query of the listener is LISTEN or its keep-alive query.
    let sql = format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
         WHERE application_name = '{name}'
             AND query IN ('LISTEN postrider_' || current_schema(), 'SELECT 1')"
    );
    assert_eq!(count(&client, &sql).await, 1);
    assert_eq!(next_matching(&store, |_| true).await, StoreEvent::EventsMissed);
    drop(store);
    schema.remove().await;
}

#[tokio::test]
async fn no_node_is_declared_dead_right_after_an_outage() {
    let schema = Schema::create().await;
    let options = PostgresOptions { node_lease: Duration::from_secs(3), ..schema.options() };
    let store = PostgresStore::open(options).await.unwrap();
    let before = store.node_lease();
    let client = schema.client().await;
    // For a while, neither node can renew its lease.
    let sql = "ALTER TABLE node RENAME TO away";
    client.batch_execute(sql).await.unwrap();
    let sql = "INSERT INTO away (name, version, alive_until)
         VALUES ('other', '0', clock_timestamp() + interval '2 seconds') RETURNING id";
    let other: i64 = client.query_one(sql, &[]).await.unwrap().get(0);
    let is_over = "SELECT count(*) FROM away WHERE alive_until > clock_timestamp()";
    wait_until("the leases have ended", async || count(&client, is_over).await == 0).await;
    client.batch_execute("ALTER TABLE away RENAME TO node").await.unwrap();
    wait_until("the lease of the first node is renewed", async || {
        store.node_lease().valid_until > before.valid_until
    })
    .await;
    assert_eq!(store.node_lease().epoch, before.epoch);
    let others = format!("SELECT count(*) FROM node WHERE id = {other}");
    assert_eq!(count(&client, &others).await, 1, "the other node has time to renew its lease");
    wait_until("the other node is declared dead", async || count(&client, &others).await == 0)
        .await;
    drop(store);
    schema.remove().await;
}

/// A node may end between any two writes, so one write ends a delivery and makes the next one due.
#[tokio::test]
async fn the_end_of_the_first_ordered_delivery_makes_its_lane_due_in_the_same_write() {
    let schema = Schema::create().await;
    let store = schema.open().await;
    set_up(&store).await;
    store.append(vec![ordered(1, &[1]), ordered(2, &[1])]).await.unwrap();
    let one = postrider_store::Claim { per_endpoint: 1, ..claim() };
    assert_eq!(claimed(&store, one.clone()).await, [(1, 1, 1)]);
    assert_eq!(claimed(&store, one.clone()).await, []);
    let (other, reader) = (schema.client().await, schema.client().await);
    other.batch_execute("BEGIN; SELECT 1 FROM lane FOR UPDATE").await.unwrap();
    let holder: i32 = other.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    let seen = async {
        let waits = "SELECT count(*) FROM pg_stat_activity
            WHERE $1 = ANY (pg_blocking_pids(pid)) AND query LIKE '%ended AS%'";
        while reader.query_one(waits, &[&holder]).await.unwrap().get::<_, i64>(0) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let queued = count(&reader, "SELECT count(*) FROM queue").await;
        other.batch_execute("ROLLBACK").await.unwrap();
        queued
    };
    let seen = tokio::time::timeout(TIMEOUT, seen);
    let ((), seen) = tokio::join!(deliver(&store, 1, fresh(1, 1)), seen);
    assert_eq!(seen.unwrap(), 2, "no delivery has ended while the lane is not due");
    assert_eq!(claimed(&store, one).await, [(1, 2, 1)]);
    drop(store);
    schema.remove().await;
}
