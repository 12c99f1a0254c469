//! How PostgreSQL carries out the hot statements: a lost index is a failing test, and so is a
//! scan of a whole table.
//!
//! A plan is told by the scans and sorts in it, each once, with the partitions of a table under
//! the table's name.

mod batch;

use std::{collections::BTreeSet, fmt::Write};

use postrider_core::time::Timestamp;
use serde_json::Value;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

use super::{
    PostgresOptions, PostgresStore, append, claim, ending, expire, keys, lane, reading, settle,
    sources,
};
use crate::{Maintenance, Retention};

const DAY: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);

/// The days that have rows.
const DAYS: [&str; 4] = ["20231114", "20231115", "20231116", "20231117"];

/// The tables that have more than a handful of rows.
const FILLED: [&str; 11] = [
    "application",
    "endpoint",
    "message",
    "attempt",
    "delivery",
    "queue",
    "lane",
    "event_id",
    "idempotency",
    "source",
    "rejection",
];

/// A filled schema.
struct Database {
    client: Client,
    schema: String,
}

impl Database {
    async fn create() -> Self {
        let db = Self::bare("plans", "").await;
        for statement in include_str!("plans/fill.sql").split_inclusive(";\n") {
            db.client.batch_execute(statement).await.unwrap();
        }
        db
    }

    /// One without rows, and a connection with these settings.
    async fn bare(name: &str, settings: &str) -> Self {
        let schema = format!("{name}_{}", std::process::id());
        let client = connect(settings).await;
        let sql = format!(
            "DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema};
            SET search_path = {schema}"
        );
        client.batch_execute(&sql).await.unwrap();
        let separator = if server().contains('?') { '&' } else { '?' };
        let url = format!("{}{separator}options=-csearch_path%3D{schema}", server());
        let options = PostgresOptions { url, connections: 1, ..PostgresOptions::default() };
        let store = PostgresStore::open(options).await.unwrap();
        let retention =
            Retention { rows: 30 * DAY, idempotency: DAY, digests: DAY, rejections: DAY };
        let today = Timestamp::from_millis(1_700_000_000_000);
        while store.expire(today, retention).await.unwrap() {}
        store.close().await.unwrap();
        Self { client, schema }
    }

