-- Who may do what, and who did it: API keys, sessions and the audit log.

CREATE TABLE sign_ins (
  digest BLOB PRIMARY KEY,
  expires_at INTEGER NOT NULL,
  record TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sign_ins_by_expiry ON sign_ins (expires_at);


-- Background tasks.


-- Settings, integrations and automatic configuration.


-- Search and statistics.

