-- The number of times that a record was saved, so that two writers cannot overwrite each other.
ALTER TABLE application ADD COLUMN version bigint NOT NULL DEFAULT 1;
ALTER TABLE endpoint ADD COLUMN version bigint NOT NULL DEFAULT 1;
ALTER TABLE event_type ADD COLUMN version bigint NOT NULL DEFAULT 1;
ALTER TABLE source ADD COLUMN version bigint NOT NULL DEFAULT 1;
