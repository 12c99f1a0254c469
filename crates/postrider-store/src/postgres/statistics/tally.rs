//! Rows of the table `tally`.

use std::collections::{BTreeSet, HashMap};

use postrider::OrganizationId;
use postrider_core::statistics::{Counted, CountedFor, Fact, FactKind, Rollups};
use tokio_postgres::Row;

use crate::postgres::{error::DatabaseError, session::Session, value::Uuid};

const ORGANIZATIONS: &str = "SELECT found.id, found.organization
    FROM unnest($1::uuid[]) AS key (id)
    CROSS JOIN LATERAL (
        SELECT a.id, a.organization FROM application a WHERE a.id = key.id LIMIT 1
    ) AS found";

/// Adds rows with the columns `application, subject, fact, count` up. Those of applications that
/// were removed are left out.
pub(super) async fn add_up(session: &mut Session, rows: &[Row]) -> Result<Rollups, DatabaseError> {
    let organizations = organizations(session, rows).await?;
    let mut rollups = Rollups::default();
    for row in rows {
        if let Some(organization) = organizations.get(&row.get::<_, Uuid>(0))
            && let Some(counted) = counted(row)
        {
            rollups.add(counted, Some(organization));
        }
    }
    Ok(rollups)
}

/// The organizations of the applications in the first column.
pub(super) async fn organizations(
    session: &mut Session,
    rows: &[Row],
) -> Result<HashMap<Uuid, OrganizationId>, DatabaseError> {
    let ids: BTreeSet<Uuid> = rows.iter().map(|row| row.get(0)).collect();
    organizations_of(session, ids.into_iter().collect()).await
}

pub(super) async fn organizations_of(
    session: &mut Session,
    applications: Vec<Uuid>,
) -> Result<HashMap<Uuid, OrganizationId>, DatabaseError> {
    let mut found = HashMap::with_capacity(applications.len());
    for row in session.query(ORGANIZATIONS, &[&applications]).await? {
        let organization = row.get::<_, &str>(1).parse();
        let organization = organization.map_err(|it| DatabaseError::corrupt("application", it))?;
        found.insert(row.get(0), organization);
    }
    Ok(found)
}

/// `None` if a later version wrote the row.
fn counted(row: &Row) -> Option<Counted> {
    let fact = Fact::unpack(row.get(2))?;
    let subject: Option<Uuid> = row.get(1);
    let of = match fact.kind {
        FactKind::Message { .. } => CountedFor::Application,
        FactKind::Attempt { .. } => CountedFor::Endpoint(subject?.into()),
        FactKind::Request(_) => CountedFor::Source(subject?.into()),
    };
    let count = u64::try_from(row.get::<_, i64>(3)).unwrap_or_default();
    Some(Counted { application: row.get::<_, Uuid>(0).into(), of, fact, count })
}
