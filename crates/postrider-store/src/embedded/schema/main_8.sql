-- Who may do what, and who did it: API keys, sessions and the audit log.


-- Background tasks.


-- Settings, integrations and automatic configuration.


-- Search and statistics.

CREATE INDEX endpoints_by_url ON endpoints (json_extract(record, '$.url'));
