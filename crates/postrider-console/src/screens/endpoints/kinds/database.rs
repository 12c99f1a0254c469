//! Kinds that write rows.

use super::field::{CERTIFICATES, ConfigField, Input, KindForm, field};

const TABLE: ConfigField = field("table", "Table", Input::Text)
    .hint("The table, with its schema if needed. By default, it is events.")
    .example("events");

const COLUMNS: ConfigField = field("columns", "Columns", Input::Json)
    .hint("A JSON list of columns with name, path, type, required and default. Without it, a row has the columns id, type, timestamp and event.")
    .example(r#"[{"name": "total", "path": "payload.total", "type": "decimal"}]"#);

const MODE: ConfigField = field(
    "mode",
    "If the row exists already",
    Input::Choice(&[("", "Leave it as it is (insert)"), ("upsert", "Update it (upsert)")]),
);

const KEY: ConfigField = field("key", "Key columns", Input::Lines)
    .hint("One per line, for upserts by your own key. The row with the same key is updated, unless a newer message wrote it.")
    .example("user_id")
    .advanced();

const PASSWORD: ConfigField = field("password", "Password", Input::Secret);

const TLS: ConfigField = field(
    "tls",
    "Encryption",
    Input::Choice(&[
        ("", "Automatic: verified, except on this machine"),
        ("verify", "Verified: the certificate must be trusted"),
        ("require", "Encrypted, any certificate"),
        ("disable", "None"),
    ]),
)
.advanced();

const CREATE_TABLE: ConfigField =
    field("createTable", "Create the table if it does not exist", Input::Flag(false));

pub(super) const POSTGRES: KindForm = KindForm {
    title: "PostgreSQL",
    summary: "Writes each message as a row of a table.",
    fields: &[
        field("url", "Database URL", Input::Text)
            .example("postgres://postrider@db.example.com/shop")
            .required(),
        PASSWORD,
        TABLE,
        CREATE_TABLE,
        COLUMNS,
        MODE,
        KEY,
        TLS,
        CERTIFICATES,
    ],
};

pub(super) const MYSQL: KindForm = KindForm {
    title: "MySQL or MariaDB",
    summary: "Writes each message as a row of a table.",
    fields: &[
        field("url", "Database URL", Input::Text)
            .example("mysql://postrider@db.example.com/shop")
            .required(),
        PASSWORD,
        TABLE,
        CREATE_TABLE,
        COLUMNS,
        MODE,
        KEY,
        TLS,
        CERTIFICATES,
    ],
};

pub(super) const SQLITE: KindForm = KindForm {
    title: "SQLite",
    summary: "Writes each message as a row of a table in a file on the server.",
    fields: &[
        field("database", "Database", Input::Text)
            .hint("The name of the file without .db: letters, digits, - and _.")
            .example("shop")
            .required(),
        TABLE,
        field("createTable", "Create the table if it does not exist", Input::Flag(true)),
        COLUMNS,
        MODE,
        KEY,
        field("maxBytes", "Largest size in bytes", Input::Number)
            .hint("64 KiB to 64 GiB; by default, 1 GiB.")
            .example("1073741824")
            .advanced(),
    ],
};
