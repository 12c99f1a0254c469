-- What was found when payloads of event types were checked. It changes all the time.
CREATE TABLE schema_reports (
  organization TEXT NOT NULL,
  name TEXT NOT NULL,
  version INTEGER NOT NULL,
  record TEXT NOT NULL,
  PRIMARY KEY (organization, name)
) STRICT, WITHOUT ROWID;

-- Logs of polling endpoints. The row of a removed endpoint stays until its entries are removed.
CREATE TABLE poll_logs (
  number INTEGER PRIMARY KEY,
  endpoint BLOB NOT NULL UNIQUE,
  application BLOB NOT NULL,
  last INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  removed INTEGER NOT NULL
) STRICT;

CREATE INDEX poll_logs_by_application ON poll_logs (application);

CREATE INDEX poll_logs_removed ON poll_logs (number) WHERE removed = 1;

CREATE TABLE poll_entries (
  log INTEGER NOT NULL,
  offset INTEGER NOT NULL,
  message INTEGER NOT NULL,
  tail INTEGER NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (log, offset)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX poll_entries_by_message ON poll_entries (message, tail, log);

CREATE TABLE poll_consumers (
  log INTEGER NOT NULL,
  id TEXT NOT NULL,
  version INTEGER NOT NULL,
  record TEXT NOT NULL,
  PRIMARY KEY (log, id)
) STRICT, WITHOUT ROWID;
