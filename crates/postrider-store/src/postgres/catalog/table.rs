//! The tables of the catalog: the statements for each kind of record.

use crate::contract::catalog::RecordKind;

/// The statements for one kind of record. Where a kind has no uid or no further unique key, there
/// is no statement to look for it.
pub(super) struct Table {
    /// Parent and id.
    pub(super) by_id: &'static str,
    /// Parent and uid.
    pub(super) by_uid: Option<&'static str>,
    /// The unique key alone.
    pub(super) by_key: Option<&'static str>,
    /// Parent, the id after which the list starts, limit.
    pub(super) list: Scan,
    pub(super) list_visible: Scan,
    /// Creates the record; replaces one that exists if $8 is true. The parameters are id, parent,
    /// record, uid, hidden or disabled, application, digest and $8, of which a kind may ignore some.
    pub(super) put: &'static str,
    /// Replaces the record if it has the version $8; the other parameters are the same.
    pub(super) update: &'static str,
}

/// A list in both directions.
#[derive(Clone, Copy)]
pub(super) struct Scan {
    pub(super) ascending: &'static str,
    pub(super) descending: &'static str,
}

/// A list by `$key` of the records of one `$parent`, perhaps only those that fulfil `$condition`.
macro_rules! scan {
    ($table:literal, $parent:literal, $key:literal $(, $condition:literal)?) => {
        Scan {
            ascending: concat!(
                "SELECT version, record FROM ", $table,
                " WHERE ", $parent, " = $1 AND ", $key, " > $2" $(, " AND ", $condition)?,
                " ORDER BY ", $key, " LIMIT $3",
            ),
            descending: concat!(
                "SELECT version, record FROM ", $table,
                " WHERE ", $parent, " = $1 AND ", $key, " < $2" $(, " AND ", $condition)?,
                " ORDER BY ", $key, " DESC LIMIT $3",
            ),
        }
    };
}

impl Table {
    pub(super) const fn of(kind: RecordKind) -> &'static Self {
        match kind {
            RecordKind::Application => &APPLICATION,
            RecordKind::Endpoint => &ENDPOINT,
            RecordKind::EventType => &EVENT_TYPE,
            RecordKind::Source => &SOURCE,
            RecordKind::Consumer => &CONSUMER,
            RecordKind::Partitions => &PARTITIONS,
            RecordKind::DeadLetter => &DEAD_LETTER,
            RecordKind::ApiKey => &API_KEY,
            RecordKind::ApiKeyUse => &API_KEY_USE,
            RecordKind::TokenPolicy => &TOKEN_POLICY,
            RecordKind::Task => &TASK,
            RecordKind::Connector => &CONNECTOR,
            RecordKind::SchemaReport => &SCHEMA_REPORT,
        }
    }
}

impl Scan {
    pub(super) const fn sql(self, ascending: bool) -> &'static str {
        if ascending { self.ascending } else { self.descending }
    }
}

static APPLICATION: Table = Table {
    by_id: "SELECT version, record FROM application WHERE organization = $1 AND id = $2",
    by_uid: Some("SELECT version, record FROM application WHERE organization = $1 AND uid = $2"),
    by_key: Some("SELECT version, record FROM application WHERE id = $1"),
    list: scan!("application", "organization", "id"),
    list_visible: scan!("application", "organization", "id"),
    put: "INSERT INTO application AS old (id, organization, record, uid)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (id) DO UPDATE
        SET organization = excluded.organization, record = excluded.record, uid = excluded.uid,
            version = old.version + 1
        WHERE $8
        RETURNING version",
    update: "UPDATE application
        SET organization = $2, record = $3, uid = $4, version = version + 1
        WHERE id = $1 AND version = $8
        RETURNING version",
};

static ENDPOINT: Table = Table {
    by_id: "SELECT version, record FROM endpoint WHERE application = $1 AND id = $2",
    by_uid: Some("SELECT version, record FROM endpoint WHERE application = $1 AND uid = $2"),
    by_key: None,
    list: scan!("endpoint", "application", "id"),
    list_visible: scan!("endpoint", "application", "id"),
    put: "INSERT INTO endpoint AS old (id, application, record, uid)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (application, id) DO UPDATE
        SET record = excluded.record, uid = excluded.uid, version = old.version + 1
        WHERE $8
        RETURNING version",
    update: "UPDATE endpoint
        SET record = $3, uid = $4, version = version + 1
        WHERE application = $2 AND id = $1 AND version = $8
        RETURNING version",
};

