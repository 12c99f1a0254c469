//! How many rows the hot statements visit for a batch: as many as it has, times a small factor,
//! whatever the statistics said when the plan was made.

use std::{collections::BTreeMap, fmt::Write};

use serde_json::Value;

use super::{Database, FIRST, LAST, Plan, split};
use crate::postgres::{
    cluster::take_over,
    connect,
    deliveries::{append, cancel, claim, recover, release, settle},
    history::fetch,
    lane,
    maintenance::expire,
    rejections,
    statistics::{self, fold},
    transfer,
};

/// The most that a node holds, or has to settle, with its default limits: `limits.held` and
/// `limits.unsettled`.
const BATCH: i64 = 20_000;
const MEMBERS: f64 = 20_000.0;

/// Rows that the nodes of a plan may visit together, for each member of the batch.
const VISITS: f64 = 25.0;

/// Pages that may be read for each member of the batch, most of them to insert into indexes.
const PAGES: f64 = 150.0;

/// Names, statements, and values for them; see [`value`].
#[rustfmt::skip]
const STATEMENTS: &[(&str, &str, &str)] = &[
    ("append", append::INSERT, "APPLICATIONS DAY5 NAMES NAMES PLACES PLACES ENDPOINTS BYTES BYTES NUMBERS PLACES NUMBERS NUMBERS NUMBERS ONES NUMBERS APPLICATIONS NUMBERS NUMBERS"),
    ("append.keyed", append::INSERT_KEYED, "APPLICATIONS DAY5 NAMES NAMES PLACES PLACES ENDPOINTS BYTES BYTES NUMBERS PLACES NUMBERS NUMBERS NUMBERS ONES NUMBERS APPLICATIONS NUMBERS NUMBERS NEW_DIGESTS"),
    ("append.find_known", append::FIND_KNOWN, "NUMBERS APPLICATIONS DAY4 OLD_DIGESTS EVENT_IDS"),
    ("append.keep_digests", append::KEEP_DIGESTS, "APPLICATIONS NEW_DIGESTS DAY5"),
    ("append.keep_event_ids", append::KEEP_EVENT_IDS, "APPLICATIONS NAMES DAY5"),
    ("settle.end", settle::END, "APPLICATIONS ENDPOINTS DAY4 DAY6 ONES BOOLEANS ONES BYTES BYTES NUMBERS ONES NUMBERS BOOLEANS 1::bigint"),
    ("settle.move", settle::MOVE, "APPLICATIONS ENDPOINTS DAY4 DAY6 ONES BOOLEANS ONES BYTES BYTES NUMBERS THREES NUMBERS BOOLEANS 1::bigint"),
    ("settle.record of pending", settle::RECORD, "APPLICATIONS ENDPOINTS DAY4 DAY6 ONES BOOLEANS ONES BYTES BYTES NUMBERS"),
    ("settle.record of ended", settle::RECORD, "APPLICATIONS ENDPOINTS DAY2 DAY6 ONES BOOLEANS ONES BYTES BYTES NUMBERS"),
    ("settle.set_failing_since", settle::SET_FAILING_SINCE, "APPLICATIONS ENDPOINTS NUMBERS"),
    ("statistics.count", statistics::COUNT, "ENDPOINTS NUMBERS NUMBERS"),
    ("statistics.get", fold::GET, "ONES NUMBERS BYTES"),
    ("statistics.set", fold::SET, "ONES NUMBERS BYTES NUMBERS BYTES"),
    ("lane.mark_due", lane::MARK_DUE, "APPLICATIONS ENDPOINTS NUMBERS ONES NUMBERS 1::bigint"),
    ("lane.lock", lane::LOCK, "APPLICATIONS ENDPOINTS"),
    ("lane.refresh", lane::REFRESH, "APPLICATIONS ENDPOINTS NUMBERS"),
    ("claim.end_leases", claim::END_LEASES, "LATE COUNT"),
    ("claim.next_lane", claim::NEXT_LANE, "1::bigint ENDPOINTS 1::bigint 0::bigint true::boolean ENDPOINTS"),
    ("claim.lock_lanes", claim::LOCK_LANES, "LATE 1::bigint DAY5 1::bigint 0::bigint COUNT false::boolean ENDPOINTS"),
    ("claim.lock_lanes, all full", claim::LOCK_LANES, "LATE 1::bigint ENDPOINTS 1::bigint 0::bigint COUNT true::boolean DAY5"),
    ("claim.own", claim::OWN, "1::bigint APPLICATIONS ENDPOINTS"),
    ("claim.take", claim::TAKE, "NUMBERS APPLICATIONS ENDPOINTS NUMBERS LATE COUNT 1::bigint LATE NUMBERS"),
    ("claim.heads", claim::HEADS, "NUMBERS APPLICATIONS ENDPOINTS NUMBERS LATE"),
    ("claim.take_heads", claim::TAKE_HEADS, "NUMBERS APPLICATIONS ENDPOINTS DAY3 LATE 1::bigint LATE"),
    ("claim.messages", claim::MESSAGES, "APPLICATIONS DAY3 FIRST LAST"),
    ("release", release::RELEASE, "APPLICATIONS ENDPOINTS DAY4 NUMBERS 1::bigint"),
    ("cancel.application", cancel::CANCEL_APPLICATION, "APPLICATION ZERO ZERO COUNT"),
    ("cancel.endpoint", cancel::CANCEL_ENDPOINT, "APPLICATION ENDPOINT ZERO COUNT"),
    ("cancel.message", cancel::CANCEL_MESSAGE, "APPLICATION NULL::uuid MESSAGE COUNT"),
    ("cancel.bodiless", cancel::CANCEL_BODILESS, "APPLICATIONS ENDPOINTS DAY3"),
    ("recover.failed", recover::FAILED, "APPLICATION ENDPOINT FIRST FIRST LAST COUNT"),
    ("recover.requeue", recover::REQUEUE, "APPLICATION ENDPOINT DAY1 LATE LATE"),
    ("take_over.free_lanes", take_over::FREE_LANES, "1::bigint"),
    ("take_over.free_deliveries", take_over::FREE_DELIVERIES, "COUNT"),
    ("expire.remove_bodies", expire::REMOVE_BODIES, "APPLICATIONS DAY2"),
    ("expire.cancel_without_body", expire::CANCEL_WITHOUT_BODY, "APPLICATIONS ENDPOINTS DAY3"),
    ("expire.ended", expire::DELETE_ENDED, "APPLICATIONS ENDPOINTS DAY2"),
    ("expire.event_ids_of", expire::DELETE_EVENT_IDS_OF, "APPLICATIONS EVENT_IDS DAY2"),
    ("expire.lanes", expire::DELETE_LANES, ""),
    ("rejections.reject", rejections::REJECT, "ENDPOINTS DAY3 NUMBERS BYTES"),
    ("history.messages_by_id", fetch::MESSAGES_BY_ID, "APPLICATION DAY2"),
    ("history.attempts_by_id", fetch::ATTEMPTS_BY_ID, "APPLICATION ENDPOINTS DAY2"),
    ("export.ended", transfer::ENDED, "APPLICATIONS ENDPOINTS DAY2 FIRST LAST"),
    ("export.queued", transfer::QUEUED, "APPLICATIONS ENDPOINTS DAY3 FIRST LAST"),
    ("export.attempts", transfer::ATTEMPTS, "APPLICATIONS ENDPOINTS DAY2 FIRST LAST"),
];

