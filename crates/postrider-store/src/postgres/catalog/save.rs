//! Saving records, and what follows for deliveries and for other nodes.

use postrider::Uid;

use super::{key::Key, read::version, table::Table};
use crate::{
    contract::catalog::{Expected, MAX_DEAD_LETTERS, Parent, RecordKind, RecordRow, Version},
    postgres::{
        error::{DatabaseError, UniqueIndex},
        notify,
        parameter::Param,
        session::Session,
        value::{self, Uuid},
    },
};

/// A disabled endpoint is not failing.
const FORGET_FAILING: &str = "UPDATE endpoint
    SET failing_since = NULL
    WHERE application = $1 AND id = $2 AND failing_since IS NOT NULL";

/// A disabled endpoint always has a lane, so that nothing can make one that is not paused.
const PAUSE: &str = "INSERT INTO lane (application, endpoint, paused)
    VALUES ($1, $2, true)
    ON CONFLICT (application, endpoint) DO UPDATE SET paused = true";

pub(super) const CONTINUE: &str = "UPDATE lane SET paused = false
    WHERE application = $1 AND endpoint = $2 AND paused";

/// Two nodes may exceed the limit by a few.
pub(in crate::postgres) const COUNT_DEAD_LETTERS: &str = "SELECT count(*)
    FROM (SELECT FROM dead_letter WHERE consumer = $1 LIMIT $2) AS found";

pub(super) async fn has_room(
    session: &mut Session,
    consumer: &Parent,
) -> Result<bool, DatabaseError> {
    let (consumer, most) = (Key::from(consumer), value::to_bigint(MAX_DEAD_LETTERS));
    let found = session.query_one(COUNT_DEAD_LETTERS, &[consumer.param(), &most]).await?;
    Ok(found.get::<_, i64>(0) < most)
}

pub(in crate::postgres) async fn save(
    session: &mut Session,
    row: &RecordRow,
    expected: Expected,
) -> Result<Version, DatabaseError> {
    session.begin().await?;
    match write(session, row, expected).await {
        Ok(version) => {
            set_paused(session, row, expected).await?;
            if let Some(application) = row.application {
                notify::changed(session, application).await?;
            }
            if row.kind.controls_access() {
                notify::access_changed(session).await?;
            }
            if let (RecordKind::EventType, Parent::Organization(organization)) =
                (row.kind, &row.parent)
            {
                notify::event_types_changed(session, organization).await?;
            }
            session.commit().await?;
            Ok(version)
        },
        Err(error @ (DatabaseError::Conflict { .. } | DatabaseError::VersionMismatch { .. })) => {
            session.rollback().await?;
            Err(error)
        },
        Err(error) => Err(error),
    }
}

/// Writes the record if it is as expected; otherwise it leaves no trace. The only other things
/// that another record can have are the uid and the token.
pub(in crate::postgres) async fn write(
    session: &mut Session,
    row: &RecordRow,
    expected: Expected,
) -> Result<Version, DatabaseError> {
    let table = Table::of(row.kind);
    let (id, parent) = (Key::from(&row.id), Key::from(&row.parent));
    let uid = row.uid.as_ref().map(Uid::as_str);
    let application = row.application.map(Uuid::from);
    let digest = row.digest.as_ref().map(<[u8; 32]>::as_slice);
    let (overwrites, wanted) = (expected == Expected::Any, wanted(expected));
    let (sql, last): (_, Param<'_>) = match expected {
        Expected::New | Expected::Any => (table.put, &overwrites),
        Expected::Version(_) => (table.update, &wanted),
    };
    let hidden = row.is_hidden || (row.kind == RecordKind::Task && row.is_disabled);
    let values: [Param<'_>; 8] =
        [id.param(), parent.param(), &row.json, &uid, &hidden, &application, &digest, last];
    match session.query_opt(sql, &values).await {
        Ok(Some(row)) => version(&row),
        Ok(None) if expected == Expected::New => {
            Err(DatabaseError::Conflict { what: row.kind.name() })
        },
        Ok(None) => Err(DatabaseError::VersionMismatch { what: row.kind.name() }),
        Err(DatabaseError::UniqueViolation { index: UniqueIndex::Uid, .. }) => {
            Err(DatabaseError::Conflict { what: "uid" })
        },
        Err(DatabaseError::UniqueViolation { index: UniqueIndex::SourceToken, .. }) => {
            Err(DatabaseError::Conflict { what: "token" })
        },
        Err(error) => Err(error),
    }
}

fn wanted(expected: Expected) -> i64 {
    match expected {
        Expected::Version(Version(version)) => i64::try_from(version).unwrap_or(i64::MAX),
        Expected::New | Expected::Any => 0,
    }
}

/// Pauses or continues the deliveries of an endpoint.
async fn set_paused(
    session: &mut Session,
    row: &RecordRow,
    expected: Expected,
) -> Result<(), DatabaseError> {
    if row.kind != RecordKind::Endpoint {
        return Ok(());
    }
    let (application, id) = (Key::from(&row.parent), Key::from(&row.id));
    let key = [application.param(), id.param()];
    if row.is_disabled {
        session.execute(FORGET_FAILING, &key).await?;
        session.execute(PAUSE, &key).await?;
    } else if expected != Expected::New && session.execute(CONTINUE, &key).await? > 0 {
        notify::due(session).await?;
    }
    Ok(())
}
