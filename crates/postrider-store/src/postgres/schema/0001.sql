-- The first schema. Times are milliseconds since the epoch; ids are UUIDs whose first bits are
-- the time, so a range of ids is a range of time. All keys of an application's rows begin with
-- the application.

-- ---- what users configure; `record` is the whole of it, as JSON

CREATE TABLE application (
    id uuid PRIMARY KEY,
    organization text NOT NULL,
    uid text,
    record text NOT NULL
);
CREATE INDEX application_of ON application (organization, id);
CREATE UNIQUE INDEX application_uid ON application (organization, uid) WHERE uid IS NOT NULL;

CREATE TABLE endpoint (
    application uuid NOT NULL,
    id uuid NOT NULL,
    uid text,
    record text NOT NULL,
    failing_since bigint,
    PRIMARY KEY (application, id)
);
CREATE UNIQUE INDEX endpoint_uid ON endpoint (application, uid) WHERE uid IS NOT NULL;

CREATE TABLE event_type (
    organization text NOT NULL,
    name text COLLATE "C" NOT NULL,
    archived boolean NOT NULL,
    record text NOT NULL,
    PRIMARY KEY (organization, name)
);

-- ---- history: one partition a day, made ahead, dropped whole

CREATE TABLE message (
    application uuid NOT NULL,
    id uuid NOT NULL,
    event_type text NOT NULL,
    event_id text,
    -- Endpoints that it was for, and those that it was sent to by hand.
    targets uuid[] NOT NULL,
    details bytea NOT NULL,
    body bytea,
    body_until bigint NOT NULL,
    PRIMARY KEY (application, id)
) PARTITION BY RANGE (id);
CREATE INDEX message_body ON message (body_until) WHERE body IS NOT NULL;
CREATE TABLE message_rest PARTITION OF message DEFAULT;
-- The rest is what is in no day's partition, and has to be removed row by row.
CREATE INDEX message_rest_id ON message_rest (id);

CREATE TABLE attempt (
    application uuid NOT NULL,
    endpoint uuid NOT NULL,
    id uuid NOT NULL,
    message uuid NOT NULL,
    number smallint NOT NULL,
    manual boolean NOT NULL,
    -- Of the answer; 0 if there was none.
    status smallint NOT NULL,
    details bytea NOT NULL,
    response bytea,
    PRIMARY KEY (application, endpoint, id)
) PARTITION BY RANGE (id);
CREATE TABLE attempt_rest PARTITION OF attempt DEFAULT;
CREATE INDEX attempt_rest_id ON attempt_rest (id);

-- Deliveries that have ended, by the time of their message.
CREATE TABLE delivery (
    application uuid NOT NULL,
    endpoint uuid NOT NULL,
    message uuid NOT NULL,
    -- 1: delivered, 2: failed, 3: cancelled.
    state smallint NOT NULL,
    -- Ids of its attempts, in the order in which they were recorded.
    attempts uuid[] NOT NULL,
    PRIMARY KEY (application, endpoint, message)
) PARTITION BY RANGE (message);
CREATE INDEX delivery_open ON delivery (application, endpoint, state, message) WHERE state <> 1;
CREATE TABLE delivery_rest PARTITION OF delivery DEFAULT;
CREATE INDEX delivery_rest_message ON delivery_rest (message);

-- ---- what is still to be done

-- Deliveries that have not ended. A row comes with its message and goes with its last attempt,
-- so the table stays small and its dead rows many: vacuum has to come often and be quick.
CREATE TABLE queue (
    application uuid NOT NULL,
    endpoint uuid NOT NULL,
    message uuid NOT NULL,
    -- Number of the attempt to make next.
    attempt smallint NOT NULL,
    manual boolean NOT NULL,
    reported boolean NOT NULL,
    -- When it is to be made, whoever holds it.
    due_at bigint NOT NULL,
    -- Nobody may take it before: the end of the holder's lease, or due_at if nobody holds it.
    free_at bigint NOT NULL,
    -- The node that holds it.
    holder bigint,
    -- 0: any, 1: owned, 2: in order.
    turn smallint NOT NULL,
    -- Its place in the order, if it has one.
    position bigint,
    -- Ids of the attempts so far.
    attempts uuid[] NOT NULL,
    PRIMARY KEY (application, endpoint, message)
) WITH (
    fillfactor = 80,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_insert_scale_factor = 0,
    autovacuum_vacuum_insert_threshold = 100000,
    autovacuum_analyze_scale_factor = 0,
    autovacuum_analyze_threshold = 20000,
    autovacuum_vacuum_cost_delay = 0
);
CREATE INDEX queue_due ON queue (application, endpoint, free_at, message)
    WHERE holder IS NULL AND position IS NULL;
CREATE INDEX queue_held ON queue (free_at) WHERE holder IS NOT NULL;
CREATE INDEX queue_order ON queue (application, endpoint, position) WHERE position IS NOT NULL;

-- Endpoints that have, or had, deliveries that nobody held. A claim looks here first, so it
-- never reads past the backlog of an endpoint that has no room.
CREATE TABLE lane (
    application uuid NOT NULL,
    endpoint uuid NOT NULL,
    -- The first of its deliveries that nobody holds falls due then, or later.
    due_at bigint,
    -- The highest turn of those that came since it was empty: 0: any, 1: owned, 2: in order.
    turn smallint NOT NULL DEFAULT 0,
    -- The node that has it to itself, for rates and order across nodes; and how often that
    -- changed.
    owner bigint,
    fence bigint NOT NULL DEFAULT 0,
    -- Nobody may claim from it before; it gives a rate time to be forgotten when the owner
    -- changes.
    rest_until bigint NOT NULL DEFAULT 0,
    -- The last place in the order that was given out.
    position bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (application, endpoint)
) WITH (
    fillfactor = 50,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 2000,
    autovacuum_analyze_scale_factor = 0,
    autovacuum_analyze_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0
);
CREATE INDEX lane_due ON lane (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE recovery (
    application uuid NOT NULL,
    id uuid NOT NULL,
    -- In the order in which they were asked for.
    number bigint GENERATED ALWAYS AS IDENTITY,
    record text NOT NULL,
    -- The message that it got to.
    reached uuid NOT NULL,
    PRIMARY KEY (application, id, number)
);

-- ---- what must not happen twice

CREATE TABLE event_id (
    application uuid NOT NULL,
    event_id text NOT NULL,
    message uuid NOT NULL,
    PRIMARY KEY (application, event_id)
);
CREATE INDEX event_id_message ON event_id (message);

CREATE TABLE idempotency (
    application uuid NOT NULL,
    digest bytea NOT NULL,
    message uuid NOT NULL,
    PRIMARY KEY (application, digest)
);
CREATE INDEX idempotency_message ON idempotency (message);

CREATE TABLE reservation (
    digest bytea PRIMARY KEY,
    fingerprint bytea NOT NULL,
    holder bigint NOT NULL,
    -- Another node may take it from then on, if there is no answer.
    until bigint NOT NULL,
    answer bytea,
    answered_at bigint
);
CREATE INDEX reservation_age ON reservation (coalesce(answered_at, until));

-- ---- the nodes

CREATE TABLE node (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    version text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- What it holds is free from then on.
    alive_until timestamptz NOT NULL
);

-- Changes of applications and their endpoints, kept for a few minutes, for nodes that cannot
-- listen.
CREATE TABLE change (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    application uuid NOT NULL
);
CREATE INDEX change_at ON change (at);

-- Facts about the installation as a whole.
CREATE TABLE installation (
    name text PRIMARY KEY,
    value bytea NOT NULL
);
