-- Queues that messages are read from.
CREATE TABLE consumers (
  id BLOB PRIMARY KEY,
  organization TEXT NOT NULL,
  uid TEXT,
  version INTEGER NOT NULL,
  record TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX consumers_by_uid ON consumers (organization, uid) WHERE uid IS NOT NULL;

CREATE INDEX consumers_by_organization ON consumers (organization, id);

-- Who reads the partitions of a consumer's queue, and how far.
CREATE TABLE consumer_partitions (
  consumer BLOB PRIMARY KEY,
  version INTEGER NOT NULL,
  record TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Messages of queues that could not be accepted. An id starts with its time, so the oldest come
-- first.
CREATE TABLE dead_letters (
  id BLOB PRIMARY KEY,
  consumer BLOB NOT NULL,
  version INTEGER NOT NULL,
  record TEXT NOT NULL
) STRICT;

CREATE INDEX dead_letters_by_consumer ON dead_letters (consumer, id);
