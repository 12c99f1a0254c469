//! Reads of rollups, together with what is not added up yet.

use std::collections::{BTreeMap, BTreeSet};

use postrider::{ApplicationId, OrganizationId};
use postrider_core::statistics::{Counters, Period, RollupKey, Rollups, Subject};
use tokio_postgres::Row;

use super::tally;
use crate::{
    contract::statistics::Ranked,
    postgres::{
        error::DatabaseError,
        parameter::Param,
        row,
        session::Session,
        value::{self, Uuid, millis},
    },
    ranking::Ranking,
};

/// Both tables are read as they were at one moment: a row is in one of them.
const SNAPSHOT: &str = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY";

/// One lookup for each subject and period, from the first to the last period that is stored.
pub(in crate::postgres) const ROLLUPS: &str = "SELECT found.start, found.subject, found.counters
    FROM generate_series(
        greatest($2::bigint, coalesce((
            SELECT start FROM rollup WHERE resolution = $1
            ORDER BY resolution, start LIMIT 1
        ), $3::bigint)),
        least($3::bigint - 1, (
            SELECT start FROM rollup WHERE resolution = $1
            ORDER BY resolution DESC, start DESC LIMIT 1
        )),
        $4::bigint
    ) AS period (start)
    CROSS JOIN unnest($5::bytea[]) AS key (subject)
    CROSS JOIN LATERAL (
        SELECT r.start, r.subject, r.counters FROM rollup r
        WHERE r.resolution = $1 AND r.start = period.start AND r.subject = key.subject
        LIMIT 1
    ) AS found";

/// What is not added up yet, of these applications or of all.
pub(in crate::postgres) const TALLY: &str =
    "SELECT application, subject, fact, sum(count)::bigint AS count
    FROM tally
    WHERE $2 OR application = ANY ($1)
    GROUP BY application, subject, fact";

pub(super) async fn rollups(
    session: &mut Session,
    subjects: &[Subject],
    period: Period,
) -> Result<Vec<(RollupKey, Counters)>, DatabaseError> {
    let subjects: BTreeSet<&Subject> = subjects.iter().collect();
    session.begin().await?;
    session.run(SNAPSHOT).await?;
    let mut found = stored(session, &subjects, period).await?;
    let rows = unfolded(session, &subjects).await?;
    let recent = tally::add_up(session, &rows).await?;
    session.commit().await?;
    for (key, counters) in within(&recent, period) {
        if subjects.contains(&key.subject) {
            found.entry(key.clone()).or_default().merge(counters);
        }
    }
    Ok(found.into_iter().collect())
}

async fn stored(
    session: &mut Session,
    subjects: &BTreeSet<&Subject>,
    period: Period,
) -> Result<BTreeMap<RollupKey, Counters>, DatabaseError> {
    let resolution = i16::from(period.resolution.code());
    let since = millis(period.resolution.round_up(period.since));
    let step = i64::try_from(period.resolution.millis()).unwrap_or(i64::MAX);
    let keys: Vec<_> = subjects.iter().map(|it| it.to_bytes()).collect();
    let values: [Param<'_>; 5] = [&resolution, &since, &millis(period.until), &step, &keys];
    let mut found = BTreeMap::new();
    for row in session.query(ROLLUPS, &values).await? {
        let key = RollupKey {
            resolution: period.resolution,
            start: value::timestamp(row.get(0)),
            subject: subject(row.get(1))?,
        };
        found.insert(key, row::counters(row.get(2))?);
    }
    Ok(found)
}

async fn unfolded(
    session: &mut Session,
    subjects: &BTreeSet<&Subject>,
) -> Result<Vec<Row>, DatabaseError> {
    let applications: Vec<_> =
        subjects.iter().filter_map(|it| it.application()).map(Uuid::from).collect();
    let is_all = applications.len() < subjects.len();
    session.query(TALLY, &[&applications, &is_all]).await
}

fn within(rollups: &Rollups, period: Period) -> impl Iterator<Item = (&RollupKey, &Counters)> {
    rollups.entries().iter().filter(move |(key, _)| {
        key.resolution == period.resolution && key.start >= period.since && key.start < period.until
    })
}

pub(in crate::postgres) const PROBLEMS: &str = "SELECT subject, counters
    FROM rollup
    WHERE resolution = $1 AND start >= $2 AND start < $3 AND problems > 0";

pub(super) async fn worst(
    session: &mut Session,
    organization: &OrganizationId,
    (ranked, period): (Ranked, Period),
    limit: usize,
) -> Result<Vec<(Subject, Counters)>, DatabaseError> {
    session.begin().await?;
    session.run(SNAPSHOT).await?;
    let resolution = i16::from(period.resolution.code());
    let (since, until) = (millis(period.since), millis(period.until));
    let rows = session.query(PROBLEMS, &[&resolution, &since, &until]).await?;
    let none: Vec<Uuid> = Vec::new();
    let recent = session.query(TALLY, &[&none, &true]).await?;
    let recent = tally::add_up(session, &recent).await?;
    let (mut ranking, mut applications) = (Ranking::default(), BTreeSet::new());
    let mut add = |subject: Subject, counters: &Counters| {
        if ranked.includes(&subject) {
            applications.extend(subject.application().map(Uuid::from));
            ranking.add(subject, counters);
        }
    };
    for row in &rows {
        add(subject(row.get(0))?, &row::counters(row.get(1))?);
    }
    within(&recent, period).for_each(|(key, counters)| add(key.subject.clone(), counters));
    let applications = applications.into_iter().collect();
    let organizations = tally::organizations_of(session, applications).await?;
    session.commit().await?;
    let is_of = |id: ApplicationId| organizations.get(&id.into()) == Some(organization);
    Ok(ranking.worst(|subject| subject.application().is_some_and(is_of), limit))
}

fn subject(bytes: &[u8]) -> Result<Subject, DatabaseError> {
    let found = Subject::from_bytes(bytes);
    found.ok_or_else(|| DatabaseError::corrupt("rollup", "its subject is not known"))
}
