-- How many messages were ever accepted, up to and with this commit: what a store that lost its
-- last commits is missing.
ALTER TABLE journal ADD COLUMN accepted INTEGER;

-- Numbers of applications that were removed, and when what is left of them is erased.
CREATE TABLE erasures (
  application INTEGER PRIMARY KEY,
  due_at INTEGER NOT NULL
) STRICT;

CREATE INDEX erasures_by_time ON erasures (due_at);

-- Numbers of endpoints that were removed, to be taken back when nothing refers to them.
CREATE TABLE retired (
  endpoint INTEGER PRIMARY KEY
) STRICT;

CREATE INDEX endpoint_numbers_by_application ON endpoint_numbers (application);

-- Those that were removed before.
INSERT INTO erasures (application, due_at)
SELECT number, 0 FROM application_numbers WHERE id NOT IN (SELECT id FROM applications);

INSERT INTO retired (endpoint)
SELECT number FROM endpoint_numbers WHERE id NOT IN (SELECT id FROM endpoints);