/// Plural words are arrays with as many members as the batch; a singular word is the first member.
fn value(word: &str) -> String {
    let ids = |day| format!("pg_temp.ids({day},{BATCH})::uuid[]");
    let all = |it| format!("array_fill({it},array[{BATCH}])");
    let numbers = |kind| format!("pg_temp.numbers({BATCH})::{kind}[]");
    match word {
        "APPLICATION" | "ENDPOINT" => "pg_temp.id(0,1)::uuid".to_owned(),
        "MESSAGE" => "pg_temp.id(3,1)::uuid".to_owned(),
        "APPLICATIONS" => format!("{}::uuid[]", all("pg_temp.id(0,1)")),
        "ENDPOINTS" => ids("0"),
        "NAMES" => format!("pg_temp.ids(5,{BATCH})::text[]"),
        "EVENT_IDS" => numbers("text"),
        "NEW_DIGESTS" => format!("pg_temp.digests('new',{BATCH})::bytea[]"),
        "OLD_DIGESTS" => format!("pg_temp.digests('old',{BATCH})::bytea[]"),
        "PLACES" => numbers("int"),
        "NUMBERS" => numbers("bigint"),
        "BYTES" => format!("{}::bytea[]", all("'a'::bytea")),
        "BOOLEANS" => format!("{}::boolean[]", all("false")),
        "ONES" => format!("{}::smallint[]", all("1::smallint")),
        "THREES" => format!("{}::smallint[]", all("3::smallint")),
        "COUNT" => format!("{BATCH}::bigint"),
        "LATE" => "1800000000000::bigint".to_owned(),
        "ZERO" => "'00000000-0000-0000-0000-000000000000'::uuid".to_owned(),
        "FIRST" => FIRST.to_owned(),
        "LAST" => LAST.to_owned(),
        other => other.strip_prefix("DAY").map_or_else(|| other.to_owned(), ids),
    }
}

