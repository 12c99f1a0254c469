//! The overview contract.

use async_trait::async_trait;
use postrider::OrganizationId;
use postrider_core::{breaker::BreakerState, lane_state::LaneState};
use tokio_postgres::Row;

use super::{
    error::DatabaseError,
    maintenance::size,
    parameter::Param,
    session::Session,
    store::{PostgresStore, with_session},
    value::{Uuid, millis, timestamp, to_bigint},
};
use crate::{
    contract::overview::{
        EndpointCounts, EndpointPlace, EndpointRow, EndpointTotals, NodeRow, Overview, Queued,
        Space,
    },
    error::StoreError,
};

/// Lanes that a node publishes, at most.
const MAX_LANES: usize = 1_000;

#[async_trait]
impl Overview for PostgresStore {
    async fn endpoints(
        &self,
        organization: OrganizationId,
        after: Option<EndpointPlace>,
        limit: usize,
    ) -> Result<Vec<EndpointRow>, StoreError> {
        with_session!(self.node.api_session(), |session| endpoints(
            session,
            &organization,
            after,
            limit
        ))
    }

    async fn count_endpoints(
        &self,
        organization: OrganizationId,
    ) -> Result<EndpointCounts, StoreError> {
        with_session!(self.node.api_session(), |session| count_endpoints(session, &organization))
    }

    async fn endpoint_totals(&self) -> Result<EndpointTotals, StoreError> {
        with_session!(self.node.background_session(), |session| endpoint_totals(session))
    }

    async fn queued(
        &self,
        endpoints: Vec<EndpointPlace>,
        at_most: u64,
    ) -> Result<Vec<Queued>, StoreError> {
        with_session!(self.node.api_session(), |session| queued(session, &endpoints, at_most))
    }

    async fn nodes(&self) -> Result<Vec<NodeRow>, StoreError> {
        let own = self.node.number();
        with_session!(self.node.api_session(), |session| nodes(session, own))
    }

    async fn space(&self) -> Result<Space, StoreError> {
        let size =
            with_session!(self.node.api_session(), |session| size::size(session, &self.node.size));
        size.map(|size| Space { bytes: size.bytes, ..Space::default() })
    }

    async fn publish_lanes(&self, mut lanes: Vec<LaneState>) -> Result<(), StoreError> {
        lanes.truncate(MAX_LANES);
        let own = self.node.number();
        with_session!(self.node.api_session(), |session| publish(session, own, &lanes))
    }

    async fn published_lanes(
        &self,
        endpoints: Vec<EndpointPlace>,
    ) -> Result<Vec<(u64, LaneState)>, StoreError> {
        let own = self.node.number();
        with_session!(self.node.api_session(), |session| published(session, own, &endpoints))
    }
}

pub(super) const ENDPOINTS: &str = "SELECT e.record, e.failing_since
    FROM application a
    JOIN endpoint e ON e.application = a.id
    WHERE a.organization = $1 AND a.id >= $2 AND (a.id, e.id) > ($2, $3)
    ORDER BY a.id, e.id
    LIMIT $4";

