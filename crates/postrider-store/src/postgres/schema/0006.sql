-- Queues that messages are read from.
CREATE TABLE consumer (
    id uuid PRIMARY KEY,
    organization text NOT NULL,
    uid text,
    record text NOT NULL,
    version bigint NOT NULL DEFAULT 1
);
CREATE INDEX consumer_of ON consumer (organization, id);
CREATE UNIQUE INDEX consumer_uid ON consumer (organization, uid) WHERE uid IS NOT NULL;

-- Who reads the partitions of a consumer's queue, and how far. It changes all the time.
CREATE TABLE consumer_partitions (
    consumer uuid PRIMARY KEY,
    record text NOT NULL,
    version bigint NOT NULL DEFAULT 1
) WITH (
    fillfactor = 10,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 1000
);

-- Messages of queues that could not be accepted. An id starts with its time, so the oldest come
-- first.
CREATE TABLE dead_letter (
    id uuid PRIMARY KEY,
    consumer uuid NOT NULL,
    record text NOT NULL,
    version bigint NOT NULL DEFAULT 1
);
CREATE INDEX dead_letter_of ON dead_letter (consumer, id);
