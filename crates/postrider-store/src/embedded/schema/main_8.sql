-- Who may do what, and who did it: API keys, sessions and the audit log.

-- An id starts with its time, so the oldest entries come first.
CREATE TABLE audit_log (
  id BLOB PRIMARY KEY,
  organization TEXT NOT NULL,
  record_id TEXT NOT NULL,
  principal TEXT NOT NULL,
  operation TEXT NOT NULL,
  entry TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX audit_log_by_organization ON audit_log (organization, id);

CREATE INDEX audit_log_by_record ON audit_log (organization, record_id, id);

CREATE INDEX audit_log_by_principal ON audit_log (organization, principal, id);

CREATE INDEX audit_log_by_operation ON audit_log (organization, operation, id);

CREATE TABLE api_keys (
  id BLOB PRIMARY KEY,
  organization TEXT NOT NULL,
  digest BLOB NOT NULL,
  version INTEGER NOT NULL,
  record TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX api_keys_by_digest ON api_keys (digest);

CREATE INDEX api_keys_by_organization ON api_keys (organization, id);

-- When each key was last used. It changes all the time.
CREATE TABLE api_key_uses (
  id BLOB PRIMARY KEY,
  organization TEXT NOT NULL,
  version INTEGER NOT NULL,
  record TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Which tokens of an organization were expired.
CREATE TABLE token_policies (
  organization TEXT PRIMARY KEY,
  version INTEGER NOT NULL,
  record TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE sign_ins (
  digest BLOB PRIMARY KEY,
  expires_at INTEGER NOT NULL,
  record TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sign_ins_by_expiry ON sign_ins (expires_at);


-- Background tasks. An id starts with its time, so the oldest come first.
CREATE TABLE tasks (
  id BLOB PRIMARY KEY,
  organization TEXT NOT NULL,
  ended INTEGER NOT NULL,
  version INTEGER NOT NULL,
  record TEXT NOT NULL
) STRICT;

CREATE INDEX tasks_by_organization ON tasks (organization, id);

CREATE INDEX tasks_open ON tasks (id) WHERE ended = 0;


-- Settings, integrations and automatic configuration.


-- Search and statistics.

CREATE INDEX endpoints_by_url ON endpoints (json_extract(record, '$.url'));
