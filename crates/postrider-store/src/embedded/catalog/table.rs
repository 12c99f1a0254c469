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
    /// Id and parent. Only event types are named within their parent.
    pub(super) version: &'static str,
    /// Parent, uid, id.
    pub(super) uid_taken: Option<&'static str>,
    /// Digest, id.
    pub(super) digest_taken: Option<&'static str>,
    /// Id, parent, record, version, uid, disabled or hidden, application, digest: as many of them
    /// as the statement has.
    pub(super) save: &'static str,
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
                " WHERE ", $parent, " = ?1 AND ", $key, " > ?2" $(, " AND ", $condition)?,
                " ORDER BY ", $key, " LIMIT ?3",
            ),
            descending: concat!(
                "SELECT version, record FROM ", $table,
                " WHERE ", $parent, " = ?1 AND ", $key, " < ?2" $(, " AND ", $condition)?,
                " ORDER BY ", $key, " DESC LIMIT ?3",
            ),
        }
    };
}

impl Table {
    pub(super) const fn of(kind: RecordKind) -> &'static Self {
        match kind {
            RecordKind::Application => &APPLICATIONS,
            RecordKind::Endpoint => &ENDPOINTS,
            RecordKind::EventType => &EVENT_TYPES,
            RecordKind::Source => &SOURCES,
            RecordKind::Consumer => &CONSUMERS,
            RecordKind::Partitions => &PARTITIONS,
            RecordKind::DeadLetter => &DEAD_LETTERS,
            RecordKind::ApiKey => &API_KEYS,
            RecordKind::ApiKeyUse => &API_KEY_USES,
            RecordKind::TokenPolicy => &TOKEN_POLICIES,
            RecordKind::Task => &TASKS,
            RecordKind::Connector => &CONNECTORS,
            RecordKind::SchemaReport => &SCHEMA_REPORTS,
        }
    }
}

impl Scan {
    pub(super) const fn sql(self, ascending: bool) -> &'static str {
        if ascending { self.ascending } else { self.descending }
    }
}

static APPLICATIONS: Table = Table {
    by_id: "SELECT version, record FROM applications WHERE organization = ?1 AND id = ?2",
    by_uid: Some("SELECT version, record FROM applications WHERE organization = ?1 AND uid = ?2"),
    by_key: Some("SELECT version, record FROM applications WHERE id = ?1"),
    list: scan!("applications", "organization", "id"),
    list_visible: scan!("applications", "organization", "id"),
    version: "SELECT version FROM applications WHERE id = ?1",
    uid_taken: Some("SELECT 1 FROM applications WHERE organization = ?1 AND uid = ?2 AND id <> ?3"),
    digest_taken: None,
    save: "INSERT INTO applications (id, organization, record, version, uid)
        VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT (id) DO UPDATE
        SET organization = excluded.organization, record = excluded.record,
            version = excluded.version, uid = excluded.uid",
};

static ENDPOINTS: Table = Table {
    by_id: "SELECT version, record FROM endpoints WHERE application = ?1 AND id = ?2",
    by_uid: Some("SELECT version, record FROM endpoints WHERE application = ?1 AND uid = ?2"),
    by_key: None,
    list: scan!("endpoints", "application", "id"),
    list_visible: scan!("endpoints", "application", "id"),
    version: "SELECT version FROM endpoints WHERE id = ?1",
    uid_taken: Some("SELECT 1 FROM endpoints WHERE application = ?1 AND uid = ?2 AND id <> ?3"),
    digest_taken: None,
    // A disabled endpoint is not failing.
    save: "INSERT INTO endpoints (id, application, record, version, uid)
        VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT (id) DO UPDATE
        SET application = excluded.application, record = excluded.record,
            version = excluded.version, uid = excluded.uid,
            failing_since = CASE WHEN ?6 THEN NULL ELSE failing_since END",
};

