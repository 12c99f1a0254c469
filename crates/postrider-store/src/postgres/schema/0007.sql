-- Who may do what, and who did it: API keys, sessions and the audit log.

CREATE TABLE sign_in (
    digest bytea PRIMARY KEY,
    expires_at bigint NOT NULL,
    record text NOT NULL
);

CREATE INDEX sign_in_by_expiry ON sign_in (expires_at);


-- Background tasks.


-- Settings, integrations and automatic configuration.


-- Search and statistics.

