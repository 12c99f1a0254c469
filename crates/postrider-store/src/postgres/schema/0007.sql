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


-- Background tasks.


-- Settings, integrations and automatic configuration.


-- Search and statistics.

-- What was accepted and attempted, across applications. Ids grow, so an insertion appends to the
-- last page of its day.
CREATE INDEX message_id ON message (id);
CREATE INDEX attempt_id ON attempt (id);
CREATE INDEX attempt_failed ON attempt (id) WHERE status < 200 OR status > 299;
CREATE INDEX delivery_not_delivered ON delivery (message) WHERE state <> 1;

CREATE INDEX endpoint_id ON endpoint (id);
CREATE INDEX endpoint_url ON endpoint (((record::json) ->> 'url') COLLATE "C");
