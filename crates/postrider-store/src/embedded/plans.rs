//! The query plans of the hot statements: a lost index fails a test, and so does a sort or a
//! scan of a whole table.

use rusqlite::Connection;

use super::{
    audit, backlog, cancelled, catalog,
    deliveries::{cancel, claim, recover},
    history::{attempts, deliveries, label_check, messages},
    index,
    ledger::{self, pending},
    maintenance, polling, rejections, search, sign_ins,
};

#[track_caller]
fn check(schema: &str, statement: &str, expected: &str) {
    let db = Connection::open_in_memory().unwrap();
    db.execute_batch(schema).unwrap();
    let mut explained = db.prepare(&format!("EXPLAIN QUERY PLAN {statement}")).unwrap();
    // Missing parameters are NULL, which changes no plan.
    let mut rows = explained.raw_query();
    let mut plan = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        plan.push(row.get::<_, String>(3).unwrap());
    }
    assert_eq!(plan.join("\n"), expected, "{statement}");
}

#[track_caller]
fn main_database(statement: &str, expected: &str) {
    let schema = concat!(
        include_str!("schema/main_1.sql"),
        include_str!("schema/main_2.sql"),
        include_str!("schema/main_3.sql"),
        include_str!("schema/main_4.sql"),
        include_str!("schema/main_5.sql"),
        include_str!("schema/main_6.sql"),
        include_str!("schema/main_7.sql"),
        include_str!("schema/main_8.sql"),
        include_str!("schema/main_9.sql"),
        include_str!("schema/main_10.sql"),
        include_str!("schema/main_11.sql")
    );
    check(schema, statement, expected);
}

#[track_caller]
fn index_database(statement: &str, expected: &str) {
    check(index::SCHEMA, statement, expected);
}

#[test]
fn a_claim_walks_along_one_lane() {
    let before = "SEARCH pending USING PRIMARY KEY (endpoint=? AND free_at<?)";
    main_database(claim::UNORDERED_OF_LANE, before);
    main_database(pending::FIRST_UNORDERED, before);
    main_database(
        pending::ORDERED_OF_LANE,
        "SEARCH pending USING PRIMARY KEY (endpoint=? AND free_at>?)",
    );
}

#[test]
fn a_delivery_is_found_by_its_message() {
    main_database(
        pending::FIND_PENDING,
        "SEARCH pending USING INDEX pending_by_message (message=? AND endpoint=?)",
    );
    main_database(
        pending::DELETE_PENDING,
        "SEARCH pending USING COVERING INDEX pending_by_message (message=? AND endpoint=?)",
    );
}

#[test]
fn a_step_of_a_cancellation_touches_the_beginning_of_a_lane() {
    let from = "SEARCH pending USING PRIMARY KEY (endpoint=? AND free_at>?)";
    main_database(cancel::FIRST_OF_LANE, from);
    let range = "SEARCH pending USING PRIMARY KEY (endpoint=? AND free_at>? AND \
        (free_at,message)<(?,?))";
    main_database(cancel::RECORD_RANGE_ENDED, range);
    main_database(cancel::DELETE_RANGE, range);
}

#[test]
fn a_start_seeks_once_for_each_lane() {
    main_database(ledger::NEXT_LANE, "SEARCH pending USING PRIMARY KEY (endpoint>?)");
}

#[test]
fn the_journal_is_read_from_the_position_of_the_index() {
    main_database(index::READ_JOURNAL, "SEARCH journal USING INTEGER PRIMARY KEY (rowid>?)");
}

