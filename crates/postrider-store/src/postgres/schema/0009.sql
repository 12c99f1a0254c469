-- What was found when payloads of event types were checked. It changes all the time.
CREATE TABLE schema_report (
    organization text NOT NULL,
    name text NOT NULL,
    record text NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (organization, name)
);

-- Logs of polling endpoints. Whoever appends locks the row of the log, so an offset becomes visible
-- when all lower ones are. The row of a removed endpoint stays until its entries are removed.
CREATE TABLE poll_log (
    endpoint uuid PRIMARY KEY,
    application uuid NOT NULL,
    last bigint NOT NULL DEFAULT 0,
    last_at bigint NOT NULL DEFAULT 0,
    removed boolean NOT NULL DEFAULT false
) WITH (fillfactor = 50);
CREATE INDEX poll_log_of ON poll_log (application);
CREATE INDEX poll_log_removed ON poll_log (endpoint) WHERE removed;

CREATE TABLE poll_entry (
    endpoint uuid NOT NULL,
    number bigint NOT NULL,
    message uuid NOT NULL,
    at bigint NOT NULL,
    PRIMARY KEY (endpoint, number)
);
CREATE UNIQUE INDEX poll_entry_message ON poll_entry (message, endpoint);

CREATE TABLE poll_consumer (
    endpoint uuid NOT NULL,
    id text NOT NULL,
    version bigint NOT NULL,
    record text NOT NULL,
    PRIMARY KEY (endpoint, id)
);