static EVENT_TYPE: Table = Table {
    by_id: "SELECT version, record FROM event_type WHERE organization = $1 AND name = $2",
    by_uid: None,
    by_key: None,
    list: scan!("event_type", "organization", "name"),
    list_visible: scan!("event_type", "organization", "name", "NOT archived"),
    put: "INSERT INTO event_type AS old (name, organization, record, archived)
        VALUES ($1, $2, $3, $5)
        ON CONFLICT (organization, name) DO UPDATE
        SET record = excluded.record, archived = excluded.archived, version = old.version + 1
        WHERE $8
        RETURNING version",
    update: "UPDATE event_type
        SET record = $3, archived = $5, version = version + 1
        WHERE organization = $2 AND name = $1 AND version = $8
        RETURNING version",
};

static SOURCE: Table = Table {
    by_id: "SELECT version, record FROM source WHERE organization = $1 AND id = $2",
    by_uid: Some("SELECT version, record FROM source WHERE organization = $1 AND uid = $2"),
    by_key: Some(SOURCE_BY_TOKEN),
    list: scan!("source", "organization", "id"),
    list_visible: scan!("source", "organization", "id"),
    put: "INSERT INTO source AS old
            (id, organization, record, uid, application, token_digest)
        VALUES ($1, $2, $3, $4, $6, $7)
        ON CONFLICT (id) DO UPDATE
        SET organization = excluded.organization, record = excluded.record, uid = excluded.uid,
            application = excluded.application, token_digest = excluded.token_digest,
            version = old.version + 1
        WHERE $8
        RETURNING version",
    update: "UPDATE source
        SET organization = $2, record = $3, uid = $4, application = $6, token_digest = $7,
            version = version + 1
        WHERE id = $1 AND version = $8
        RETURNING version",
};

pub(in crate::postgres) const SOURCE_BY_TOKEN: &str =
    "SELECT version, record FROM source WHERE token_digest = $1";

static CONNECTOR: Table = Table {
    by_id: "SELECT version, record FROM connector WHERE organization = $1 AND id = $2",
    by_uid: Some("SELECT version, record FROM connector WHERE organization = $1 AND uid = $2"),
    by_key: None,
    list: scan!("connector", "organization", "id"),
    list_visible: scan!("connector", "organization", "id"),
    put: "INSERT INTO connector AS old (id, organization, record, uid)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (id) DO UPDATE
        SET organization = excluded.organization, record = excluded.record, uid = excluded.uid,
            version = old.version + 1
        WHERE $8
        RETURNING version",
    update: "UPDATE connector
        SET organization = $2, record = $3, uid = $4, version = version + 1
        WHERE id = $1 AND version = $8
        RETURNING version",
};

static CONSUMER: Table = Table {
    by_id: "SELECT version, record FROM consumer WHERE organization = $1 AND id = $2",
    by_uid: Some("SELECT version, record FROM consumer WHERE organization = $1 AND uid = $2"),
    by_key: None,
    list: scan!("consumer", "organization", "id"),
    list_visible: scan!("consumer", "organization", "id"),
    put: "INSERT INTO consumer AS old (id, organization, record, uid)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (id) DO UPDATE
        SET organization = excluded.organization, record = excluded.record, uid = excluded.uid,
            version = old.version + 1
        WHERE $8
        RETURNING version",
    update: "UPDATE consumer
        SET organization = $2, record = $3, uid = $4, version = version + 1
        WHERE id = $1 AND version = $8
        RETURNING version",
};

/// The id of the record is that of its parent.
static PARTITIONS: Table = Table {
    by_id: "SELECT version, record FROM consumer_partitions WHERE consumer = $1 AND consumer = $2",
    by_uid: None,
    by_key: None,
    list: scan!("consumer_partitions", "consumer", "consumer"),
    list_visible: scan!("consumer_partitions", "consumer", "consumer"),
    put: "INSERT INTO consumer_partitions AS old (consumer, record)
        VALUES ($1, $3)
        ON CONFLICT (consumer) DO UPDATE
        SET record = excluded.record, version = old.version + 1
        WHERE $8
        RETURNING version",
    update: "UPDATE consumer_partitions
        SET record = $3, version = version + 1
        WHERE consumer = $1 AND version = $8
        RETURNING version",
};

