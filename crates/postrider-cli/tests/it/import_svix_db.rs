//! `postrider import svix-db`: from the tables of the open-source Svix server.
//!
//! The encrypted keys were made with another implementation of the cipher (`PyNaCl`), as the server
//! makes them, with the main secret `svix main secret`.

use serde_json::{Value, json};

use crate::{
    receiver::{Behavior, Receiver},
    schema::Schema,
    server::{Server, postrider},
};

/// The columns that the server's entities have.
const TABLES: &str = r#"
CREATE TABLE application (
    created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL,
    id varchar NOT NULL COLLATE "C" PRIMARY KEY, org_id varchar NOT NULL COLLATE "C",
    uid varchar COLLATE "C", name varchar NOT NULL, rate_limit integer, deleted boolean NOT NULL);
CREATE TABLE applicationmetadata (
    created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL,
    id varchar NOT NULL COLLATE "C" PRIMARY KEY, data jsonb NOT NULL);
CREATE TABLE endpoint (
    created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL,
    id varchar NOT NULL COLLATE "C" PRIMARY KEY, app_id varchar NOT NULL COLLATE "C",
    key bytea NOT NULL, url varchar NOT NULL, description varchar NOT NULL,
    event_types_ids jsonb, version integer NOT NULL, rate_limit integer,
    deleted boolean NOT NULL, disabled boolean NOT NULL, first_failure_at timestamptz,
    uid varchar COLLATE "C", old_keys jsonb, channels jsonb, headers jsonb);
CREATE TABLE endpointmetadata (
    created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL,
    id varchar NOT NULL COLLATE "C" PRIMARY KEY, data jsonb NOT NULL);
CREATE TABLE eventtype (
    created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL,
    id varchar NOT NULL COLLATE "C" PRIMARY KEY, org_id varchar NOT NULL COLLATE "C",
    description varchar NOT NULL, deleted boolean NOT NULL, schemas jsonb,
    name varchar NOT NULL COLLATE "C", feature_flag varchar);
CREATE TABLE message (
    created_at timestamptz NOT NULL, id varchar NOT NULL COLLATE "C" PRIMARY KEY,
    org_id varchar NOT NULL COLLATE "C", app_id varchar NOT NULL COLLATE "C",
    event_type varchar NOT NULL, uid varchar COLLATE "C", payload jsonb, channels jsonb,
    expiration timestamptz NOT NULL);
CREATE TABLE messagecontent (
    id varchar NOT NULL COLLATE "C" PRIMARY KEY, created_at timestamptz NOT NULL,
    payload bytea NOT NULL, expiration timestamptz NOT NULL);
"#;

const APP: &str = "app_2srOrx2ZWZBpBUvZwXKQmoEYga2";
const ENDPOINT: &str = "ep_2srOrx2ZWZBpBUvZwXKQmoEYga3";

const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
const OLD_SECRET: &str = "whsec_GBkaGxwdHh8gISIjJCUmJygpKissLS4v";
const PUBLIC_KEY: &str = "whpk_7UkoxijRwsbq6QM4kFmVYSlZJzpcY/k2NsFGFKyHN9E=";

const SEALED: &str = "81070707070707070707070707070707070707070707070707cd2f190b7fe951f31d11ee84b\
                      736413451384e7405e49d47e1f4e6181bbb6e3201d33c8c127813c7";
const SEALED_OLD: &str = "gQgICAgICAgICAgICAgICAgICAgICAgICKrSP/tjrzNgD/Gtk+XaNVfY9xrZmSwBZqhPS9oTF\
                          0RlOb6Dj0aQpnU=";
const SEALED_PRIVATE: &str = "820909090909090909090909090909090909090909090909093ae518a3056a51ddcf81\
                              68b78ee901d66c899a5847a7ba6256f918133a5a4722c912d544a1f2802e0267781b59\
                              1d2e2a56c816dbecbcde04a5c2d3a2aff2693da0cd0fe7b6be98f9535bc2ce6b5a8d7b";

/// Rows of two organizations, with a deleted endpoint.
fn rows(url: &str) -> String {
    format!(
        r#"
INSERT INTO application VALUES
    (now(), now(), '{APP}', 'org_a', NULL, 'Acme', 40, false),
    (now(), now(), 'app_gone', 'org_a', 'gone', 'Gone', NULL, true),
    (now(), now(), 'app_other', 'org_b', 'other', 'Other', NULL, false);
INSERT INTO applicationmetadata VALUES (now(), now(), '{APP}', '{{"plan": "gold"}}');
INSERT INTO eventtype VALUES
    (now(), now(), 'evtyp_1', 'org_a', 'paid', false, '{{"1": {{"type": "object"}}}}',
        'invoice.paid', 'beta'),
    (now(), now(), 'evtyp_2', 'org_a', 'old', true, NULL, 'invoice.old', NULL);
INSERT INTO endpoint VALUES
    (now(), now(), '{ENDPOINT}', '{APP}', '\x{SEALED}', '{url}/one', 'first',
        '["invoice.paid"]', 1, 5, false, false, NULL, NULL,
        jsonb_build_array(jsonb_build_object('signingKey', '{SEALED_OLD}',
            'expiration', now() + interval '5 hours')),
        '["c"]', '{{"authorization": "Bearer x"}}'),
    (now(), now(), 'ep_private', '{APP}', '\x{SEALED_PRIVATE}', '{url}/two', '', NULL, 1, NULL,
        false, true, NULL, 'two', NULL, NULL, NULL),
    (now(), now(), 'ep_deleted', '{APP}', '\x00', '{url}/three', '', NULL, 1, NULL,
        true, true, NULL, NULL, NULL, NULL, NULL);
INSERT INTO endpointmetadata VALUES (now(), now(), '{ENDPOINT}', '{{"k": "v"}}');
INSERT INTO message
    SELECT now() - interval '1 hour' - n * interval '1 second', 'msg_' || lpad((1000 - n)::text, 27, '0'),
        'org_a', '{APP}', 'invoice.paid', CASE n WHEN 1 THEN 'evt-1' END, NULL, '["c"]',
        now() + interval '90 days'
    FROM generate_series(1, 600) n;
INSERT INTO messagecontent
    SELECT id, created_at, convert_to('{{"n": 1.0}}', 'UTF8'), expiration FROM message;
INSERT INTO message VALUES
    (now() - interval '2 hours', 'msg_000000000000000000000000002', 'org_a', '{APP}',
        'invoice.paid', NULL, '{{"legacy": true}}', NULL, now() + interval '90 days');
"#
    )
}