/// The tables' statistics when a plan is made, and how full the tables are then.
#[derive(Clone, Copy, Debug)]
enum Statistics {
    /// The tables are empty, and were analyzed.
    Empty,
    /// The tables have a handful of rows, and were analyzed.
    Small,
    /// The tables are full, but `reltuples` says that their pages have no rows.
    Emptied,
    /// The tables are full, and `reltuples` says that they have a thousand times as many rows.
    Huge,
}

use Statistics::{Emptied, Empty, Huge, Small};

impl Database {
    /// Fills the tables and sets their statistics.
    async fn pretend(&self, statistics: Statistics) {
        let run = async |sql: &str| {
            self.client.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        };
        let count = match statistics {
            Empty => 0,
            Small => 20,
            Emptied | Huge => BATCH,
        };
        let tables = self.tables().await;
        run(&format!("DEALLOCATE ALL; TRUNCATE {tables}")).await;
        run(&format!("SELECT pg_temp.fill(1, {count})")).await;
        run(&format!("VACUUM ANALYZE {tables}")).await;
        let factor = match statistics {
            Empty | Small => return,
            Emptied => 0,
            Huge => 1_000,
        };
        run(&format!(
            "UPDATE pg_class SET reltuples = {factor} * reltuples
            WHERE relnamespace = current_schema()::regnamespace AND reltuples > 0"
        ))
        .await;
    }