#[test]
fn a_step_of_a_rebuild_reads_only_its_own_part() {
    let part = "USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)";
    main_database(index::part::MESSAGES, &format!("SEARCH messages {part}"));
    main_database(index::part::ATTEMPTS, &format!("SEARCH attempts {part}"));
    main_database(index::part::EXTRAS, "SEARCH extras USING PRIMARY KEY (message>? AND message<?)");
    main_database(index::part::ENDED, "SEARCH ended USING PRIMARY KEY (message>? AND message<?)");
    main_database(
        cancelled::BETWEEN,
        "SEARCH cancelled USING PRIMARY KEY (message>? AND message<?)",
    );
    main_database(
        index::part::PENDING,
        "SEARCH pending USING INDEX pending_by_message (message>? AND message<?)",
    );
    index_database(index::ATTEMPTS_OF, "SEARCH attempts_by_message USING PRIMARY KEY (message=?)");
    main_database(
        backlog::WITH_ROWS,
        "CO-ROUTINE (subquery-1)\nSEARCH pending USING PRIMARY KEY (endpoint=?)\nSCAN (subquery-1)",
    );
}

#[test]
fn recent_statistics_are_found_along_their_keys() {
    let of_batch = |key: &str| format!("SEARCH recent USING {key})");
    index_database(
        index::recent::NEXT_ROWS,
        "SEARCH recent USING INDEX recent_by_generation (generation<?)",
    );
    index_database(
        index::recent::NEXT_BATCH,
        "SEARCH recent USING COVERING INDEX recent_by_batch (batch>?)",
    );
    let by_batch = "INDEX recent_by_batch (batch=? AND first";
    index_database(index::recent::ROW_OF_SUBJECT, &of_batch(&format!("{by_batch}<?")));
    index_database(index::recent::LAST_UNTIL, &of_batch(&format!("COVERING {by_batch}<?")));
    index_database(index::recent::ROWS_BETWEEN, &of_batch(&format!("{by_batch}>? AND first<?")));
}

#[test]
fn lists_walk_along_their_keys() {
    let keyed = "USING PRIMARY KEY (endpoint=? AND";
    for statement in [messages::MESSAGES_UP, messages::MESSAGES_DOWN] {
        index_database(
            statement,
            "SEARCH messages USING PRIMARY KEY (application=? AND message>? AND message<?)",
        );
    }
    index_database(
        label_check::LABELS,
        "SEARCH messages USING PRIMARY KEY (application=? AND message=?)",
    );
    for statement in [attempts::BY_ENDPOINT_UP, attempts::BY_ENDPOINT_DOWN] {
        let plan = format!("SEARCH attempts_by_endpoint {keyed} attempt>? AND attempt<?)");
        index_database(statement, &plan);
    }
    for statement in [attempts::BY_MESSAGE_UP, attempts::BY_MESSAGE_DOWN] {
        index_database(
            statement,
            "SEARCH attempts_by_message USING PRIMARY KEY (message=? AND attempt>? AND attempt<?)",
        );
    }
    for statement in [deliveries::DELIVERIES_UP, deliveries::DELIVERIES_DOWN] {
        index_database(statement, &format!("SEARCH deliveries {keyed} message>? AND message<?)"));
    }
}

#[test]
fn searches_across_applications_walk_along_their_keys() {
    let rows = "USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)";
    for statement in [search::messages::ALL_UP, search::messages::ALL_DOWN] {
        main_database(statement, &format!("SEARCH messages {rows}"));
    }
    for statement in [search::attempts::ALL_UP, search::attempts::ALL_DOWN] {
        main_database(statement, &format!("SEARCH attempts {rows}"));
    }
    for statement in [search::messages::ENDED_UP, search::messages::ENDED_DOWN] {
        index_database(
            statement,
            "SEARCH deliveries USING COVERING INDEX deliveries_not_delivered \
             (state=? AND message>? AND message<?)",
        );
    }
    for statement in [search::attempts::FAILED_UP, search::attempts::FAILED_DOWN] {
        index_database(
            statement,
            "SEARCH attempts_by_endpoint USING COVERING INDEX attempts_failed \
             (attempt>? AND attempt<?)",
        );
    }
}

