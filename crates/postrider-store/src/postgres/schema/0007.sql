-- Who may do what, and who did it: API keys, sessions and the audit log.


-- Background tasks. An id starts with its time, so the oldest come first. A running task is saved
-- all the time.
CREATE TABLE task (
    id uuid PRIMARY KEY,
    organization text NOT NULL,
    ended boolean NOT NULL,
    record text NOT NULL,
    version bigint NOT NULL DEFAULT 1
) WITH (
    fillfactor = 50,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 1000
);
CREATE INDEX task_of ON task (organization, id);
CREATE INDEX task_open ON task (id) WHERE NOT ended;


-- Settings, integrations and automatic configuration.


-- Search and statistics.

