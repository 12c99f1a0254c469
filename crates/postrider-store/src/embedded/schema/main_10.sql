-- What was found when payloads of event types were checked. It changes all the time.
CREATE TABLE schema_reports (
  organization TEXT NOT NULL,
  name TEXT NOT NULL,
  version INTEGER NOT NULL,
  record TEXT NOT NULL,
  PRIMARY KEY (organization, name)
) STRICT, WITHOUT ROWID;
