-- Applications that were removed. What is left of them is erased in steps, and once more a
-- minute later: a node that still knew the application may have accepted something for it.
CREATE TABLE erasure (
    application uuid PRIMARY KEY,
    -- 0: nothing was erased yet.
    due_at bigint NOT NULL
);
CREATE INDEX erasure_due ON erasure (due_at);
