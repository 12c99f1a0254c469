CREATE TABLE sources (
  id BLOB PRIMARY KEY,
  organization TEXT NOT NULL,
  application BLOB NOT NULL,
  uid TEXT,
  token_digest BLOB NOT NULL,
  record TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX sources_by_uid ON sources (organization, uid) WHERE uid IS NOT NULL;

CREATE UNIQUE INDEX sources_by_token ON sources (token_digest);

CREATE INDEX sources_by_organization ON sources (organization, id);

CREATE INDEX sources_by_application ON sources (application);

-- Rejected requests. An id starts with its time, so the oldest come first.
CREATE TABLE rejections (
  id BLOB PRIMARY KEY,
  source BLOB NOT NULL,
  record BLOB NOT NULL
) STRICT;

CREATE INDEX rejections_by_source ON rejections (source, id);
