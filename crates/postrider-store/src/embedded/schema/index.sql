CREATE TABLE state (
  key TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE messages (
  application INTEGER NOT NULL,
  message INTEGER NOT NULL,
  PRIMARY KEY (application, message)
) STRICT, WITHOUT ROWID;

-- The state of each delivery: 0 delivered, 1 pending and due at `at`, 2 failed, 3 cancelled.
CREATE TABLE deliveries (
  endpoint INTEGER NOT NULL,
  message INTEGER NOT NULL,
  state INTEGER NOT NULL,
  at INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  PRIMARY KEY (endpoint, message)
) STRICT, WITHOUT ROWID;

-- Most deliveries are delivered; this finds the others without visiting those.
CREATE INDEX deliveries_open ON deliveries (endpoint, state, message) WHERE state > 0;

-- Deliveries of all endpoints that ended without success.
CREATE INDEX deliveries_not_delivered ON deliveries (state, message) WHERE state > 1;

CREATE TABLE attempts_by_endpoint (
  endpoint INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  message INTEGER NOT NULL,
  status INTEGER NOT NULL,
  PRIMARY KEY (endpoint, attempt)
) STRICT, WITHOUT ROWID;

-- Failed attempts to all endpoints.
CREATE INDEX attempts_failed ON attempts_by_endpoint (attempt, message, status)
  WHERE status < 200 OR status > 299;

CREATE TABLE attempts_by_message (
  message INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  endpoint INTEGER NOT NULL,
  PRIMARY KEY (message, attempt)
) STRICT, WITHOUT ROWID;

-- The numbers of a subject in each period of each resolution: 0 minutes, 1 hours, 2 days. The
-- time comes first, so that new rows are next to each other, and so are those that expire.
CREATE TABLE rollups (
  resolution INTEGER NOT NULL,
  start INTEGER NOT NULL,
  -- The id of the application, and of what belongs to it.
  subject BLOB NOT NULL,
  -- Failed attempts and rejected requests.
  problems INTEGER NOT NULL,
  counters BLOB NOT NULL,
  PRIMARY KEY (resolution, start, subject)
) STRICT, WITHOUT ROWID;