#[test]
fn names_are_looked_up_along_their_keys() {
    let application = "SEARCH applications USING PRIMARY KEY (id=?)";
    main_database(search::owner::IS_OF_ORGANIZATION, application);
    main_database(
        search::lookup::APPLICATIONS,
        "SEARCH applications USING COVERING INDEX applications_by_organization (organization=?)",
    );
    let of_organization = "SEARCH applications USING COVERING INDEX applications_by_organization \
        (organization=? AND id=?)";
    main_database(
        search::lookup::ENDPOINT,
        &format!("SEARCH endpoints USING PRIMARY KEY (id=?)\n{of_organization}"),
    );
    main_database(
        search::lookup::BY_URL,
        &format!(
            "SEARCH endpoints USING INDEX endpoints_by_url (<expr>>? AND <expr><?)\n{of_organization}"
        ),
    );
    main_database(
        search::lookup::BY_UID,
        "CO-ROUTINE owner
SEARCH applications USING COVERING INDEX applications_by_organization (organization=?)
SCAN owner
SEARCH endpoints USING INDEX endpoints_by_uid (application=? AND uid=?)",
    );
    main_database(
        search::lookup::REJECTION,
        "SEARCH rejections USING INDEX sqlite_autoindex_rejections_1 (id=?)
SEARCH sources USING COVERING INDEX sources_by_organization (organization=? AND id=?)",
    );
}

#[test]
fn undelivered_messages_are_found_without_visiting_delivered_ones() {
    let keys = "(endpoint=? AND state=? AND message>? AND message<?)";
    for statement in [deliveries::NOT_DELIVERED_UP, deliveries::NOT_DELIVERED_DOWN] {
        index_database(statement, &format!("SEARCH deliveries USING INDEX deliveries_open {keys}"));
    }
    let covering = format!("SEARCH deliveries USING COVERING INDEX deliveries_open {keys}");
    let merged = format!("MERGE (UNION ALL)\nLEFT\n{covering}\nRIGHT\n{covering}");
    index_database(recover::search::NOT_DELIVERED, &merged);
    index_database(
        index::CANCEL_ENDPOINT,
        "SEARCH deliveries USING INDEX deliveries_open (endpoint=? AND state=?)",
    );
}

#[test]
fn a_source_is_found_by_its_token_and_by_its_application() {
    main_database(
        catalog::SOURCE_BY_TOKEN,
        "SEARCH sources USING INDEX sources_by_token (token_digest=?)",
    );
    main_database(
        catalog::REMOVE_SOURCES,
        "SEARCH sources USING INDEX sources_by_application (application=?)",
    );
}

#[test]
fn dead_letters_are_counted_and_removed_along_their_keys() {
    main_database(
        catalog::COUNT_DEAD_LETTERS,
        "CO-ROUTINE (subquery-1)
SEARCH dead_letters USING COVERING INDEX dead_letters_by_consumer (consumer=?)
SCAN (subquery-1)",
    );
    let by_id = "USING COVERING INDEX sqlite_autoindex_dead_letters_1";
    main_database(
        maintenance::REMOVE_DEAD_LETTERS,
        &format!(
            "SEARCH dead_letters {by_id} (id=?)\nLIST SUBQUERY 1\nSEARCH dead_letters {by_id} (id<?)\n\
             CREATE BLOOM FILTER"
        ),
    );
}

#[test]
fn an_api_key_is_found_by_its_digest() {
    main_database(
        catalog::API_KEY_BY_DIGEST,
        "SEARCH api_keys USING INDEX api_keys_by_digest (digest=?)",
    );
}

#[test]
fn the_audit_log_is_listed_and_removed_along_its_keys() {
    let cases = [
        (audit::ALL_UP, audit::ALL_DOWN, "organization (organization=? AND"),
        (audit::RECORD_UP, audit::RECORD_DOWN, "record (organization=? AND record_id=? AND"),
        (
            audit::PRINCIPAL_UP,
            audit::PRINCIPAL_DOWN,
            "principal (organization=? AND principal=? AND",
        ),
        (
            audit::OPERATION_UP,
            audit::OPERATION_DOWN,
            "operation (organization=? AND operation=? AND",
        ),
    ];
    for (up, down, keys) in cases {
        let plan = format!("SEARCH audit_log USING INDEX audit_log_by_{keys} id>? AND id<?)");
        main_database(up, &plan);
        main_database(down, &plan);
    }
    main_database(
        audit::REMOVE_OLD,
        "SEARCH audit_log USING PRIMARY KEY (id=?)
LIST SUBQUERY 1
SEARCH audit_log USING PRIMARY KEY (id<?)
CREATE BLOOM FILTER",
    );
}

