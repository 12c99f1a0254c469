-- Transformations that an organization offers to the owners of endpoints.
CREATE TABLE connector (
    id uuid PRIMARY KEY,
    organization text NOT NULL,
    uid text,
    record text NOT NULL,
    version bigint NOT NULL DEFAULT 1
);
CREATE INDEX connector_of ON connector (organization, id);
CREATE UNIQUE INDEX connector_uid ON connector (organization, uid) WHERE uid IS NOT NULL;