    /// The plan of a statement for any values, or for these.
    async fn plan(&self, sql: &str, values: &str, mode: &str) -> Plan {
        let (types, values) = split(values);
        let sql = format!("SET plan_cache_mode = {mode}; PREPARE it{types} AS {sql}");
        self.client.batch_execute(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        let explained = self.explain("COSTS OFF", &format!("it{values}")).await;
        self.client.batch_execute("DEALLOCATE it").await.unwrap();
        let mut plan = Plan::default();
        plan.tell(&explained);
        plan
    }

    /// The plan of a prepared statement with its values.
    async fn explain(&self, options: &str, execution: &str) -> Value {
        let explain = format!("EXPLAIN ({options}, FORMAT JSON) EXECUTE {execution}");
        let answer = self.client.simple_query(&explain).await;
        let answer = answer.unwrap_or_else(|error| panic!("{explain}: {error:?}"));
        let text = answer
            .iter()
            .find_map(|it| if let SimpleQueryMessage::Row(row) = it { row.get(0) } else { None });
        let mut explained: Value = serde_json::from_str(text.unwrap()).unwrap();
        explained[0]["Plan"].take()
    }

    async fn remove(self) {
        let sql = format!("DROP SCHEMA {} CASCADE", self.schema);
        // The server's own vacuum may be at its tables; what is left is in nobody's way.
        drop(self.client.batch_execute(&sql).await);
    }
}

#[expect(clippy::disallowed_methods, reason = "the connection ends with its client")]
async fn connect(settings: &str) -> Client {
    let mut config: Config = server().parse().unwrap();
    let (client, connection) = config.options(settings).connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

#[expect(clippy::disallowed_methods, reason = "tests have no configuration")]
fn server() -> String {
    std::env::var("POSTRIDER_TEST_POSTGRES").expect("POSTRIDER_TEST_POSTGRES names a server")
}

/// The types of values such as `1::bigint, '{}'::uuid[]`, and the values themselves.
fn split(values: &str) -> (String, String) {
    if values.is_empty() {
        return (String::new(), String::new());
    }
    let types: Vec<_> = values.split(", ").map(|it| it.rsplit("::").next().unwrap()).collect();
    (format!(" ({})", types.join(", ")), format!(" ({values})"))
}

/// The scans and sorts of a plan.
#[derive(Default)]
struct Plan {
    lines: Vec<String>,
    /// Tables and partitions that are read from one end to the other.
    whole: BTreeSet<String>,
}

impl Plan {
    fn tell(&mut self, node: &Value) {
        let text = |key: &str| node[key].as_str().unwrap_or_default();
        let kind = text("Node Type");
        let table = text("Relation Name");
        let line = match kind {
            "Index Scan" | "Index Only Scan" | "Bitmap Index Scan" => {
                format!("{kind} {} {}", bare(text("Index Name")), columns(text("Index Cond")))
            },
            "Seq Scan" => format!("{kind} {}", bare(table)),
            "Tid Scan" => format!("{kind} {} {}", bare(table), columns(text("TID Cond"))),
            "Sort" | "Incremental Sort" => format!("{kind} {}", keys_of(node)),
            _ => String::new(),
        };
        if kind == "Seq Scan" && FILLED.contains(&bare(table).as_str()) {
            self.whole.insert(table.to_owned());
        }
        // The rest has two indexes that are as good as each other for one id.
        let is_tie = text("Index Name").contains("_rest_")
            && (line.contains("id =") || line.contains("message ="));
        if !line.is_empty() && !is_tie && self.lines.last() != Some(&line) {
            self.lines.push(line);
        }
        for child in node["Plans"].as_array().into_iter().flatten() {
            self.tell(child);
        }
    }
}

/// A table or a day that has rows.
fn is_filled(table: &str) -> bool {
    DAYS.iter().any(|day| table.ends_with(day)) || !table.ends_with(|it: char| it.is_ascii_digit())
}

fn keys_of(node: &Value) -> String {
    let keys = node["Sort Key"].as_array().into_iter().flatten();
    keys.filter_map(Value::as_str).map(column).collect::<Vec<_>>().join(", ")
}

/// The name without the day of its partition.
fn bare(name: &str) -> String {
    let is_day = |part: &&str| part.len() == 8 && part.bytes().all(|it| it.is_ascii_digit());
    name.split('_').filter(|part| *part != "rest" && !is_day(part)).collect::<Vec<_>>().join("_")
}

/// The columns that a condition is about, with what each has to do.
fn columns(condition: &str) -> String {
    let parts: Vec<_> = condition
        .split(" AND ")
        .map(|part| {
            let mut words = part.trim_matches(['(', ')']).splitn(3, ' ');
            let (left, sign) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            format!("{} {sign}", column(left))
        })
        .collect();
    format!("({})", parts.join(", "))
}

/// The column's name without its table's, which may have a day in it.
fn column(name: &str) -> String {
    name.rsplit('.').next().unwrap_or_default().trim_matches(['(', ')']).to_owned()
}

const ID: &str = "'018bcfe5-6801-7000-8000-000000000001'::uuid";
const FIRST: &str = "'018b0000-0000-0000-0000-000000000000'::uuid";
const LAST: &str = "'018c0000-0000-0000-0000-000000000000'::uuid";
const IDS: &str =
    "'{018bcfe5-6801-7000-8000-000000000001,018bcfe5-6802-7000-8000-000000000002}'::uuid[]";

/// Names, statements, and values for them, in words for those of the ids.
#[rustfmt::skip]
const HOT: &[(&str, &str, &str)] = &[
    ("append", append::INSERT, "IDS, IDS, '{a,b}'::text[], '{a,b}'::text[], '{1,2}'::int[], '{1,2}'::int[], IDS, '{a,b}'::bytea[], '{a,b}'::bytea[], '{1,2}'::bigint[], '{1,2}'::int[], '{1,2}'::bigint[], '{1,2}'::bigint[], '{1,2}'::bigint[], '{1,2}'::smallint[], '{1,2}'::bigint[]"),
    ("append.keyed", append::INSERT_KEYED, "IDS, IDS, '{a,b}'::text[], '{a,b}'::text[], '{1,2}'::int[], '{1,2}'::int[], IDS, '{a,b}'::bytea[], '{a,b}'::bytea[], '{1,2}'::bigint[], '{1,2}'::int[], '{1,2}'::bigint[], '{1,2}'::bigint[], '{1,2}'::bigint[], '{1,2}'::smallint[], '{1,2}'::bigint[], '{a,b}'::bytea[]"),
    ("append.look", append::LOOK, "'{1,2}'::bigint[], IDS, IDS, '{a,b}'::bytea[], '{a,b}'::text[]"),
    ("settle.end", settle::END, "IDS, IDS, IDS, IDS, '{1,2}'::smallint[], '{f,f}'::boolean[], '{1,2}'::smallint[], '{a,b}'::bytea[], '{a,b}'::bytea[], '{1,2}'::smallint[], '{1,2}'::bigint[], '{f,f}'::boolean[], 1::bigint"),
    ("settle.move", settle::MOVE, "IDS, IDS, IDS, IDS, '{1,2}'::smallint[], '{f,f}'::boolean[], '{1,2}'::smallint[], '{a,b}'::bytea[], '{a,b}'::bytea[], '{1,2}'::smallint[], '{1,2}'::bigint[], '{f,f}'::boolean[], 1::bigint"),
    ("settle.record", settle::RECORD, "IDS, IDS, IDS, IDS, '{1,2}'::smallint[], '{f,f}'::boolean[], '{1,2}'::smallint[], '{a,b}'::bytea[], '{a,b}'::bytea[]"),
    ("lane.rise", lane::RISE, "IDS, IDS, '{1,2}'::bigint[], '{1,2}'::smallint[], '{1,2}'::bigint[], 1::bigint"),
    ("lane.lock", lane::LOCK, "IDS, IDS"),
    ("lane.refresh", lane::REFRESH, "IDS, IDS"),
    ("claim.lease_end", claim::LEASE_END, ""),
    ("claim.end_leases", claim::END_LEASES, "1600000000000::bigint, 1000::bigint"),
    ("claim.next_lane", claim::NEXT_LANE, "1::bigint, IDS, 1::bigint, 0::bigint, true::boolean, IDS"),
    ("claim.lock_lanes", claim::LOCK_LANES, "1700000000100::bigint, 1::bigint, IDS, 1::bigint, 0::bigint, 500::bigint, true::boolean, IDS"),
    ("claim.take", claim::TAKE, "'{1,2}'::bigint[], IDS, IDS, '{1,2}'::bigint[], 1700000000100::bigint, 500::bigint, 1::bigint, 1700000000100::bigint"),
    ("claim.heads", claim::HEADS, "'{1,2}'::bigint[], IDS, IDS, '{1,2}'::bigint[], 1700000000100::bigint"),
    ("claim.take_heads", claim::TAKE_HEADS, "'{1,2}'::bigint[], IDS, IDS, IDS, 1700000000100::bigint, 1::bigint, 1700000000100::bigint"),
    ("claim.messages", claim::MESSAGES, "IDS, IDS, FIRST, LAST"),
    ("claim.release", claim::RELEASE, "IDS, IDS, IDS, '{1,2}'::bigint[], 1::bigint"),
    ("ending.cancel_application", ending::CANCEL_APPLICATION, "ID, NULL::uuid, NULL::uuid, 5000::bigint"),
    ("ending.cancel_endpoint", ending::CANCEL_ENDPOINT, "ID, ID, NULL::uuid, 5000::bigint"),
    ("ending.cancel_message", ending::CANCEL_MESSAGE, "ID, NULL::uuid, ID, 5000::bigint"),
    ("ending.expunge_attempt", ending::EXPUNGE_ATTEMPT, "ID, ID, ID"),
    ("ending.failed", ending::FAILED, "ID, ID, ID, FIRST, LAST, 500::bigint"),
    ("reading.message", reading::MESSAGE, "ID, ID"),
    ("reading.event_id", reading::EVENT_ID, "ID, 'a'::text"),
    ("reading.attempt", reading::ATTEMPT, "ID, ID, ID"),
    ("reading.messages_by_id", reading::MESSAGES_BY_ID, "ID, IDS"),
    ("reading.attempts_by_id", reading::ATTEMPTS_BY_ID, "ID, IDS, IDS"),
    ("reading.messages_up", reading::MESSAGES_UP, "ID, FIRST, LAST, 51::bigint"),
    ("reading.messages_down", reading::MESSAGES_DOWN, "ID, FIRST, LAST, 51::bigint"),
    ("reading.attempts_up", reading::ATTEMPTS_UP, "ID, ID, FIRST, LAST, 51::bigint"),
    ("reading.attempts_down", reading::ATTEMPTS_DOWN, "ID, ID, FIRST, LAST, 51::bigint"),
    ("reading.deliveries_up", reading::DELIVERIES_UP, "ID, ID, FIRST, LAST, 51::bigint"),
    ("reading.deliveries_down", reading::DELIVERIES_DOWN, "ID, ID, FIRST, LAST, 51::bigint"),
    ("reading.pending_up", reading::PENDING_UP, "ID, ID, FIRST, LAST, 51::bigint"),
    ("reading.pending_down", reading::PENDING_DOWN, "ID, ID, FIRST, LAST, 51::bigint"),
    ("reading.open_up", reading::OPEN_UP, "ID, ID, FIRST, LAST, 51::bigint, 2::smallint"),
    ("reading.open_down", reading::OPEN_DOWN, "ID, ID, FIRST, LAST, 51::bigint, 2::smallint"),
    ("reading.standings", reading::STANDINGS, "ID, ID"),
    ("reading.stats", reading::STATS, "ID, ID, FIRST, LAST"),
    ("reading.waiting", reading::WAITING, "10000::bigint"),
    ("reading.backlog", reading::BACKLOG, "ID, 10000::bigint"),
    ("reading.oldest", reading::OLDEST, ""),
    ("keys.reserve", keys::RESERVE, "'a'::bytea, 'a'::bytea, 1::bigint, 1::bigint, 1::bigint"),
    ("expire.bodies", expire::BODIES, "1600000000000::bigint, FIRST"),
    ("expire.bodies_of_rest", expire::BODIES_OF_REST, "1600000000000::bigint"),
    ("expire.remove_bodies", expire::REMOVE_BODIES, "IDS, IDS"),
    ("expire.cancel", expire::CANCEL, "IDS, IDS, IDS"),
    ("expire.end_paused", expire::END_PAUSED, "FIRST, 5000::bigint"),
    ("expire.messages", expire::FORGET_MESSAGES, "FIRST"),
    ("expire.sent", expire::FORGET_SENT, "IDS, IDS, IDS"),
    ("expire.names", expire::FORGET_NAMES, "IDS, '{a,b}'::text[], IDS"),
    ("expire.attempts", expire::FORGET_ATTEMPTS, "FIRST"),
    ("expire.deliveries", expire::FORGET_DELIVERIES, "FIRST"),
    ("expire.event_ids", expire::FORGET_EVENT_IDS, "FIRST"),
    ("expire.digests", expire::FORGET_DIGESTS, "FIRST"),
    ("expire.rejections", expire::FORGET_REJECTIONS, "1600000000000::bigint"),
    ("expire.answers", expire::FORGET_ANSWERS, "1600000000000::bigint"),
    ("sources.by_token", sources::SOURCE_BY_TOKEN, "'a'::bytea"),
    ("sources.forget", sources::FORGET, "ID"),
    ("sources.forget_of", sources::FORGET_OF, "ID"),
    ("sources.remove_of", sources::REMOVE_OF, "ID"),
    ("sources.reject", sources::REJECT, "IDS, IDS, '{1,2}'::bigint[], '{a,b}'::bytea[]"),
    ("sources.forget_surplus", sources::FORGET_SURPLUS, "IDS, 1000::bigint"),
    ("sources.rejections_up", sources::REJECTIONS_UP, "ID, FIRST, 51::bigint"),
    ("sources.rejections_down", sources::REJECTIONS_DOWN, "ID, LAST, 51::bigint"),
];

#[tokio::test]
async fn hot_statements_walk_along_their_keys() {
    let db = Database::create().await;
    let mut told = String::new();
    let mut scans = Vec::new();
    for (name, sql, values) in HOT {
        let word = |it: &str| match it {
            "ID" => ID.to_owned(),
            "FIRST" => FIRST.to_owned(),
            "LAST" => LAST.to_owned(),
            "IDS" => IDS.to_owned(),
            other => other.to_owned(),
        };
        let values = values.split(", ").map(word).collect::<Vec<_>>().join(", ");
        let general = db.plan(sql, &values, "force_generic_plan").await;
        writeln!(told, "{name}\n    {}", general.lines.join("\n    ")).unwrap();
        let mut special = db.plan(sql, &values, "force_custom_plan").await;
        // A plan that is made anew each time may read what is empty at the time.
        special.whole.retain(|table| is_filled(table));
        if !(general.whole.is_empty() && special.whole.is_empty()) {
            scans.push(format!("{name}: {:?} {:?}", general.whole, special.whole));
        }
    }
    db.remove().await;
    insta::assert_snapshot!("hot", told);
    assert!(scans.is_empty(), "{}", scans.join("\n"));
}