fn import(target: &Server, schema: &Schema, more: &[&str]) -> (Option<i32>, String, Value) {
    let report = target.folder.path().join("report.json");
    drop(std::fs::remove_file(&report));
    let mut command = postrider(&["import", "svix-db", "--from", &schema.url]);
    command.args(["--url", &target.url, "--token", &target.token, "--report"]).arg(&report);
    let output = command.args(more).current_dir(target.folder.path()).output().unwrap();
    let report = std::fs::read(&report).map(|it| serde_json::from_slice(&it).unwrap());
    let said = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), said, report.unwrap_or_default())
}

#[tokio::test]
async fn the_tables_of_a_svix_server_are_imported_with_secrets_and_messages() {
    let receiver = Receiver::start().await;
    let schema = Schema::create();
    schema.run(TABLES);
    schema.run(&rows(receiver.url("").trim_end_matches('/')));
    let target = Server::start();

    let (code, said, _) = import(&target, &schema, &[]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("the organizations org_a, org_b"), "{said}");
    for (secret, expected) in
        [(None, "no main secret is given"), (Some("another"), "encrypted with another main secret")]
    {
        let secret: Vec<_> = secret.iter().flat_map(|it| ["--main-secret", it]).collect();
        let (code, said, _) =
            import(&target, &schema, &[&["--org", "org_a"], &secret[..]].concat());
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(expected) && said.contains("--main-secret"), "{said}");
    }

    std::fs::write(target.folder.path().join("secret"), "svix main secret\n").unwrap();
    let arguments = ["--org", "org_a", "--main-secret", "@secret", "--messages", "30d"];
    let (code, said, report) = import(&target, &schema, &arguments);
    assert_eq!(code, Some(0), "{said} {report:#}");
    assert_eq!(report["totals"]["endpoint"]["created"], 2, "{report:#}");
    assert_eq!(report["totals"]["message"]["created"], 601, "{report:#}");
    check_records(&target).await;

    let (code, _, again) = import(&target, &schema, &arguments);
    assert_eq!(code, Some(0));
    for kind in ["application", "endpoint", "eventType"] {
        let totals = &again["totals"][kind];
        assert_eq!((&totals["created"], &totals["updated"]), (&json!(0), &json!(0)), "{again:#}");
    }
    assert_eq!(again["totals"]["message"]["created"], 0, "{again:#}");

    // Until it expires, receivers with the old secret can verify too.
    receiver.set_behavior("one", Behavior::Status(200));
    let path = format!("/app/{APP}/msg/evt-1/endpoint/{ENDPOINT}/resend");
    target.post(&path, json!({})).await;
    let calls = receiver.until("one", |calls| calls.len() == 1).await;
    assert_eq!(&calls[0].body[..], br#"{"n": 1.0}"#);
    assert_eq!(calls[0].header("authorization"), "Bearer x");
    assert!(calls[0].is_verified(SECRET) && calls[0].is_verified(OLD_SECRET));
}

async fn check_records(target: &Server) {
    let app = target.get(&format!("/app/{APP}")).await;
    assert_eq!((&app["name"], &app["throttleRate"]), (&json!("Acme"), &json!(40)));
    assert_eq!(app["metadata"], json!({ "plan": "gold" }));
    let endpoint = target.get(&format!("/app/{APP}/endpoint/{ENDPOINT}")).await;
    assert_eq!(endpoint["eventTypes"], json!(["invoice.paid"]));
    assert_eq!((&endpoint["channels"], &endpoint["throttleRate"]), (&json!(["c"]), &json!(5)));
    assert_eq!(endpoint["metadata"], json!({ "k": "v" }));
    let private = target.get(&format!("/app/{APP}/endpoint/two/secret")).await;
    assert_eq!(private["key"], PUBLIC_KEY);
    let archived = target.get("/event-type/invoice.old").await;
    assert_eq!(archived["archived"], true);
    let message = target.get(&format!("/app/{APP}/msg/msg_000000000000000000000000002")).await;
    assert_eq!(message["payload"], json!({ "legacy": true }));
}
