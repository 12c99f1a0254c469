-- Who may do what, and who did it: API keys, sessions and the audit log.

-- An id starts with its time, so the oldest entries come first.
CREATE TABLE audit_log (
    id uuid PRIMARY KEY,
    organization text NOT NULL,
    record_id text NOT NULL,
    principal text NOT NULL,
    operation text NOT NULL,
    entry text NOT NULL
);
CREATE INDEX audit_log_of ON audit_log (organization, id);
CREATE INDEX audit_log_by_record ON audit_log (organization, record_id, id);
CREATE INDEX audit_log_by_principal ON audit_log (organization, principal, id);
CREATE INDEX audit_log_by_operation ON audit_log (organization, operation, id);

CREATE TABLE api_key (
    id uuid PRIMARY KEY,
    organization text NOT NULL,
    digest bytea NOT NULL,
    record text NOT NULL,
    version bigint NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX api_key_digest ON api_key (digest);
CREATE INDEX api_key_of ON api_key (organization, id);

-- When each key was last used. It changes all the time.
CREATE TABLE api_key_use (
    id uuid PRIMARY KEY,
    organization text NOT NULL,
    record text NOT NULL,
    version bigint NOT NULL DEFAULT 1
) WITH (fillfactor = 50);

-- Which tokens of an organization were expired.
CREATE TABLE token_policy (
    organization text PRIMARY KEY,
    record text NOT NULL,
    version bigint NOT NULL DEFAULT 1
);

CREATE TABLE sign_in (
    digest bytea PRIMARY KEY,
    expires_at bigint NOT NULL,
    record text NOT NULL
);

CREATE INDEX sign_in_by_expiry ON sign_in (expires_at);


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

-- What was accepted and attempted, across applications. Ids grow, so an insertion appends to the
-- last page of its day. The conditions are true of every row: only a statement that repeats one can
-- use its index, so that the planner does not choose it for statements that have a better one.
CREATE INDEX message_id ON message (id) WHERE octet_length(event_type) > 0;
CREATE INDEX attempt_id ON attempt (id) WHERE number >= 0;
CREATE INDEX attempt_failed ON attempt (id) WHERE status < 200 OR status > 299;
CREATE INDEX delivery_not_delivered ON delivery (message) WHERE state - 1 <> 0;

CREATE INDEX endpoint_id ON endpoint (id) WHERE octet_length(record) > 0;
CREATE INDEX endpoint_url ON endpoint (((record::json) ->> 'url') COLLATE "C");

-- What was counted and is not added up yet: rows come with the messages and attempts that they
-- count and go a few seconds later.
CREATE TABLE tally (
    application uuid NOT NULL,
    -- The endpoint of attempts, the source of requests; none for messages.
    subject uuid,
    -- What is counted, and in which minute.
    fact bigint NOT NULL,
    count bigint NOT NULL
) WITH (
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 20000,
    autovacuum_vacuum_insert_scale_factor = 0,
    autovacuum_vacuum_insert_threshold = 100000,
    autovacuum_analyze_scale_factor = 0,
    autovacuum_analyze_threshold = 100000,
    autovacuum_vacuum_cost_delay = 0
);

-- The numbers of a subject in each period of each resolution: 0 minutes, 1 hours, 2 days.
CREATE TABLE rollup (
    resolution smallint NOT NULL,
    start bigint NOT NULL,
    -- The id of the application, and of what belongs to it.
    subject bytea NOT NULL,
    -- Failed attempts and rejected requests.
    problems bigint NOT NULL,
    counters bytea NOT NULL,
    PRIMARY KEY (resolution, start, subject)
) WITH (
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0.05,
    autovacuum_vacuum_cost_delay = 0
);

-- What nodes publish about the endpoints that they hold deliveries for, every few seconds.
CREATE UNLOGGED TABLE lane_state (
    application uuid NOT NULL,
    endpoint uuid NOT NULL,
    node bigint NOT NULL,
    -- The breaker; closed without a time.
    open_since bigint,
    probe_at bigint,
    failing_since bigint,
    held bigint NOT NULL,
    in_flight bigint NOT NULL,
    throttled_until bigint,
    PRIMARY KEY (application, endpoint, node)
) WITH (
    fillfactor = 50,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_cost_delay = 0
);
CREATE INDEX lane_state_of ON lane_state (node);
