-- The rowid of a message is its id's sequence; rows are appended and never searched otherwise.
CREATE TABLE messages (
  sequence INTEGER PRIMARY KEY,
  tail INTEGER NOT NULL,
  application INTEGER NOT NULL,
  head BLOB NOT NULL,
  body BLOB
) STRICT;

-- The rowid of an attempt is its id's sequence.
CREATE TABLE attempts (
  sequence INTEGER PRIMARY KEY,
  tail INTEGER NOT NULL,
  record BLOB NOT NULL
) STRICT;

-- Pending deliveries, in the order of claims. A delivery whose first lease is in memory has no
-- row yet.
CREATE TABLE pending (
  endpoint INTEGER NOT NULL,
  free_at INTEGER NOT NULL,
  message INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  flags INTEGER NOT NULL,
  PRIMARY KEY (endpoint, free_at, message)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX pending_by_message ON pending (message, endpoint);

-- Deliveries that ended without an attempt, of messages from the low-water mark on.
CREATE TABLE ended (
  message INTEGER NOT NULL,
  endpoint INTEGER NOT NULL,
  PRIMARY KEY (message, endpoint)
) STRICT, WITHOUT ROWID;

-- Deliveries that were requested later and that the message was not accepted for.
CREATE TABLE extras (
  message INTEGER NOT NULL,
  endpoint INTEGER NOT NULL,
  PRIMARY KEY (message, endpoint)
) STRICT, WITHOUT ROWID;

CREATE TABLE event_ids (
  application INTEGER NOT NULL,
  event_id TEXT NOT NULL,
  message INTEGER NOT NULL,
  tail INTEGER NOT NULL,
  PRIMARY KEY (application, event_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotent (
  digest BLOB PRIMARY KEY,
  message INTEGER NOT NULL,
  tail INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotent_by_message ON idempotent (message);

-- Messages whose bodies expire in the same minute are between these sequences.
CREATE TABLE expiring (
  minute INTEGER PRIMARY KEY,
  lowest INTEGER NOT NULL,
  highest INTEGER NOT NULL
) STRICT;

-- The changes of every commit, until the index has them on disk.
CREATE TABLE journal (
  position INTEGER PRIMARY KEY,
  events BLOB NOT NULL
) STRICT;

CREATE TABLE state (
  key TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE application_numbers (
  number INTEGER PRIMARY KEY,
  id BLOB NOT NULL
) STRICT;

CREATE TABLE endpoint_numbers (
  number INTEGER PRIMARY KEY,
  id BLOB NOT NULL,
  application INTEGER NOT NULL
) STRICT;

CREATE TABLE event_type_numbers (
  number INTEGER PRIMARY KEY,
  name TEXT NOT NULL
) STRICT;

CREATE TABLE applications (
  id BLOB PRIMARY KEY,
  organization TEXT NOT NULL,
  uid TEXT,
  record TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX applications_by_uid ON applications (organization, uid) WHERE uid IS NOT NULL;

CREATE INDEX applications_by_organization ON applications (organization, id);

CREATE TABLE endpoints (
  id BLOB PRIMARY KEY,
  application BLOB NOT NULL,
  uid TEXT,
  failing_since INTEGER,
  record TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX endpoints_by_uid ON endpoints (application, uid) WHERE uid IS NOT NULL;

CREATE INDEX endpoints_by_application ON endpoints (application, id);

CREATE TABLE event_types (
  organization TEXT NOT NULL,
  name TEXT NOT NULL,
  archived INTEGER NOT NULL,
  record TEXT NOT NULL,
  PRIMARY KEY (organization, name)
) STRICT, WITHOUT ROWID;

-- In the order in which they were asked for; `done` is the last message dealt with.
CREATE TABLE recoveries (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  record TEXT NOT NULL,
  done INTEGER NOT NULL
) STRICT;

CREATE TABLE reservations (
  key BLOB PRIMARY KEY,
  fingerprint BLOB NOT NULL,
  response BLOB NOT NULL,
  answered_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX reservations_by_time ON reservations (answered_at);
