-- The number of times that a record was saved, so that two writers cannot overwrite each other.
ALTER TABLE applications ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE endpoints ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE event_types ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE sources ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
