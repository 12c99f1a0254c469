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


-- Background tasks.


-- Settings, integrations and automatic configuration.


-- Search and statistics.