async fn endpoints(
    session: &mut Session,
    organization: &OrganizationId,
    after: Option<EndpointPlace>,
    limit: usize,
) -> Result<Vec<EndpointRow>, DatabaseError> {
    let (application, endpoint) =
        after.map_or((Uuid(0), Uuid(0)), |it| (it.application.into(), it.endpoint.into()));
    let values: [Param<'_>; 4] =
        [&organization.as_str(), &application, &endpoint, &to_bigint(limit)];
    let rows = session.query(ENDPOINTS, &values).await?;
    rows.iter().map(endpoint_row).collect()
}

fn endpoint_row(row: &Row) -> Result<EndpointRow, DatabaseError> {
    let endpoint = serde_json::from_str(row.get(0));
    let endpoint = endpoint.map_err(|error| DatabaseError::corrupt("endpoint", error))?;
    Ok(EndpointRow { endpoint, failing_since: row.get::<_, Option<i64>>(1).map(timestamp) })
}

pub(super) const COUNT_ENDPOINTS: &str = "SELECT
        count(*) FILTER (WHERE NOT is_disabled),
        count(*) FILTER (WHERE is_disabled),
        count(DISTINCT application),
        count(DISTINCT application) FILTER (WHERE NOT is_disabled)
    FROM (
        SELECT e.application, (e.record::jsonb ->> 'disabled')::boolean AS is_disabled
        FROM application a
        JOIN endpoint e ON e.application = a.id
        WHERE a.organization = $1
    ) AS found";

async fn count_endpoints(
    session: &mut Session,
    organization: &OrganizationId,
) -> Result<EndpointCounts, DatabaseError> {
    let row = session.query_one(COUNT_ENDPOINTS, &[&organization.as_str()]).await?;
    let count = |column: usize| u64::try_from(row.get::<_, i64>(column)).unwrap_or_default();
    Ok(EndpointCounts {
        enabled: count(0),
        disabled: count(1),
        applications: count(2),
        active_applications: count(3),
    })
}

const ENDPOINT_TOTALS: &str = "SELECT
        count(*) FILTER (WHERE NOT disabled AND NOT paused),
        count(*) FILTER (WHERE NOT disabled AND paused),
        count(*) FILTER (WHERE disabled)
    FROM (
        SELECT
            coalesce((json ->> 'disabled')::boolean, false) AS disabled,
            coalesce((json ->> 'paused')::boolean, false) AS paused
        FROM (SELECT record::jsonb AS json FROM endpoint) AS parsed
    ) AS states";

async fn endpoint_totals(session: &mut Session) -> Result<EndpointTotals, DatabaseError> {
    let row = session.query_one(ENDPOINT_TOTALS, &[]).await?;
    let count = |column: usize| u64::try_from(row.get::<_, i64>(column)).unwrap_or_default();
    Ok(EndpointTotals { enabled: count(0), paused: count(1), disabled: count(2) })
}

/// Ordered by the primary key, so that the planner uses no other index.
pub(super) const QUEUED: &str = "SELECT found.pending, found.oldest
    FROM unnest($1::uuid[], $2::uuid[])
        WITH ORDINALITY AS key (application, endpoint, place)
    CROSS JOIN LATERAL (
        SELECT count(*) AS pending, min(due_at) AS oldest FROM (
            SELECT due_at FROM queue q
            WHERE q.application = key.application AND q.endpoint = key.endpoint
            ORDER BY application, endpoint, message
            LIMIT $3
        ) AS waiting
    ) AS found
    ORDER BY key.place";

async fn queued(
    session: &mut Session,
    endpoints: &[EndpointPlace],
    at_most: u64,
) -> Result<Vec<Queued>, DatabaseError> {
    let (application, endpoint) = columns(endpoints);
    let limit = i64::try_from(at_most).unwrap_or(i64::MAX);
    let rows = session.query(QUEUED, &[&application, &endpoint, &limit]).await?;
    let queued = |row: &Row| Queued {
        pending: u64::try_from(row.get::<_, i64>(0)).unwrap_or_default(),
        oldest_due: row.get::<_, Option<i64>>(1).map(timestamp),
    };
    Ok(rows.iter().map(queued).collect())
}

fn columns(endpoints: &[EndpointPlace]) -> (Vec<Uuid>, Vec<Uuid>) {
    endpoints.iter().map(|it| (Uuid::from(it.application), Uuid::from(it.endpoint))).unzip()
}

const NODES: &str = "SELECT id, name, version,
        floor(extract(epoch FROM started_at) * 1000)::bigint,
        floor(extract(epoch FROM alive_until) * 1000)::bigint
    FROM node
    ORDER BY id
    LIMIT 1000";

async fn nodes(session: &mut Session, own: i64) -> Result<Vec<NodeRow>, DatabaseError> {
    let rows = session.query(NODES, &[]).await?;
    let node = |row: &Row| NodeRow {
        id: u64::try_from(row.get::<_, i64>(0)).unwrap_or_default(),
        name: row.get(1),
        version: row.get(2),
        started_at: Some(timestamp(row.get(3))),
        valid_until: Some(timestamp(row.get(4))),
        is_own: row.get::<_, i64>(0) == own,
    };
    Ok(rows.iter().map(node).collect())
}

/// What nodes that are gone published goes as well.
pub(super) const UNPUBLISH: &str = "DELETE FROM lane_state
    WHERE node = $1 OR NOT EXISTS (SELECT FROM node n WHERE n.id = lane_state.node)";

pub(super) const PUBLISH: &str = "INSERT INTO lane_state
        (node, application, endpoint, open_since, probe_at, failing_since, held, in_flight,
         throttled_until)
    SELECT $1, * FROM unnest($2::uuid[], $3::uuid[], $4::bigint[], $5::bigint[], $6::bigint[],
        $7::bigint[], $8::bigint[], $9::bigint[])
    ON CONFLICT DO NOTHING";

#[derive(Default)]
struct LaneColumns {
    application: Vec<Uuid>,
    endpoint: Vec<Uuid>,
    open_since: Vec<Option<i64>>,
    probe_at: Vec<Option<i64>>,
    failing_since: Vec<Option<i64>>,
    held: Vec<i64>,
    in_flight: Vec<i64>,
    throttled_until: Vec<Option<i64>>,
}

impl LaneColumns {
    fn push(&mut self, lane: &LaneState) {
        self.application.push(lane.application.into());
        self.endpoint.push(lane.endpoint.into());
        let (since, probe_at) = match lane.breaker {
            BreakerState::Closed => (None, None),
            BreakerState::Open { since, probe_at } => (Some(since), Some(probe_at)),
            BreakerState::Probing { since } => (Some(since), None),
        };
        self.open_since.push(since.map(millis));
        self.probe_at.push(probe_at.map(millis));
        self.failing_since.push(lane.failing_since.map(millis));
        self.held.push(to_bigint(lane.held));
        self.in_flight.push(to_bigint(lane.in_flight));
        self.throttled_until.push(lane.throttled_until.map(millis));
    }
}

async fn publish(
    session: &mut Session,
    own: i64,
    lanes: &[LaneState],
) -> Result<(), DatabaseError> {
    let mut columns = LaneColumns::default();
    for lane in lanes {
        columns.push(lane);
    }
    session.begin().await?;
    session.execute(UNPUBLISH, &[&own]).await?;
    if !lanes.is_empty() {
        let values: [Param<'_>; 9] = [
            &own,
            &columns.application,
            &columns.endpoint,
            &columns.open_since,
            &columns.probe_at,
            &columns.failing_since,
            &columns.held,
            &columns.in_flight,
            &columns.throttled_until,
        ];
        session.execute(PUBLISH, &values).await?;
    }
    session.commit().await
}

pub(super) const PUBLISHED: &str = "SELECT found.*
    FROM unnest($1::uuid[], $2::uuid[]) AS key (application, endpoint)
    CROSS JOIN LATERAL (
        SELECT l.node, l.application, l.endpoint, l.open_since, l.probe_at, l.failing_since,
            l.held, l.in_flight, l.throttled_until
        FROM lane_state l
        JOIN node n ON n.id = l.node
        WHERE l.application = key.application AND l.endpoint = key.endpoint AND l.node <> $3
            AND n.alive_until > clock_timestamp()
        LIMIT 100
    ) AS found";

async fn published(
    session: &mut Session,
    own: i64,
    endpoints: &[EndpointPlace],
) -> Result<Vec<(u64, LaneState)>, DatabaseError> {
    let (application, endpoint) = columns(endpoints);
    let rows = session.query(PUBLISHED, &[&application, &endpoint, &own]).await?;
    Ok(rows.iter().map(lane).collect())
}

fn lane(row: &Row) -> (u64, LaneState) {
    let count = |column: usize| usize::try_from(row.get::<_, i64>(column)).unwrap_or_default();
    let time = |column: usize| row.get::<_, Option<i64>>(column).map(timestamp);
    let breaker = match (time(3), time(4)) {
        (None, _) => BreakerState::Closed,
        (Some(since), Some(probe_at)) => BreakerState::Open { since, probe_at },
        (Some(since), None) => BreakerState::Probing { since },
    };
    let state = LaneState {
        application: row.get::<_, Uuid>(1).into(),
        endpoint: row.get::<_, Uuid>(2).into(),
        breaker,
        failing_since: time(5),
        held: count(6),
        in_flight: count(7),
        throttled_until: time(8),
    };
    (u64::try_from(row.get::<_, i64>(0)).unwrap_or_default(), state)
}
