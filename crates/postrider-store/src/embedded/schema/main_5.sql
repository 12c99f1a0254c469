-- How many messages were ever accepted, including this commit: tells how many are missing after
-- commits were lost.
ALTER TABLE journal ADD COLUMN accepted INTEGER;

-- Removed applications, and when what is left of them is erased.
CREATE TABLE erasures (
  application INTEGER PRIMARY KEY,
  due_at INTEGER NOT NULL
) STRICT;

CREATE INDEX erasures_by_time ON erasures (due_at);

-- Removed endpoints, whose numbers are freed once nothing refers to them.
CREATE TABLE retired (
  endpoint INTEGER PRIMARY KEY
) STRICT;

CREATE INDEX endpoint_numbers_by_application ON endpoint_numbers (application);

-- Applications and endpoints that were removed by earlier versions.
INSERT INTO erasures (application, due_at)
SELECT number, 0 FROM application_numbers WHERE id NOT IN (SELECT id FROM applications);

INSERT INTO retired (endpoint)
SELECT number FROM endpoint_numbers WHERE id NOT IN (SELECT id FROM endpoints);
