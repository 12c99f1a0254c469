//! How `SQLite` carries out the hot statements: a lost index is a failing test, and so is a
//! sort or a scan of a whole table.

use rusqlite::Connection;

use super::{catalog, index, ledger, reading, sources};

#[track_caller]
fn check(schema: &str, statement: &str, expected: &str) {
    let db = Connection::open_in_memory().unwrap();
    db.execute_batch(schema).unwrap();
    let mut explained = db.prepare(&format!("EXPLAIN QUERY PLAN {statement}")).unwrap();
    // Parameters that are not given count as NULL, which changes no plan.
    let mut rows = explained.raw_query();
    let mut plan = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        plan.push(row.get::<_, String>(3).unwrap());
    }
    assert_eq!(plan.join("\n"), expected, "{statement}");
}

#[track_caller]
fn truth(statement: &str, expected: &str) {
    let schema = concat!(
        include_str!("schema/truth_1.sql"),
        include_str!("schema/truth_2.sql"),
        include_str!("schema/truth_3.sql"),
        include_str!("schema/truth_4.sql")
    );
    check(schema, statement, expected);
}

#[track_caller]
fn behind(statement: &str, expected: &str) {
    check(include_str!("schema/index.sql"), statement, expected);
}

#[test]
fn a_claim_walks_along_one_lane() {
    let before = "SEARCH pending USING PRIMARY KEY (endpoint=? AND free_at<?)";
    truth(ledger::NEXT_OF_LANE, before);
    truth(ledger::FIRST_PENDING, before);
    truth(ledger::ORDER_OF_LANE, "SEARCH pending USING PRIMARY KEY (endpoint=? AND free_at>?)");
}

#[test]
fn a_delivery_is_found_by_its_message() {
    truth(
        ledger::FIND_PENDING,
        "SEARCH pending USING INDEX pending_by_message (message=? AND endpoint=?)",
    );
    truth(
        ledger::DELETE_PENDING,
        "SEARCH pending USING COVERING INDEX pending_by_message (message=? AND endpoint=?)",
    );
}

#[test]
fn a_start_seeks_once_for_each_lane() {
    truth(ledger::NEXT_LANE, "SEARCH pending USING PRIMARY KEY (endpoint>?)");
}

#[test]
fn the_journal_is_read_from_where_the_index_is() {
    truth(index::JOURNAL, "SEARCH journal USING INTEGER PRIMARY KEY (rowid>?)");
}

#[test]
fn lists_walk_along_their_keys() {
    let keyed = "USING PRIMARY KEY (endpoint=? AND";
    for statement in [reading::MESSAGES_UP, reading::MESSAGES_DOWN] {
        behind(
            statement,
            "SEARCH messages USING PRIMARY KEY (application=? AND message>? AND message<?)",
        );
    }
    for statement in [reading::BY_ENDPOINT_UP, reading::BY_ENDPOINT_DOWN] {
        let plan = format!("SEARCH attempts_by_endpoint {keyed} attempt>? AND attempt<?)");
        behind(statement, &plan);
    }
    for statement in [reading::BY_MESSAGE_UP, reading::BY_MESSAGE_DOWN] {
        behind(
            statement,
            "SEARCH attempts_by_message USING PRIMARY KEY (message=? AND attempt>? AND attempt<?)",
        );
    }
    for statement in [reading::DELIVERIES_UP, reading::DELIVERIES_DOWN] {
        behind(statement, &format!("SEARCH deliveries {keyed} message>? AND message<?)"));
    }
}

#[test]
fn what_is_not_delivered_is_found_without_a_walk_past_what_is() {
    let keys = "(endpoint=? AND state=? AND message>? AND message<?)";
    for statement in [reading::OPEN_UP, reading::OPEN_DOWN] {
        behind(statement, &format!("SEARCH deliveries USING INDEX deliveries_open {keys}"));
    }
    let covering = format!("SEARCH deliveries USING COVERING INDEX deliveries_open {keys}");
    let merged = format!("MERGE (UNION ALL)\nLEFT\n{covering}\nRIGHT\n{covering}");
    behind(reading::FAILED_UP, &merged);
    behind(
        index::END_DELIVERIES,
        "SEARCH deliveries USING INDEX deliveries_open (endpoint=? AND state=?)",
    );
}

#[test]
fn a_source_is_found_by_its_token_and_by_its_application() {
    truth(catalog::SOURCE_BY_TOKEN, "SEARCH sources USING INDEX sources_by_token (token_digest=?)");
    truth(ledger::REMOVE_OF, "SEARCH sources USING INDEX sources_by_application (application=?)");
}

#[test]
fn rejections_are_listed_and_forgotten_along_their_keys() {
    let of_source = "USING INDEX rejections_by_source (source=? AND";
    truth(sources::REJECTIONS_UP, &format!("SEARCH rejections {of_source} id>?)"));
    truth(sources::REJECTIONS_DOWN, &format!("SEARCH rejections {of_source} id<?)"));
    truth(ledger::FORGET, "SEARCH rejections USING INDEX rejections_by_source (source=?)");
    truth(
        ledger::FORGET_OF,
        "SEARCH rejections USING COVERING INDEX rejections_by_source (source=?)
LIST SUBQUERY 1
SEARCH sources USING COVERING INDEX sources_by_application (application=?)
CREATE BLOOM FILTER",
    );
    let by_id = "SEARCH rejections USING COVERING INDEX sqlite_autoindex_rejections_1 (id=?)
LIST SUBQUERY 1
SEARCH rejections USING COVERING INDEX";
    truth(
        ledger::FORGET_SURPLUS,
        &format!("{by_id} rejections_by_source (source=?)\nCREATE BLOOM FILTER"),
    );
    truth(
        ledger::FORGET_OLD,
        &format!("{by_id} sqlite_autoindex_rejections_1 (id<?)\nCREATE BLOOM FILTER"),
    );
}