static DEAD_LETTER: Table = Table {
    by_id: "SELECT version, record FROM dead_letter WHERE consumer = $1 AND id = $2",
    by_uid: None,
    by_key: None,
    list: scan!("dead_letter", "consumer", "id"),
    list_visible: scan!("dead_letter", "consumer", "id"),
    put: "INSERT INTO dead_letter AS old (id, consumer, record)
        VALUES ($1, $2, $3)
        ON CONFLICT (id) DO UPDATE
        SET consumer = excluded.consumer, record = excluded.record, version = old.version + 1
        WHERE $8
        RETURNING version",
    update: "UPDATE dead_letter
        SET consumer = $2, record = $3, version = version + 1
        WHERE id = $1 AND version = $8
        RETURNING version",
};

static TASK: Table = Table {
    by_id: "SELECT version, record FROM task WHERE organization = $1 AND id = $2",
    by_uid: None,
    by_key: None,
    list: scan!("task", "organization", "id"),
    list_visible: scan!("task", "organization", "id"),
    put: "INSERT INTO task AS old (id, organization, record, ended)
        VALUES ($1, $2, $3, $5)
        ON CONFLICT (id) DO UPDATE
        SET organization = excluded.organization, record = excluded.record,
            ended = excluded.ended, version = old.version + 1
        WHERE $8
        RETURNING version",
    update: "UPDATE task
        SET organization = $2, record = $3, ended = $5, version = version + 1
        WHERE id = $1 AND version = $8
        RETURNING version",
};

static API_KEY: Table = Table {
    by_id: "SELECT version, record FROM api_key WHERE organization = $1 AND id = $2",
    by_uid: None,
    by_key: Some(API_KEY_BY_DIGEST),
    list: scan!("api_key", "organization", "id"),
    list_visible: scan!("api_key", "organization", "id"),
    put: "INSERT INTO api_key AS old (id, organization, record, digest)
        VALUES ($1, $2, $3, $7)
        ON CONFLICT (id) DO UPDATE
        SET organization = excluded.organization, record = excluded.record,
            digest = excluded.digest, version = old.version + 1
        WHERE $8
        RETURNING version",
    update: "UPDATE api_key
        SET organization = $2, record = $3, digest = $7, version = version + 1
        WHERE id = $1 AND version = $8
        RETURNING version",
};

pub(in crate::postgres) const API_KEY_BY_DIGEST: &str =
    "SELECT version, record FROM api_key WHERE digest = $1";

/// The id of the record is that of the key.
static API_KEY_USE: Table = Table {
    by_id: "SELECT version, record FROM api_key_use WHERE organization = $1 AND id = $2",
    by_uid: None,
    by_key: None,
    list: scan!("api_key_use", "organization", "id"),
    list_visible: scan!("api_key_use", "organization", "id"),
    put: "INSERT INTO api_key_use AS old (id, organization, record)
        VALUES ($1, $2, $3)
        ON CONFLICT (id) DO UPDATE
        SET organization = excluded.organization, record = excluded.record,
            version = old.version + 1
        WHERE $8
        RETURNING version",
    update: "UPDATE api_key_use
        SET organization = $2, record = $3, version = version + 1
        WHERE id = $1 AND version = $8
        RETURNING version",
};

/// The id of the record is that of its parent.
static TOKEN_POLICY: Table = Table {
    by_id: "SELECT version, record FROM token_policy WHERE organization = $1 AND organization = $2",
    by_uid: None,
    by_key: None,
    list: scan!("token_policy", "organization", "organization"),
    list_visible: scan!("token_policy", "organization", "organization"),
    put: "INSERT INTO token_policy AS old (organization, record)
        VALUES ($1, $3)
        ON CONFLICT (organization) DO UPDATE
        SET record = excluded.record, version = old.version + 1
        WHERE $8
        RETURNING version",
    update: "UPDATE token_policy
        SET record = $3, version = version + 1
        WHERE organization = $1 AND version = $8
        RETURNING version",
};

/// The id of the record is the name of the event type.
static SCHEMA_REPORT: Table = Table {
    by_id: "SELECT version, record FROM schema_report WHERE organization = $1 AND name = $2",
    by_uid: None,
    by_key: None,
    list: scan!("schema_report", "organization", "name"),
    list_visible: scan!("schema_report", "organization", "name"),
    put: "INSERT INTO schema_report AS old (name, organization, record)
        VALUES ($1, $2, $3)
        ON CONFLICT (organization, name) DO UPDATE
        SET record = excluded.record, version = old.version + 1
        WHERE $8
        RETURNING version",
    update: "UPDATE schema_report
        SET record = $3, version = version + 1
        WHERE organization = $2 AND name = $1 AND version = $8
        RETURNING version",
};
