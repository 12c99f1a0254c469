-- Numbers of large batches that are not in `rollups` yet, sorted by subject.
CREATE TABLE recent (
  id INTEGER PRIMARY KEY,
  -- Batches of one generation are added to `rollups` together.
  generation INTEGER NOT NULL,
  batch INTEGER NOT NULL,
  -- The first subject. No subject of a batch is in two rows.
  first BLOB NOT NULL,
  -- The subjects, their minutes and their numbers.
  minutes BLOB NOT NULL
) STRICT;

CREATE INDEX recent_by_generation ON recent (generation, first);

CREATE INDEX recent_by_batch ON recent (batch, first);
