//! Days of history in PostgreSQL: made ahead, dropped whole, by any number of nodes.

use std::time::Duration;

use postrider_core::message::Message;
use postrider_store::{
    AttemptFilter, AttemptsOf, Deliveries, History, Hold, IdOrUid, Idempotency, KeyReservation,
    Maintenance, PostgresStore, StatusKind, Store,
};
use tokio_postgres::Client;

use crate::{database::Schema, fixture::*};

const DAY_MILLIS: u64 = 24 * 60 * 60 * 1_000;

/// The day on which everything begins, with seven more.
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

async fn count(client: &Client, table: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {table}");
    client.query_one(&sql, &[]).await.unwrap().get(0)
}

/// From now on a row of history that is removed or changed alone is an error.
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

async fn known(store: &dyn Store, number: u64) -> bool {
    let named = IdOrUid::Id(message_id(number));
    store.message(application_id(1), &named).await.unwrap().is_some()
}

/// A day's messages for endpoint 1, all delivered but for the second one, whose delivery to
/// endpoint 2 is still to be made.
async fn one_day(store: &PostgresStore, day: u64) {
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
async fn days_are_made_ahead() {
    let schema = Schema::create().await;
    let store = schema.open().await;
    let client = schema.client().await;
    let today: String = client
        .query_one("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD')", &[])
        .await
        .unwrap()
        .get(0);
    for table in ["message", "attempt", "delivery"] {
        // A node has one for today before it takes anything.
        assert_eq!(count(&client, &format!("{table}_{today}")).await, 0);
    }
    expire(&store, at(0), ONE_DAY).await;
    for table in ["message", "attempt", "delivery"] {
        assert_eq!(days(&client, table).await, DAYS);
    }
    drop(store);
    schema.remove().await;
}

#[tokio::test]
async fn history_goes_by_whole_days_and_what_is_pending_stays() {
    let schema = Schema::create().await;
    let (store, client) = (schema.open().await, schema.client().await);
    expire(&store, at(0), ONE_DAY).await;
    set_up(&store).await;
    for day in 0..4 {
        one_day(&store, day).await;
    }
    assert_eq!(count(&client, "message_rest").await, 0);
    forbid_changes(&client).await;
    // At 22:13 the day before yesterday is over for more than a day.
    expire(&store, at(3 * DAY_MILLIS), ONE_DAY).await;
    for table in ["message", "attempt", "delivery"] {
        assert_eq!(days(&client, table).await[0], "20231116", "{table}");
    }
    for day in [0, 1] {
        let first = day * DAY_MILLIS;
        assert!(!known(&store, first).await && !known(&store, first + 2).await);
        assert!(known(&store, first + 1).await);
    }
    assert!(known(&store, 2 * DAY_MILLIS).await);
    assert_eq!(
        (count(&client, "message_rest").await, count(&client, "delivery_rest").await),
        (2, 2)
    );
    let kept = [(1, StatusKind::Pending, 0), (DAY_MILLIS + 1, StatusKind::Pending, 0)];
    assert_eq!(standings(&store, 2).await[..2], kept);
    let delivered = [1, DAY_MILLIS + 1, 2 * DAY_MILLIS].map(|it| (it, StatusKind::Delivered, 1));
    assert_eq!(standings(&store, 1).await[..3], delivered);
    let offered = claimed(&store, claim_at(at(3 * DAY_MILLIS))).await;
    assert_eq!(offered[..2], [(2, 1, 1), (2, DAY_MILLIS + 1, 1)]);
    let of = AttemptsOf::Message(application_id(1), message_id(1), None);
    let attempts = store.attempts(of, AttemptFilter::default(), all()).await.unwrap();
    assert_eq!(attempts.items, []);
    drop(store);
    schema.remove().await;
}

#[tokio::test]
async fn what_was_kept_goes_when_it_has_ended() {
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
    assert!(!known(&store, 1).await);
    for table in ["message", "delivery", "event_id"] {
        assert_eq!(count(&client, table).await, 0, "{table}");
    }
    drop(store);
    schema.remove().await;
}

#[tokio::test]
async fn rows_that_came_before_their_partition_stay_where_they_are() {
    let schema = Schema::create().await;
    let (store, client) = (schema.open().await, schema.client().await);
    set_up(&store).await;
    one_day(&store, 1).await;
    expire(&store, at(0), ONE_DAY).await;
    let mut others = DAYS.to_vec();
    others.remove(1);
    assert_eq!(days(&client, "message").await, others);
    assert!(known(&store, DAY_MILLIS).await);
    assert_eq!(claimed(&store, claim_at(at(2 * DAY_MILLIS))).await, [(2, DAY_MILLIS + 1, 1)]);
    drop(store);
    schema.remove().await;
}

#[tokio::test]
async fn a_day_that_somebody_reads_is_dropped_later() {
    let schema = Schema::create().await;
    let (store, client) = (schema.open().await, schema.client().await);
    expire(&store, at(0), ONE_DAY).await;
    set_up(&store).await;
    one_day(&store, 0).await;
    client.batch_execute("BEGIN; SELECT count(*) FROM message_20231114").await.unwrap();
    expire(&store, at(3 * DAY_MILLIS), ONE_DAY).await;
    assert!(known(&store, 0).await);
    client.batch_execute("COMMIT").await.unwrap();
    expire(&store, at(3 * DAY_MILLIS + 60_000), ONE_DAY).await;
    assert!(!known(&store, 0).await);
    drop(store);
    schema.remove().await;
}

#[tokio::test]
async fn nodes_do_not_get_into_each_others_way() {
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
    // Half of it is in the rest, the other half in partitions.
    one.append(batch(0..1_500)).await.unwrap();
    tokio::join!(expire(&one, at(0), ONE_DAY), expire(&other, at(0), ONE_DAY));
    for day in 1..3 {
        let first = day * DAY_MILLIS;
        one.append(batch(first..first + 700)).await.unwrap();
    }
    tokio::join!(expire(&one, at(60_000), ONE_DAY), expire(&other, at(60_000), ONE_DAY));
    assert_eq!(count(&client, "queue").await, 0);
    tokio::join!(
        expire(&one, at(9 * DAY_MILLIS), ONE_DAY),
        expire(&other, at(9 * DAY_MILLIS), ONE_DAY)
    );
    // One may leave a partition to the other, and come back for what was in it.
    expire(&one, at(9 * DAY_MILLIS + 60_000), ONE_DAY).await;
    expire(&one, at(9 * DAY_MILLIS + 120_000), ONE_DAY).await;
    for table in ["message", "delivery", "event_id"] {
        assert_eq!(count(&client, table).await, 0, "{table}");
    }
    assert_eq!(days(&client, "message").await[0], "20231123");
    drop((one, other));
    schema.remove().await;
}

#[tokio::test]
async fn a_key_is_taken_from_a_node_that_does_not_answer() {
    let schema = Schema::create().await;
    let (one, other) = (schema.open().await, schema.open().await);
    let reserve = async |store: &PostgresStore, fingerprint, now| {
        store.reserve_key([1; 32], [fingerprint; 32], now).await.unwrap()
    };
    let late = NOW + Duration::from_secs(60);
    assert_eq!(reserve(&one, 1, NOW).await, KeyReservation::Acquired);
    assert_eq!(reserve(&one, 1, late).await, KeyReservation::InProgress);
    assert_eq!(reserve(&other, 1, NOW).await, KeyReservation::InProgressElsewhere);
    assert_eq!(reserve(&other, 2, NOW).await, KeyReservation::InProgressElsewhere);
    assert_eq!(reserve(&other, 2, late).await, KeyReservation::Acquired);
    // It is not theirs any more who had it at first.
    one.complete_key([1; 32], None, late).await.unwrap();
    assert_eq!(reserve(&one, 2, late).await, KeyReservation::InProgressElsewhere);
    other.close().await.unwrap();
    assert_eq!(reserve(&one, 3, late).await, KeyReservation::Acquired);
    one.complete_key([1; 32], Some(vec![4]), late).await.unwrap();
    assert_eq!(reserve(&one, 3, late).await, KeyReservation::Completed(vec![4]));
    drop((one, other));
    schema.remove().await;
}

#[tokio::test]
async fn a_message_on_its_way_while_its_day_is_made_is_stored() {
    let schema = Schema::create().await;
    let store = schema.open().await;
    set_up(&store).await;
    let maker = schema.client().await;
    maker.batch_execute("BEGIN; LOCK TABLE message_rest IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let made = async {
        let waits = "SELECT count(*) FROM pg_locks
            WHERE relation = 'message_rest'::regclass AND NOT granted";
        while maker.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let day = "CREATE TABLE message_20231114 (LIKE message INCLUDING ALL);
            ALTER TABLE message ATTACH PARTITION message_20231114 FOR VALUES FROM ('018bcb20-b400-0000-0000-000000000000') TO ('018bd047-1000-0000-0000-000000000000'); COMMIT";
        maker.batch_execute(day).await.unwrap();
    };
    let made = tokio::time::timeout(Duration::from_secs(20), made);
    let (appended, made) = tokio::join!(store.append(vec![leased(1, &[1])]), made);
    made.unwrap();
    assert_eq!(appended.unwrap(), [postrider_store::AppendOutcome::New]);
    assert_eq!(count(&maker, "message_20231114").await, 1);
    drop(store);
    schema.remove().await;
}
