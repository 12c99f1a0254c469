-- Sources, and requests to them that were turned away.

CREATE TABLE source (
    id uuid PRIMARY KEY,
    organization text NOT NULL,
    application uuid NOT NULL,
    uid text,
    token_digest bytea NOT NULL,
    record text NOT NULL
);
CREATE INDEX source_of ON source (organization, id);
CREATE INDEX source_application ON source (application);
CREATE UNIQUE INDEX source_uid ON source (organization, uid) WHERE uid IS NOT NULL;
CREATE UNIQUE INDEX source_token ON source (token_digest);

-- Rows come and go within a day, under an attack many of them.
CREATE TABLE rejection (
    source uuid NOT NULL,
    id uuid NOT NULL,
    -- When it came. The id says so too, but lists of one source are not to walk over all.
    at bigint NOT NULL,
    details bytea NOT NULL,
    PRIMARY KEY (source, id)
) WITH (
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 5000
);
CREATE INDEX rejection_age ON rejection (at);
