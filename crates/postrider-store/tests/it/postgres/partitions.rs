//! Day partitions of the history in PostgreSQL: created ahead and dropped whole, by any number of
//! nodes.

use std::time::Duration;

use postrider_core::message::Message;
use postrider_store::{
    AttemptFilter, AttemptsOf, Deliveries, History, Hold, IdOrUid, PostgresStore, StatusKind, Store,
};
use tokio_postgres::Client;

use crate::{
    fixture::*,
    schema::{Schema, count},
};

const DAY_MILLIS: u64 = 24 * 60 * 60 * 1_000;

/// The day of [`START`], and the seven after it.
const DAYS: [&str; 8] = [
    "20231114", "20231115", "20231116", "20231117", "20231118", "20231119", "20231120", "20231121",
];

/// Days before 2024 for which a table has partitions.
async fn days(client: &Client, table: &str) -> Vec<String> {
    let sql = "SELECT right(inhrelid::regclass::text, 8) AS day
        FROM pg_inherits
        WHERE inhparent = to_regclass($1) AND inhrelid::regclass::text ~ '_2023[0-9]{4}$'
        ORDER BY day";
    client.query(sql, &[&table]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

async fn row_count(client: &Client, table: &str) -> i64 {
    count(client, &format!("SELECT count(*) FROM {table}")).await
}

/// Makes the removal or change of a single row of history an error.
async fn forbid_changes(client: &Client) {
    let sql = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql
        AS 'BEGIN RAISE EXCEPTION ''a row was touched''; END';
        CREATE TRIGGER refuse BEFORE DELETE OR UPDATE ON message
            FOR EACH ROW EXECUTE FUNCTION refuse();
        CREATE TRIGGER refuse BEFORE DELETE OR UPDATE ON attempt
            FOR EACH ROW EXECUTE FUNCTION refuse();
        CREATE TRIGGER refuse BEFORE DELETE OR UPDATE ON delivery
            FOR EACH ROW EXECUTE FUNCTION refuse();";
    client.batch_execute(sql).await.unwrap();
}

async fn is_stored(store: &dyn Store, number: u64) -> bool {
    stored_message(store, number).await.is_some()
}

/// Appends three messages of a day for endpoint 1, which are delivered. The second one is pending
/// for endpoint 2.
async fn append_day(store: &PostgresStore, day: u64) {
    let first = day * DAY_MILLIS;
    let short = |number| Message { body_until: at(number + DAY_MILLIS), ..message(number) };
    let hold = Hold::Leased(NOW + 90 * DAY);
    let batch = vec![
        new(short(first), &[1], hold),
        new(message(first + 1), &[1, 2], Hold::Free(at(first + 1))),
        new(short(first + 2), &[1], hold),
    ];
    store.append(batch).await.unwrap();
    for number in 0..3 {
        deliver(store, first + number, fresh(1, first + number)).await;
    }
}

#[tokio::test]
async fn day_partitions_are_created_ahead() {
    let schema = Schema::create().await;
    let store = schema.open().await;
    let client = schema.client().await;
    let today: String = client
        .query_one("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD')", &[])
        .await
        .unwrap()
        .get(0);
    for table in ["message", "attempt", "delivery"] {
        // A node creates the partition of today before it stores anything.
        assert_eq!(row_count(&client, &format!("{table}_{today}")).await, 0);
    }
    expire(&store, at(0), ONE_DAY).await;
    for table in ["message", "attempt", "delivery"] {
        assert_eq!(days(&client, table).await, DAYS);
    }
    drop(store);
    schema.remove().await;
}

#[tokio::test]
async fn whole_days_are_dropped_and_pending_deliveries_are_kept() {
    let schema = Schema::create().await;
    let (store, client) = (schema.open().await, schema.client().await);
    expire(&store, at(0), ONE_DAY).await;
    set_up(&store).await;
    for day in 0..4 {
        append_day(&store, day).await;
    }
    assert_eq!(row_count(&client, "message_rest").await, 0);
    forbid_changes(&client).await;
    // At 22:13 the day before yesterday ended more than a day ago.
    expire(&store, at(3 * DAY_MILLIS), ONE_DAY).await;
    for table in ["message", "attempt", "delivery"] {
        assert_eq!(days(&client, table).await[0], "20231116", "{table}");
    }
    for day in [0, 1] {
        let first = day * DAY_MILLIS;
        assert!(!is_stored(&store, first).await && !is_stored(&store, first + 2).await);
        assert!(is_stored(&store, first + 1).await);
    }
    assert!(is_stored(&store, 2 * DAY_MILLIS).await);
    assert_eq!(
        (row_count(&client, "message_rest").await, row_count(&client, "delivery_rest").await),
        (2, 2)
    );
    let kept = [(1, StatusKind::Pending, 0), (DAY_MILLIS + 1, StatusKind::Pending, 0)];
    assert_eq!(delivery_states(&store, 2).await[..2], kept);
    let delivered = [1, DAY_MILLIS + 1, 2 * DAY_MILLIS].map(|it| (it, StatusKind::Delivered, 1));
    assert_eq!(delivery_states(&store, 1).await[..3], delivered);
    let offered = claimed(&store, claim_at(at(3 * DAY_MILLIS))).await;
    assert_eq!(offered[..2], [(2, 1, 1), (2, DAY_MILLIS + 1, 1)]);
    let of = AttemptsOf::Message(application_id(1), message_id(1), None);
    let attempts = store.attempts(of, AttemptFilter::default(), all()).await.unwrap();
    assert_eq!(attempts.items, []);
    drop(store);
    schema.remove().await;
}

#[tokio::test]
async fn kept_messages_are_removed_when_their_deliveries_have_ended() {
    let schema = Schema::create().await;
    let (store, client) = (schema.open().await, schema.client().await);
    expire(&store, at(0), ONE_DAY).await;
    set_up(&store).await;
    let named = Message { event_id: Some("e".parse().unwrap()), ..message(1) };
    store.append(vec![new(named.clone(), &[1, 2], Hold::Free(at(1)))]).await.unwrap();
    deliver(&store, 1, fresh(1, 1)).await;
    expire(&store, at(3 * DAY_MILLIS), ONE_DAY).await;
    let event_id = IdOrUid::Uid("e".parse().unwrap());
    assert_eq!(store.message(application_id(1), &event_id).await.unwrap(), Some(named));
    deliver(&store, 2, fresh(2, 1)).await;
    expire(&store, at(3 * DAY_MILLIS + 60_000), ONE_DAY).await;
    assert!(!is_stored(&store, 1).await);
    for table in ["message", "delivery", "event_id"] {
        assert_eq!(row_count(&client, table).await, 0, "{table}");
    }
    drop(store);
    schema.remove().await;
}

#[tokio::test]
async fn rows_stored_before_their_partition_exists_stay_in_the_default_partition() {
    let schema = Schema::create().await;
    let (store, client) = (schema.open().await, schema.client().await);
    set_up(&store).await;
    append_day(&store, 1).await;
    expire(&store, at(0), ONE_DAY).await;
    let mut others = DAYS.to_vec();
    others.remove(1);
    assert_eq!(days(&client, "message").await, others);
    assert!(is_stored(&store, DAY_MILLIS).await);
    assert_eq!(claimed(&store, claim_at(at(2 * DAY_MILLIS))).await, [(2, DAY_MILLIS + 1, 1)]);
    drop(store);
    schema.remove().await;
}

#[tokio::test]
async fn a_day_that_is_being_read_is_dropped_later() {
    let schema = Schema::create().await;
    let (store, client) = (schema.open().await, schema.client().await);
    expire(&store, at(0), ONE_DAY).await;
    set_up(&store).await;
    append_day(&store, 0).await;
    client.batch_execute("BEGIN; SELECT count(*) FROM message_20231114").await.unwrap();
    expire(&store, at(3 * DAY_MILLIS), ONE_DAY).await;
    assert!(is_stored(&store, 0).await);
    client.batch_execute("COMMIT").await.unwrap();
    expire(&store, at(3 * DAY_MILLIS + 60_000), ONE_DAY).await;
    assert!(!is_stored(&store, 0).await);
    drop(store);
    schema.remove().await;
}

#[tokio::test]
async fn two_nodes_can_expire_history_at_the_same_time() {
    let schema = Schema::create().await;
    let (one, other, client) = (schema.open().await, schema.open().await, schema.client().await);
    set_up(&one).await;
    let batch = |numbers: std::ops::Range<u64>| {
        let short = |number| Message {
            body_until: at(5_000),
            event_id: Some(format!("e{number}").parse().unwrap()),
            ..message(number)
        };
        numbers.map(|it| new(short(it), &[1, 2], Hold::Free(at(it)))).collect::<Vec<_>>()
    };
    // One half is in the default partition, the other half in day partitions.
    one.append(batch(0..1_500)).await.unwrap();
    tokio::join!(expire(&one, at(0), ONE_DAY), expire(&other, at(0), ONE_DAY));
    for day in 1..3 {
        let first = day * DAY_MILLIS;
        one.append(batch(first..first + 700)).await.unwrap();
    }
    tokio::join!(expire(&one, at(60_000), ONE_DAY), expire(&other, at(60_000), ONE_DAY));
    assert_eq!(row_count(&client, "queue").await, 0);
    tokio::join!(
        expire(&one, at(9 * DAY_MILLIS), ONE_DAY),
        expire(&other, at(9 * DAY_MILLIS), ONE_DAY)
    );
    // A node may skip a partition that the other one has locked, and retries later.
    expire(&one, at(9 * DAY_MILLIS + 60_000), ONE_DAY).await;
    expire(&one, at(9 * DAY_MILLIS + 120_000), ONE_DAY).await;
    for table in ["message", "delivery", "event_id"] {
        assert_eq!(row_count(&client, table).await, 0, "{table}");
    }
    assert_eq!(days(&client, "message").await[0], "20231123");
    drop((one, other));
    schema.remove().await;
}

#[tokio::test]
async fn a_message_appended_while_its_partition_is_created_is_stored() {
    let schema = Schema::create().await;
    let store = schema.open().await;
    set_up(&store).await;
    let maker = schema.client().await;
    maker.batch_execute("BEGIN; LOCK TABLE message_rest IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let creation = async {
        let waits = "SELECT count(*) FROM pg_locks
            WHERE relation = 'message_rest'::regclass AND NOT granted";
        while count(&maker, waits).await == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let day = "CREATE TABLE message_20231114 (LIKE message INCLUDING ALL);
            ALTER TABLE message ATTACH PARTITION message_20231114 FOR VALUES FROM ('018bcb20-b400-0000-0000-000000000000') TO ('018bd047-1000-0000-0000-000000000000'); COMMIT";
        maker.batch_execute(day).await.unwrap();
    };
    let creation = tokio::time::timeout(Duration::from_secs(20), creation);
    let (appended, created) = tokio::join!(store.append(vec![leased(1, &[1])]), creation);
    created.unwrap();
    assert_eq!(appended.unwrap(), [postrider_store::AppendOutcome::New]);
    assert_eq!(row_count(&maker, "message_20231114").await, 1);
    drop(store);
    schema.remove().await;
}