static EVENT_TYPES: Table = Table {
    by_id: "SELECT version, record FROM event_types WHERE organization = ?1 AND name = ?2",
    by_uid: None,
    by_key: None,
    list: scan!("event_types", "organization", "name"),
    list_visible: scan!("event_types", "organization", "name", "archived = 0"),
    version: "SELECT version FROM event_types WHERE name = ?1 AND organization = ?2",
    uid_taken: None,
    digest_taken: None,
    save: "INSERT INTO event_types (name, organization, record, version, archived)
        VALUES (?1, ?2, ?3, ?4, ?6)
        ON CONFLICT (organization, name) DO UPDATE
        SET record = excluded.record, version = excluded.version, archived = excluded.archived",
};

static SOURCES: Table = Table {
    by_id: "SELECT version, record FROM sources WHERE organization = ?1 AND id = ?2",
    by_uid: Some("SELECT version, record FROM sources WHERE organization = ?1 AND uid = ?2"),
    by_key: Some(SOURCE_BY_TOKEN),
    list: scan!("sources", "organization", "id"),
    list_visible: scan!("sources", "organization", "id"),
    version: "SELECT version FROM sources WHERE id = ?1",
    uid_taken: Some("SELECT 1 FROM sources WHERE organization = ?1 AND uid = ?2 AND id <> ?3"),
    digest_taken: Some("SELECT 1 FROM sources WHERE token_digest = ?1 AND id <> ?2"),
    save: "INSERT INTO sources
            (id, organization, record, version, uid, application, token_digest)
        VALUES (?1, ?2, ?3, ?4, ?5, ?7, ?8)
        ON CONFLICT (id) DO UPDATE
        SET organization = excluded.organization, record = excluded.record,
            version = excluded.version, uid = excluded.uid,
            application = excluded.application, token_digest = excluded.token_digest",
};

pub(in crate::embedded) const SOURCE_BY_TOKEN: &str =
    "SELECT version, record FROM sources WHERE token_digest = ?1";

static CONNECTORS: Table = Table {
    by_id: "SELECT version, record FROM connectors WHERE organization = ?1 AND id = ?2",
    by_uid: Some("SELECT version, record FROM connectors WHERE organization = ?1 AND uid = ?2"),
    by_key: None,
    list: scan!("connectors", "organization", "id"),
    list_visible: scan!("connectors", "organization", "id"),
    version: "SELECT version FROM connectors WHERE id = ?1",
    uid_taken: Some("SELECT 1 FROM connectors WHERE organization = ?1 AND uid = ?2 AND id <> ?3"),
    digest_taken: None,
    save: "INSERT INTO connectors (id, organization, record, version, uid)
        VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT (id) DO UPDATE
        SET organization = excluded.organization, record = excluded.record,
            version = excluded.version, uid = excluded.uid",
};

static CONSUMERS: Table = Table {
    by_id: "SELECT version, record FROM consumers WHERE organization = ?1 AND id = ?2",
    by_uid: Some("SELECT version, record FROM consumers WHERE organization = ?1 AND uid = ?2"),
    by_key: None,
    list: scan!("consumers", "organization", "id"),
    list_visible: scan!("consumers", "organization", "id"),
    version: "SELECT version FROM consumers WHERE id = ?1",
    uid_taken: Some("SELECT 1 FROM consumers WHERE organization = ?1 AND uid = ?2 AND id <> ?3"),
    digest_taken: None,
    save: "INSERT INTO consumers (id, organization, record, version, uid)
        VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT (id) DO UPDATE
        SET organization = excluded.organization, record = excluded.record,
            version = excluded.version, uid = excluded.uid",
};

/// The id of the record is that of its parent.
static PARTITIONS: Table = Table {
    by_id: "SELECT version, record FROM consumer_partitions WHERE consumer = ?1 AND consumer = ?2",
    by_uid: None,
    by_key: None,
    list: scan!("consumer_partitions", "consumer", "consumer"),
    list_visible: scan!("consumer_partitions", "consumer", "consumer"),
    version: "SELECT version FROM consumer_partitions WHERE consumer = ?1",
    uid_taken: None,
    digest_taken: None,
    save: "INSERT INTO consumer_partitions (consumer, record, version)
        VALUES (?1, ?3, ?4)
        ON CONFLICT (consumer) DO UPDATE
        SET record = excluded.record, version = excluded.version",
};

