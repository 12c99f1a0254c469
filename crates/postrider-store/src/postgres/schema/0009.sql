-- What was found when payloads of event types were checked. It changes all the time.
CREATE TABLE schema_report (
    organization text NOT NULL,
    name text NOT NULL,
    record text NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (organization, name)
);