    /// All tables but those that have rows without a fill: they describe the nodes and the schema.
    async fn tables(&self) -> String {
        let sql = "SELECT string_agg(relname::text, ', ') FROM pg_class
            WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'
                AND relname NOT IN ('node', 'schema_version', 'installation')";
        self.client.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// Fills up to the size of a batch; plans that were made before stay as they are.
    async fn fill_up(&self, statistics: Statistics) {
        if matches!(statistics, Empty) {
            let sql = format!("SELECT pg_temp.fill(1, {BATCH})");
            self.client.batch_execute(&sql).await.unwrap();
        }
    }
}

/// The name of the prepared statement, with its values.
fn execution(index: usize) -> String {
    let values: Vec<_> = STATEMENTS[index].2.split_whitespace().map(value).collect();
    format!("it_{index}{}", split(&values.join(", ")).1)
}

fn preparation(index: usize) -> String {
    let values: Vec<_> = STATEMENTS[index].2.split_whitespace().map(value).collect();
    let types = split(&values.join(", ")).0;
    format!("PREPARE it_{index}{types} AS {}", STATEMENTS[index].1)
}

/// Scans within the inner side of a nested loop that do not follow a key: each costs the product
/// of the two sides.
fn products(node: &Value, is_inner: bool, found: &mut Vec<String>) {
    let text = |key: &str| node[key].as_str().unwrap_or_default();
    let kind = text("Node Type");
    let is_keyed = !text("Index Cond").is_empty() || !text("TID Cond").is_empty();
    let is_scan = kind.ends_with("Scan") && !matches!(kind, "Subquery Scan" | "Bitmap Heap Scan");
    if is_inner && is_scan && !is_keyed {
        found.push(format!("{kind} {}{}", text("Relation Name"), text("CTE Name")));
    }
    for child in node["Plans"].as_array().into_iter().flatten() {
        let is_of_inner = kind == "Nested Loop" && child["Parent Relationship"] == "Inner";
        products(child, is_inner || is_of_inner, found);
    }
}

/// Rows that all nodes of an executed plan gave or sorted out.
fn visits(node: &Value) -> f64 {
    let number = |key: &str| node[key].as_f64().unwrap_or_default();
    let each = number("Actual Rows")
        + number("Rows Removed by Filter")
        + number("Rows Removed by Join Filter")
        + number("Rows Removed by Index Recheck");
    let children = node["Plans"].as_array().into_iter().flatten();
    number("Actual Loops") * each + children.map(visits).sum::<f64>()
}

/// The results for all statements.
#[derive(Default)]
struct Findings {
    /// The plans of each statement, and for which statistics each of them was made.
    plans: Vec<BTreeMap<String, String>>,
    faults: Vec<String>,
}

impl Findings {
    /// Prepares the statements. A generic plan is kept until `execute`.
    async fn plan(&mut self, db: &Database, statistics: Statistics) {
        self.plans.resize_with(STATEMENTS.len(), BTreeMap::new);
        for (index, (name, ..)) in STATEMENTS.iter().enumerate() {
            db.client.batch_execute(&preparation(index)).await.unwrap();
            let explained = db.explain("COSTS OFF", &execution(index)).await;
            let mut plan = Plan::default();
            plan.add(&explained);
            let mut found = Vec::new();
            products(&explained, false, &mut found);
            if !(found.is_empty() && plan.whole.is_empty()) {
                self.faults.push(format!("{name}, {statistics:?}: {found:?} {:?}", plan.whole));
            }
            let plans = self.plans[index].entry(plan.lines.join("\n    ")).or_default();
            write!(plans, " {statistics:?}").unwrap();
        }
    }

    /// Executes the statements with those plans.
    async fn execute(&mut self, db: &Database, statistics: Statistics) {
        for (index, (name, ..)) in STATEMENTS.iter().enumerate() {
            db.client.batch_execute("BEGIN").await.unwrap();
            let explained = db.explain("ANALYZE, TIMING OFF, BUFFERS", &execution(index)).await;
            db.client.batch_execute("ROLLBACK").await.unwrap();
            let pages = |key: &str| explained[key].as_f64().unwrap_or_default();
            let pages = pages("Shared Hit Blocks") + pages("Shared Read Blocks");
            let (visits, pages) = (visits(&explained) / MEMBERS, pages / MEMBERS);
            if visits > VISITS || pages > PAGES {
                self.faults.push(format!("{name}, {statistics:?}: {visits} rows, {pages} pages"));
            }
        }
    }

    fn snapshot(&self) -> String {
        let mut text = String::new();
        for ((name, ..), plans) in STATEMENTS.iter().zip(&self.plans) {
            writeln!(text, "{name}").unwrap();
            for (plan, statistics) in plans {
                let note = if plans.len() == 1 { "" } else { &format!("  for{statistics}:\n") };
                writeln!(text, "{note}    {plan}").unwrap();
            }
        }
        text
    }
}

#[tokio::test]
async fn hot_statements_visit_few_rows_per_member_whatever_the_statistics_say() {
    let settings = connect::server_settings(std::time::Duration::from_secs(120));
    let db = Database::bare("batches", &settings).await;
    db.client.batch_execute(include_str!("batch.sql")).await.unwrap();
    let mut findings = Findings::default();
    for (statistics, mode) in [
        (Empty, "force_generic_plan"),
        (Small, "force_generic_plan"),
        (Emptied, "force_custom_plan"),
        (Huge, "force_generic_plan"),
    ] {
        db.pretend(statistics).await;
        db.client.batch_execute(&format!("SET plan_cache_mode = {mode}")).await.unwrap();
        findings.plan(&db, statistics).await;
        if matches!(statistics, Empty | Emptied) {
            db.fill_up(statistics).await;
            findings.execute(&db, statistics).await;
        }
    }
    db.remove().await;
    assert!(findings.faults.is_empty(), "{}", findings.faults.join("\n"));
    insta::assert_snapshot!("batches", findings.snapshot());
}