static DEAD_LETTERS: Table = Table {
    by_id: "SELECT version, record FROM dead_letters WHERE consumer = ?1 AND id = ?2",
    by_uid: None,
    by_key: None,
    list: scan!("dead_letters", "consumer", "id"),
    list_visible: scan!("dead_letters", "consumer", "id"),
    version: "SELECT version FROM dead_letters WHERE id = ?1",
    uid_taken: None,
    digest_taken: None,
    save: "INSERT INTO dead_letters (id, consumer, record, version)
        VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT (id) DO UPDATE
        SET consumer = excluded.consumer, record = excluded.record, version = excluded.version",
};

static TASKS: Table = Table {
    by_id: "SELECT version, record FROM tasks WHERE organization = ?1 AND id = ?2",
    by_uid: None,
    by_key: None,
    list: scan!("tasks", "organization", "id"),
    list_visible: scan!("tasks", "organization", "id"),
    version: "SELECT version FROM tasks WHERE id = ?1",
    uid_taken: None,
    digest_taken: None,
    save: "INSERT INTO tasks (id, organization, record, version, ended)
        VALUES (?1, ?2, ?3, ?4, ?6)
        ON CONFLICT (id) DO UPDATE
        SET organization = excluded.organization, record = excluded.record,
            version = excluded.version, ended = excluded.ended",
};

static API_KEYS: Table = Table {
    by_id: "SELECT version, record FROM api_keys WHERE organization = ?1 AND id = ?2",
    by_uid: None,
    by_key: Some(API_KEY_BY_DIGEST),
    list: scan!("api_keys", "organization", "id"),
    list_visible: scan!("api_keys", "organization", "id"),
    version: "SELECT version FROM api_keys WHERE id = ?1",
    uid_taken: None,
    digest_taken: Some("SELECT 1 FROM api_keys WHERE digest = ?1 AND id <> ?2"),
    save: "INSERT INTO api_keys (id, organization, record, version, digest)
        VALUES (?1, ?2, ?3, ?4, ?8)
        ON CONFLICT (id) DO UPDATE
        SET organization = excluded.organization, record = excluded.record,
            version = excluded.version, digest = excluded.digest",
};

pub(in crate::embedded) const API_KEY_BY_DIGEST: &str =
    "SELECT version, record FROM api_keys WHERE digest = ?1";

/// The id of the record is that of the key.
static API_KEY_USES: Table = Table {
    by_id: "SELECT version, record FROM api_key_uses WHERE organization = ?1 AND id = ?2",
    by_uid: None,
    by_key: None,
    list: scan!("api_key_uses", "organization", "id"),
    list_visible: scan!("api_key_uses", "organization", "id"),
    version: "SELECT version FROM api_key_uses WHERE id = ?1",
    uid_taken: None,
    digest_taken: None,
    save: "INSERT INTO api_key_uses (id, organization, record, version)
        VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT (id) DO UPDATE
        SET organization = excluded.organization, record = excluded.record,
            version = excluded.version",
};

/// The id of the record is that of its parent.
static TOKEN_POLICIES: Table = Table {
    by_id: "SELECT version, record
        FROM token_policies
        WHERE organization = ?1 AND organization = ?2",
    by_uid: None,
    by_key: None,
    list: scan!("token_policies", "organization", "organization"),
    list_visible: scan!("token_policies", "organization", "organization"),
    version: "SELECT version FROM token_policies WHERE organization = ?1",
    uid_taken: None,
    digest_taken: None,
    save: "INSERT INTO token_policies (organization, record, version)
        VALUES (?1, ?3, ?4)
        ON CONFLICT (organization) DO UPDATE
        SET record = excluded.record, version = excluded.version",
};

/// The id of the record is the name of the event type.
static SCHEMA_REPORTS: Table = Table {
    by_id: "SELECT version, record FROM schema_reports WHERE organization = ?1 AND name = ?2",
    by_uid: None,
    by_key: None,
    list: scan!("schema_reports", "organization", "name"),
    list_visible: scan!("schema_reports", "organization", "name"),
    version: "SELECT version FROM schema_reports WHERE name = ?1 AND organization = ?2",
    uid_taken: None,
    digest_taken: None,
    save: "INSERT INTO schema_reports (name, organization, record, version)
        VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT (organization, name) DO UPDATE
        SET record = excluded.record, version = excluded.version",
};
