//! How PostgreSQL executes the hot statements: a lost index is a failing test, and so is a scan of
//! a whole table.
//!
//! The snapshot of a plan lists its scans and sorts, each once, with the partitions of a table under
//! the table's name.

mod batch;

use std::{collections::BTreeSet, fmt::Write};

use postrider_core::time::Timestamp;
use serde_json::Value;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

use super::{
    audit, catalog,
    deliveries::{append, cancel, claim, recover, release, reschedule, settle},
    history::{
        attempts, deliveries as history_deliveries, expunge, fetch, messages, sequence, states,
        statistics,
    },
    idempotency, lane,
    maintenance::{expire, size},
    options::PostgresOptions,
    rejections, search,
    statistics::{self as rollups, fold, read, remove},
    store::PostgresStore,
    tasks::{self, effect},
};
use crate::contract::maintenance::{Maintenance, Retention};

const DAY: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);

/// The days that have rows.
const DAYS: [&str; 4] = ["20231114", "20231115", "20231116", "20231117"];

/// The tables that have more than a handful of rows.
const FILLED: [&str; 16] = [
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
    "dead_letter",
    "audit_log",
    "api_key",
    "rollup",
    "task",
];

/// A schema with rows.
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

    /// A schema without rows, and a connection with these settings.
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
        let retention = Retention {
            rows: 30 * DAY,
            idempotency: DAY,
            digests: DAY,
            rejections: DAY,
            audit_log: DAY,
        };
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
        plan.add(&explained);
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
        // An autovacuum may hold its tables; a schema that remains does no harm.
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
    fn add(&mut self, node: &Value) {
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
        // The default partition has two indexes that are equally good for one id.
        let is_tie = text("Index Name").contains("_rest_")
            && (line.contains("id =") || line.contains("message ="));
        if !line.is_empty() && !is_tie && self.lines.last() != Some(&line) {
            self.lines.push(line);
        }
        for child in node["Plans"].as_array().into_iter().flatten() {
            self.add(child);
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

/// The columns of a condition, with their operators.
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

/// The name of the column without that of its table, which may contain a day.
fn column(name: &str) -> String {
    name.rsplit('.').next().unwrap_or_default().trim_matches(['(', ')']).to_owned()
}

const ID: &str = "'018bcfe5-6801-7000-8000-000000000001'::uuid";
const FIRST: &str = "'018b0000-0000-0000-0000-000000000000'::uuid";
const LAST: &str = "'018c0000-0000-0000-0000-000000000000'::uuid";
const IDS: &str =
    "'{018bcfe5-6801-7000-8000-000000000001,018bcfe5-6802-7000-8000-000000000002}'::uuid[]";

/// Names, statements and their values; `ID`, `FIRST`, `LAST` and `IDS` stand for ids.
#[rustfmt::skip]
const HOT: &[(&str, &str, &str)] = &[
    ("append", append::INSERT, "IDS, IDS, '{a,b}'::text[], '{a,b}'::text[], '{1,2}'::int[], '{1,2}'::int[], IDS, '{a,b}'::bytea[], '{a,b}'::bytea[], '{1,2}'::bigint[], '{1,2}'::int[], '{1,2}'::bigint[], '{1,2}'::bigint[], '{1,2}'::bigint[], '{1,2}'::smallint[], '{1,2}'::bigint[], IDS, '{1,2}'::bigint[], '{1,2}'::bigint[]"),
    ("append.keyed", append::INSERT_KEYED, "IDS, IDS, '{a,b}'::text[], '{a,b}'::text[], '{1,2}'::int[], '{1,2}'::int[], IDS, '{a,b}'::bytea[], '{a,b}'::bytea[], '{1,2}'::bigint[], '{1,2}'::int[], '{1,2}'::bigint[], '{1,2}'::bigint[], '{1,2}'::bigint[], '{1,2}'::smallint[], '{1,2}'::bigint[], IDS, '{1,2}'::bigint[], '{1,2}'::bigint[], '{a,b}'::bytea[]"),
    ("append.find_known", append::FIND_KNOWN, "'{1,2}'::bigint[], IDS, IDS, '{a,b}'::bytea[], '{a,b}'::text[]"),
    ("settle.end", settle::END, "IDS, IDS, IDS, IDS, '{1,2}'::smallint[], '{f,f}'::boolean[], '{1,2}'::smallint[], '{a,b}'::bytea[], '{a,b}'::bytea[], '{1,2}'::bigint[], '{1,2}'::smallint[], '{1,2}'::bigint[], '{f,f}'::boolean[], 1::bigint"),
    ("settle.move", settle::MOVE, "IDS, IDS, IDS, IDS, '{1,2}'::smallint[], '{f,f}'::boolean[], '{1,2}'::smallint[], '{a,b}'::bytea[], '{a,b}'::bytea[], '{1,2}'::bigint[], '{1,2}'::smallint[], '{1,2}'::bigint[], '{f,f}'::boolean[], 1::bigint"),
    ("settle.record", settle::RECORD, "IDS, IDS, IDS, IDS, '{1,2}'::smallint[], '{f,f}'::boolean[], '{1,2}'::smallint[], '{a,b}'::bytea[], '{a,b}'::bytea[], '{1,2}'::bigint[]"),
    ("lane.mark_due", lane::MARK_DUE, "IDS, IDS, '{1,2}'::bigint[], '{1,2}'::smallint[], '{1,2}'::bigint[], 1::bigint"),
    ("lane.lock", lane::LOCK, "IDS, IDS"),
    ("lane.refresh", lane::REFRESH, "IDS, IDS, '{1,2}'::bigint[]"),
    ("claim.lease_end", claim::LEASE_END, ""),
    ("claim.end_leases", claim::END_LEASES, "1600000000000::bigint, 1000::bigint"),
    ("claim.next_lane", claim::NEXT_LANE, "1::bigint, IDS, 1::bigint, 0::bigint, true::boolean, IDS"),
    ("claim.lock_lanes", claim::LOCK_LANES, "1700000000100::bigint, 1::bigint, IDS, 1::bigint, 0::bigint, 500::bigint, true::boolean, IDS"),
    ("claim.take", claim::TAKE, "'{1,2}'::bigint[], IDS, IDS, '{1,2}'::bigint[], 1700000000100::bigint, 500::bigint, 1::bigint, 1700000000100::bigint, '{1,2}'::bigint[]"),
    ("claim.heads", claim::HEADS, "'{1,2}'::bigint[], IDS, IDS, '{1,2}'::bigint[], 1700000000100::bigint"),
    ("claim.take_heads", claim::TAKE_HEADS, "'{1,2}'::bigint[], IDS, IDS, IDS, 1700000000100::bigint, 1::bigint, 1700000000100::bigint"),
    ("claim.messages", claim::MESSAGES, "IDS, IDS, FIRST, LAST"),
    ("release", release::RELEASE, "IDS, IDS, IDS, '{1,2}'::bigint[], 1::bigint"),
    ("cancel.application", cancel::CANCEL_APPLICATION, "ID, ID, ID, 5000::bigint"),
    ("cancel.endpoint", cancel::CANCEL_ENDPOINT, "ID, ID, ID, 5000::bigint"),
    ("cancel.message", cancel::CANCEL_MESSAGE, "ID, NULL::uuid, ID, 5000::bigint"),
    ("reschedule", reschedule::MOVE_WAITING, "ID, ID, 1::bigint"),
    ("history.expunge_attempt", expunge::EXPUNGE_ATTEMPT, "ID, ID, ID"),
    ("recover.failed", recover::FAILED, "ID, ID, ID, FIRST, LAST, 500::bigint"),
    ("history.message", messages::MESSAGE, "ID, ID"),
    ("history.last_sequence", sequence::LAST, "FIRST"),
    ("history.event_id", messages::EVENT_ID, "ID, 'a'::text"),
    ("history.attempt", attempts::ATTEMPT, "ID, ID, ID"),
    ("history.messages_by_id", fetch::MESSAGES_BY_ID, "ID, IDS"),
    ("history.attempts_by_id", fetch::ATTEMPTS_BY_ID, "ID, IDS, IDS"),
    ("history.messages_up", messages::MESSAGES_UP, "ID, FIRST, LAST, 51::bigint"),
    ("history.messages_down", messages::MESSAGES_DOWN, "ID, FIRST, LAST, 51::bigint"),
    ("history.attempts_up", attempts::ATTEMPTS_UP, "ID, ID, FIRST, LAST, 51::bigint"),
    ("history.attempts_down", attempts::ATTEMPTS_DOWN, "ID, ID, FIRST, LAST, 51::bigint"),
    ("history.deliveries_up", history_deliveries::DELIVERIES_UP, "ID, ID, FIRST, LAST, 51::bigint"),
    ("history.deliveries_down", history_deliveries::DELIVERIES_DOWN, "ID, ID, FIRST, LAST, 51::bigint"),
    ("history.pending_up", history_deliveries::PENDING_UP, "ID, ID, FIRST, LAST, 51::bigint"),
    ("history.pending_down", history_deliveries::PENDING_DOWN, "ID, ID, FIRST, LAST, 51::bigint"),
    ("history.open_up", history_deliveries::OPEN_UP, "ID, ID, FIRST, LAST, 51::bigint, 2::smallint"),
    ("history.open_down", history_deliveries::OPEN_DOWN, "ID, ID, FIRST, LAST, 51::bigint, 2::smallint"),
    ("history.states", states::STATES_OF_MESSAGE, "ID, ID"),
    ("history.stats", statistics::STATS, "ID, ID, FIRST, LAST"),
    ("search.messages_up", search::messages::ALL_UP, "'org'::text, FIRST, LAST, 51::bigint"),
    ("search.messages_down", search::messages::ALL_DOWN, "'org'::text, FIRST, LAST, 51::bigint"),
    ("search.not_delivered_up", search::messages::ENDED_UP, "FIRST, LAST, 51::bigint"),
    ("search.not_delivered_down", search::messages::ENDED_DOWN, "FIRST, LAST, 51::bigint"),
    ("search.attempts_up", search::attempts::ALL_UP, "FIRST, LAST, 51::bigint"),
    ("search.attempts_down", search::attempts::ALL_DOWN, "FIRST, LAST, 51::bigint"),
    ("search.failed_up", search::attempts::FAILED_UP, "FIRST, LAST, 51::bigint"),
    ("search.failed_down", search::attempts::FAILED_DOWN, "FIRST, LAST, 51::bigint"),
    ("search.messages_by_id", search::fetch::MESSAGES, "IDS, IDS, 'org'::text"),
    ("search.lengths", search::fetch::LENGTHS, "IDS, IDS"),
    ("search.bodies", search::fetch::BODIES, "IDS, IDS"),
    ("search.with_ended", search::fetch::WITH_ENDED, "IDS, IDS, 1::smallint"),
    ("search.with_queued", search::fetch::WITH_QUEUED, "IDS, IDS, true::boolean"),
    ("search.attempts_by_id", search::fetch::ATTEMPTS, "IDS, IDS, IDS, true::boolean"),
    ("search.records", search::fetch::RECORDS, "IDS, IDS"),
    ("lookup.event_id", search::lookup::BY_EVENT_ID, "'org'::text, 'a'::text, 10000::bigint, 50::bigint"),
    ("lookup.endpoint", search::lookup::ENDPOINT, "ID, 'org'::text"),
    ("lookup.endpoint_uid", search::lookup::BY_UID, "'org'::text, 'a'::text, 10000::bigint, 50::bigint"),
    ("lookup.endpoint_url", search::lookup::BY_URL, "'a'::text, 'b'::text, 'org'::text, 50::bigint"),
    ("lookup.rejection", search::lookup::REJECTION, "'org'::text, ID, 10000::bigint"),
    ("size.waiting", size::WAITING, "10000::bigint"),
    ("history.backlog", statistics::BACKLOG, "ID, 10000::bigint"),
    ("size.oldest", size::OLDEST, ""),
    ("idempotency.reserve", idempotency::RESERVE, "'a'::bytea, 'a'::bytea, 1::bigint, 1::bigint, 1::bigint"),
    ("expire.bodies", expire::BODIES, "1600000000000::bigint, FIRST"),
    ("expire.bodies_of_rest", expire::BODIES_OF_REST, "1600000000000::bigint"),
    ("expire.remove_bodies", expire::REMOVE_BODIES, "IDS, IDS"),
    ("expire.cancel_without_body", expire::CANCEL_WITHOUT_BODY, "IDS, IDS, IDS"),
    ("expire.cancel_paused", expire::CANCEL_PAUSED, "FIRST, 5000::bigint"),
    ("expire.messages", expire::DELETE_MESSAGES, "FIRST"),
    ("expire.ended", expire::DELETE_ENDED, "IDS, IDS, IDS"),
    ("expire.event_ids_of", expire::DELETE_EVENT_IDS_OF, "IDS, '{a,b}'::text[], IDS"),
    ("expire.attempts", expire::DELETE_ATTEMPTS, "FIRST"),
    ("expire.deliveries", expire::DELETE_DELIVERIES, "FIRST"),
    ("expire.event_ids", expire::DELETE_EVENT_IDS, "FIRST"),
    ("expire.digests", expire::DELETE_DIGESTS, "FIRST"),
    ("expire.rejections", expire::DELETE_REJECTIONS, "1600000000000::bigint"),
    ("expire.dead_letters", expire::DELETE_DEAD_LETTERS, "FIRST"),
    ("expire.tasks", expire::DELETE_TASKS, "FIRST"),
    ("expire.responses", expire::DELETE_RESPONSES, "1600000000000::bigint"),
    ("sources.by_token", catalog::SOURCE_BY_TOKEN, "'a'::bytea"),
    ("sources.forget", catalog::REMOVE_REJECTIONS, "ID"),
    ("sources.forget_of", catalog::REMOVE_REJECTIONS_OF, "ID"),
    ("sources.remove_of", catalog::REMOVE_SOURCES, "ID"),
    ("dead_letters.count", catalog::COUNT_DEAD_LETTERS, "ID, 10000::bigint"),
    ("api_keys.by_digest", catalog::API_KEY_BY_DIGEST, "'a'::bytea"),
    ("audit.all_up", audit::ALL_UP, "'org_1'::text, ''::text, FIRST, LAST, 501::bigint"),
    ("audit.all_down", audit::ALL_DOWN, "'org_1'::text, ''::text, FIRST, LAST, 501::bigint"),
    ("audit.record_up", audit::RECORD_UP, "'org_1'::text, 'ep_1'::text, FIRST, LAST, 501::bigint"),
    ("audit.record_down", audit::RECORD_DOWN, "'org_1'::text, 'ep_1'::text, FIRST, LAST, 501::bigint"),
    ("audit.principal_up", audit::PRINCIPAL_UP, "'org_1'::text, 'key_1'::text, FIRST, LAST, 501::bigint"),
    ("audit.principal_down", audit::PRINCIPAL_DOWN, "'org_1'::text, 'key_1'::text, FIRST, LAST, 501::bigint"),
    ("audit.operation_up", audit::OPERATION_UP, "'org_1'::text, 'v1.endpoint.update'::text, FIRST, LAST, 501::bigint"),
    ("audit.operation_down", audit::OPERATION_DOWN, "'org_1'::text, 'v1.endpoint.update'::text, FIRST, LAST, 501::bigint"),
    ("expire.audit_log", expire::DELETE_AUDIT_LOG, "FIRST"),
    ("tasks.open", catalog::OPEN_TASKS, "FIRST, 51::bigint"),
    ("tasks.lock", tasks::LOCK, "ID"),
    ("tasks.lock_messages", effect::LOCK_MESSAGES, "ID, ID, IDS, true::bool"),
    ("tasks.resend_waiting", effect::RESEND_WAITING, "ID, ID, IDS, 1::bigint, true::bool"),
    ("tasks.resend_ended", effect::RESEND_ENDED, "ID, ID, IDS, 1::bigint, 1::bigint, true::bool"),
    ("tasks.add_targets", effect::ADD_TARGETS, "ID, ID, IDS"),
    ("tasks.cancel", effect::CANCEL, "ID, ID, IDS"),
    ("tasks.expunge", effect::EXPUNGE, "ID, IDS"),
    ("rejections.reject", rejections::REJECT, "IDS, IDS, '{1,2}'::bigint[], '{a,b}'::bytea[]"),
    ("rejections.delete_surplus", rejections::DELETE_SURPLUS, "IDS, 1000::bigint"),
    ("rejections.all_up", rejections::ALL_UP, "'org 1'::text, FIRST, 2000::bigint, 1600000000000::bigint"),
    ("rejections.all_down", rejections::ALL_DOWN, "'org 1'::text, LAST, 2000::bigint, 1800000000000::bigint"),
    ("rejections.details", rejections::DETAILS, "IDS, IDS"),
    ("rejections.up", rejections::REJECTIONS_UP, "ID, FIRST, 51::bigint"),
    ("rejections.down", rejections::REJECTIONS_DOWN, "ID, LAST, 51::bigint"),
    ("statistics.count", rollups::COUNT, "IDS, '{1,2}'::bigint[], '{1,2}'::bigint[]"),
    ("statistics.rollups", read::ROLLUPS, "0::smallint, 1700000000000::bigint, 1700000900000::bigint, 60000::bigint, '{a,b}'::bytea[]"),
    ("statistics.tally", read::TALLY, "IDS, false::boolean"),
    ("statistics.problems", read::PROBLEMS, "0::smallint, 1700000000000::bigint, 1700000900000::bigint"),
    ("statistics.get", fold::GET, "'{1,2}'::smallint[], '{1,2}'::bigint[], '{a,b}'::bytea[]"),
    ("statistics.expire", remove::EXPIRE, "0::smallint, 1600000000000::bigint"),
    ("statistics.erase", remove::ERASE, "0::smallint, 'a'::bytea, 'b'::bytea"),
];

#[tokio::test]
async fn hot_statements_walk_along_their_keys() {
    let db = Database::create().await;
    let mut snapshot = String::new();
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
        writeln!(snapshot, "{name}\n    {}", general.lines.join("\n    ")).unwrap();
        let mut special = db.plan(sql, &values, "force_custom_plan").await;
        // A plan for one execution may scan tables that are empty at that time.
        special.whole.retain(|table| is_filled(table));
        if !(general.whole.is_empty() && special.whole.is_empty()) {
            scans.push(format!("{name}: {:?} {:?}", general.whole, special.whole));
        }
    }
    db.remove().await;
    insta::assert_snapshot!("hot", snapshot);
    assert!(scans.is_empty(), "{}", scans.join("\n"));
}
