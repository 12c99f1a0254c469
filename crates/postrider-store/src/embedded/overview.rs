//! The overview contract.

use async_trait::async_trait;
use postrider::OrganizationId;
use postrider_core::{lane_state::LaneState, time::Timestamp};
use rusqlite::{Connection, Row, params};

use super::{
    error::IndexError, index::delivery_state::PENDING, number::EndpointNumber, readers::Reader,
    row::blob, store::EmbeddedStore,
};
use crate::{
    contract::{
        catalog::record::decode,
        overview::{
            EndpointCounts, EndpointPlace, EndpointRow, EndpointTotals, NodeRow, Overview, Queued,
            Space,
        },
    },
    error::StoreError,
};

#[async_trait]
impl Overview for EmbeddedStore {
    async fn endpoints(
        &self,
        organization: OrganizationId,
        after: Option<EndpointPlace>,
        limit: usize,
    ) -> Result<Vec<EndpointRow>, StoreError> {
        self.read(move |reader| endpoints(&reader.main, &organization, after, limit)).await
    }

    async fn count_endpoints(
        &self,
        organization: OrganizationId,
    ) -> Result<EndpointCounts, StoreError> {
        self.search(move |reader| Ok(count_endpoints(&reader.main, &organization)?)).await
    }

    async fn endpoint_totals(&self) -> Result<EndpointTotals, StoreError> {
        self.read(|reader| Ok(endpoint_totals(&reader.main)?)).await
    }

    async fn queued(
        &self,
        endpoints: Vec<EndpointPlace>,
        at_most: u64,
    ) -> Result<Vec<Queued>, StoreError> {
        let limit = at_most.min(u64::from(u32::MAX));
        let places = endpoints.clone();
        let found = self.search(move |reader| {
            reader.coverage().require_all()?;
            let mut all = places.iter().map(|place| queued(reader, *place, limit));
            Ok(all.by_ref().collect::<Result<_, _>>()?)
        });
        match found.await {
            Err(StoreError::Rebuilding(_)) => {
                let endpoints = endpoints.iter().map(|it| it.endpoint).collect();
                self.queued_without_index(endpoints, limit).await
            },
            result => result,
        }
    }

    async fn nodes(&self) -> Result<Vec<NodeRow>, StoreError> {
        self.open_store()?;
        Ok(vec![NodeRow::own(0, "embedded")])
    }

    async fn space(&self) -> Result<Space, StoreError> {
        let open = self.open_store()?;
        let folder = open.folder();
        let disk = rustix::fs::statvfs(folder.path()).ok();
        let handles = open.handles();
        Ok(Space {
            bytes: folder.bytes().map_err(StoreError::Unavailable)?,
            free_bytes: disk.map(|it| it.f_bavail.saturating_mul(it.f_frsize)),
            index_lag: handles.commits.position().0.saturating_sub(handles.index.applied().0),
            index_rebuild: handles.index.coverage().rebuild(),
        })
    }

    async fn publish_lanes(&self, _lanes: Vec<LaneState>) -> Result<(), StoreError> {
        Ok(())
    }

    async fn published_lanes(
        &self,
        _endpoints: Vec<EndpointPlace>,
    ) -> Result<Vec<(u64, LaneState)>, StoreError> {
        Ok(Vec::new())
    }
}

pub(super) const ENDPOINTS: &str = "SELECT e.record, e.failing_since
    FROM applications AS a INDEXED BY applications_by_organization
    CROSS JOIN endpoints AS e INDEXED BY endpoints_by_application ON e.application = a.id
    WHERE a.organization = ?1 AND a.id >= ?2 AND (a.id, e.id) > (?2, ?3)
    ORDER BY a.id, e.id
    LIMIT ?4";

fn endpoints(
    main: &Connection,
    organization: &OrganizationId,
    after: Option<EndpointPlace>,
    limit: usize,
) -> Result<Vec<EndpointRow>, StoreError> {
    let (application, endpoint) =
        after.map_or((0, 0), |it| (it.application.as_u128(), it.endpoint.as_u128()));
    let values = params![organization.as_str(), blob(application), blob(endpoint), limit];
    let mut statement = main.prepare_cached(ENDPOINTS)?;
    let mut rows = statement.query(values)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(endpoint_row(row)?);
    }
    Ok(found)
}

/// Reads the columns `record, failing_since`.
fn endpoint_row(row: &Row<'_>) -> Result<EndpointRow, StoreError> {
    let failing_since = row.get::<_, Option<u64>>(1)?.map(Timestamp::from_millis);
    let json: String = row.get(0)?;
    Ok(EndpointRow { endpoint: decode(&json)?, failing_since })
}

pub(super) const COUNT_ENDPOINTS: &str = "SELECT
      count(*) FILTER (WHERE NOT e.record ->> 'disabled'),
      count(*) FILTER (WHERE e.record ->> 'disabled'),
      count(DISTINCT e.application),
      count(DISTINCT CASE WHEN NOT e.record ->> 'disabled' THEN e.application END)
    FROM applications AS a
    CROSS JOIN endpoints AS e ON e.application = a.id
    WHERE a.organization = ?1";

const ENDPOINT_TOTALS: &str = "SELECT
        count(*) FILTER (WHERE NOT disabled AND NOT paused),
        count(*) FILTER (WHERE NOT disabled AND paused),
        count(*) FILTER (WHERE disabled)
    FROM (
        SELECT
            coalesce(record ->> '$.disabled', 0) AS disabled,
            coalesce(record ->> '$.paused', 0) AS paused
        FROM endpoints
    )";

fn endpoint_totals(db: &Connection) -> rusqlite::Result<EndpointTotals> {
    db.prepare_cached(ENDPOINT_TOTALS)?.query_row([], |row| {
        Ok(EndpointTotals { enabled: row.get(0)?, paused: row.get(1)?, disabled: row.get(2)? })
    })
}

fn count_endpoints(
    main: &Connection,
    organization: &OrganizationId,
) -> rusqlite::Result<EndpointCounts> {
    let mut statement = main.prepare_cached(COUNT_ENDPOINTS)?;
    statement.query_row([organization.as_str()], |row| {
        Ok(EndpointCounts {
            enabled: row.get(0)?,
            disabled: row.get(1)?,
            applications: row.get(2)?,
            active_applications: row.get(3)?,
        })
    })
}

pub(super) const QUEUED: &str = "SELECT count(*), min(at) FROM (
    SELECT at FROM deliveries INDEXED BY deliveries_open
    WHERE endpoint = ?1 AND state = ?2 AND state > 0
    LIMIT ?3
  )";

fn queued(reader: &Reader, place: EndpointPlace, limit: u64) -> Result<Queued, IndexError> {
    let number: Option<EndpointNumber> = reader.numbers().endpoint_number(place.endpoint);
    let Some(number) = number else { return Ok(Queued::default()) };
    let mut statement = reader.index.prepare_cached(QUEUED)?;
    Ok(statement.query_row(params![number, PENDING, limit], |row| {
        let oldest_due = row.get::<_, Option<u64>>(1)?.map(Timestamp::from_millis);
        Ok(Queued { pending: row.get(0)?, oldest_due })
    })?)
}