#[test]
fn open_tasks_are_found_and_ended_ones_removed_along_their_keys() {
    main_database(catalog::OPEN_TASKS, "SEARCH tasks USING INDEX tasks_open (id>?)");
    let by_id = "sqlite_autoindex_tasks_1";
    main_database(
        maintenance::REMOVE_TASKS,
        &format!(
            "SEARCH tasks USING COVERING INDEX {by_id} (id=?)\nLIST SUBQUERY 1\n\
             SEARCH tasks USING INDEX {by_id} (id<?)\nCREATE BLOOM FILTER"
        ),
    );
}

#[test]
fn rejections_are_listed_and_removed_along_their_keys() {
    let of_source = "USING INDEX rejections_by_source (source=? AND";
    let by_id = "SEARCH rejections USING INDEX sqlite_autoindex_rejections_1";
    main_database(rejections::ALL_UP, &format!("{by_id} (id>?)"));
    main_database(rejections::ALL_DOWN, &format!("{by_id} (id<?)"));
    main_database(rejections::REJECTIONS_UP, &format!("SEARCH rejections {of_source} id>?)"));
    main_database(rejections::REJECTIONS_DOWN, &format!("SEARCH rejections {of_source} id<?)"));
    main_database(
        rejections::REMOVE_OF_SOURCE,
        "SEARCH rejections USING INDEX rejections_by_source (source=?)",
    );
    main_database(
        rejections::REMOVE_OF_APPLICATION,
        "SEARCH rejections USING COVERING INDEX rejections_by_source (source=?)
LIST SUBQUERY 1
SEARCH sources USING COVERING INDEX sources_by_application (application=?)
CREATE BLOOM FILTER",
    );
    let by_id = "SEARCH rejections USING COVERING INDEX sqlite_autoindex_rejections_1 (id=?)
LIST SUBQUERY 1
SEARCH rejections USING COVERING INDEX";
    main_database(
        rejections::REMOVE_SURPLUS,
        &format!("{by_id} rejections_by_source (source=?)\nCREATE BLOOM FILTER"),
    );
    main_database(
        rejections::REMOVE_OLD,
        &format!("{by_id} sqlite_autoindex_rejections_1 (id<?)\nCREATE BLOOM FILTER"),
    );
}

#[test]
fn sessions_are_found_by_digest_and_removed_by_expiry() {
    main_database(sign_ins::FIND, "SEARCH sign_ins USING PRIMARY KEY (digest=?)");
    main_database(
        sign_ins::REMOVE_EXPIRED,
        "SEARCH sign_ins USING PRIMARY KEY (digest=?)\nLIST SUBQUERY 1\nSEARCH sign_ins USING \
         COVERING INDEX sign_ins_by_expiry (expires_at<?)\nCREATE BLOOM FILTER",
    );
}

#[test]
fn a_log_is_read_along_its_offsets_and_expires_along_its_messages() {
    let of_log = "SEARCH poll_entries USING PRIMARY KEY (log=? AND offset>?)";
    main_database(polling::ENTRIES, of_log);
    main_database(polling::ENTRY_AT, of_log);
    main_database(
        polling::HEAD,
        "SEARCH poll_logs USING INDEX sqlite_autoindex_poll_logs_1 (endpoint=?)",
    );
    main_database(
        polling::REMOVE_OLD_ENTRIES,
        "SEARCH poll_entries USING PRIMARY KEY (log=? AND offset=?)\n\
         LIST SUBQUERY 2\n\
         SEARCH poll_entries USING COVERING INDEX poll_entries_by_message (message<?)\n\
         CREATE BLOOM FILTER",
    );
}
