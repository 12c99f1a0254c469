-- Transformations that an organization offers to the owners of endpoints.
CREATE TABLE connectors (
  id BLOB PRIMARY KEY,
  organization TEXT NOT NULL,
  uid TEXT,
  version INTEGER NOT NULL,
  record TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX connectors_by_uid ON connectors (organization, uid) WHERE uid IS NOT NULL;

CREATE INDEX connectors_by_organization ON connectors (organization, id);
