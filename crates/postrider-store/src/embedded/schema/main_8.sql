-- Who may do what, and who did it: API keys, sessions and the audit log.


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

