//! The state of endpoints, queues and the installation.

mod endpoint;

use postrider::{
    ApplicationId, EndpointId,
    api::{
        ApplicationStateOut, Capability, EndpointKind, EndpointRateLimitStatus, EndpointStateOut,
        EndpointThrottleRateStatusOut, IndexRebuildOut, ListResponse, NodeOut, StatusOut,
        StoreStatusOut,
    },
};
use postrider_store::{EndpointPlace, EndpointRow, IdOrUid, NodeRow};

use crate::{
    api::{
        access::Access,
        convert::to_wire,
        error::ApiError,
        operation::operations,
        query::{Limit, query},
        reply::Done,
    },
    operations::call::{self, Call},
};
use postrider::api::Permission;

/// Endpoints that one page looks at, if few of them match its filter.
const MAX_ROWS: usize = 2_000;

operations! {
    tag "State";

    /// Get the state of an endpoint
    GetState "v1.endpoint.get-state" = GET "/api/v1/app/{app_id}/endpoint/{endpoint_id}/state"
        path { app_id: IdOrUid<ApplicationId>, endpoint_id: IdOrUid<EndpointId> }
        -> Done<EndpointStateOut> = get_state,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);

    /// Get whether a rate limit delays an endpoint's deliveries
    GetThrottlingStatus "v1.endpoint.get-throttling-status" = GET "/api/v1/app/{app_id}/endpoint/{endpoint_id}/rate-limit-status"
        path { app_id: IdOrUid<ApplicationId>, endpoint_id: IdOrUid<EndpointId> }
        -> Done<EndpointThrottleRateStatusOut> = get_throttling_status,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);

    /// Get the state of an application's queue
    GetApplicationState "v1.application.get-state" = GET "/api/v1/app/{app_id}/state"
        path { app_id: IdOrUid<ApplicationId> }
        -> Done<ApplicationStateOut> = get_application_state,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);

    /// List the endpoints of all applications with their state
    List "v1.endpoint-state.list" = GET "/api/v1/endpoint-state"
        query { ListQuery }
        -> Done<ListResponse<EndpointStateOut>> = list,
        needs(Permission::Read);

    /// Get the state of the installation: its nodes and its store
    GetStatus "v1.status.get" = GET "/api/v1/status"
        -> Done<StatusOut> = get_status,
        needs(Permission::Read);
}

query! {
    ListQuery {
        /// Maximum number of endpoints on the page. A page has fewer if few of many endpoints match; the list continues unless `done` is true.
        limit: Limit,
        /// The `iterator` of the previous page.
        iterator: Option<String>,
        /// Only endpoints that are failing, or that are not.
        failing: Option<bool>,
        /// Only endpoints that are disabled, or that are not.
        disabled: Option<bool>,
        /// Only endpoints of this kind.
        kind: Option<EndpointKind>,
    }
}

async fn get_state(call: Call, input: GetState) -> Result<Done<EndpointStateOut>, ApiError> {
    state_of(&call, &input.app_id, &input.endpoint_id).await.map(Done)
}

async fn get_throttling_status(
    call: Call,
    input: GetThrottlingStatus,
) -> Result<Done<EndpointThrottleRateStatusOut>, ApiError> {
    let state = state_of(&call, &input.app_id, &input.endpoint_id).await?;
    let is_throttled = state.throttled_until.is_some();
    let (limited, ok) = (EndpointRateLimitStatus::RateLimited, EndpointRateLimitStatus::Ok);
    let status = if is_throttled { limited } else { ok };
    Ok(Done(EndpointThrottleRateStatusOut { status }))
}

async fn state_of(
    call: &Call,
    app_id: &IdOrUid<ApplicationId>,
    endpoint_id: &IdOrUid<EndpointId>,
) -> Result<EndpointStateOut, ApiError> {
    let entry = call.application(app_id).await?;
    let endpoint = call::endpoint(&entry, endpoint_id)?;
    let failing = call.store().failing(entry.application.id).await?;
    let failing_since = failing.iter().find(|(id, _)| *id == endpoint.id).map(|(_, at)| *at);
    let row = EndpointRow { endpoint: (*endpoint).clone(), failing_since };
    let mut states = endpoint::states(call, vec![row], Some(entry.application.id)).await?;
    states.pop().ok_or(ApiError::NotFound("endpoint"))
}

async fn get_application_state(
    call: Call,
    input: GetApplicationState,
) -> Result<Done<ApplicationStateOut>, ApiError> {
    let entry = call.application(&input.app_id).await?;
    let application = entry.application.id;
    let failing = call.store().failing(application).await?;
    let row = |endpoint: &std::sync::Arc<postrider_core::catalog::Endpoint>| {
        let failing_since = failing.iter().find(|(id, _)| *id == endpoint.id).map(|(_, at)| *at);
        EndpointRow { endpoint: (**endpoint).clone(), failing_since }
    };
    let rows = entry.endpoints.iter().map(row).collect();
    let states = endpoint::states(&call, rows, Some(application)).await?;
    let count = |matches: fn(&EndpointStateOut) -> bool| {
        states.iter().filter(|it| matches(it)).count() as u64
    };
    Ok(Done(ApplicationStateOut {
        app_id: application,
        endpoints: states.len() as u64,
        disabled_endpoints: count(|it| it.disabled.is_some()),
        failing_endpoints: count(|it| it.failing_since.is_some()),
        pending: states.iter().map(|it| it.pending).sum(),
        oldest_due_at: states.iter().filter_map(|it| it.oldest_due_at).min(),
        in_flight: states.iter().map(|it| it.in_flight).sum(),
    }))
}

async fn list(call: Call, input: List) -> Result<Done<ListResponse<EndpointStateOut>>, ApiError> {
    let ListQuery { limit, iterator, failing, disabled, kind } = input.query;
    let mut after = iterator.as_deref().map(parse_place).transpose()?;
    let matches = |row: &EndpointRow| {
        failing.is_none_or(|it| it == row.failing_since.is_some())
            && disabled.is_none_or(|it| it == row.endpoint.disabled)
            && kind.is_none_or(|it| it == row.endpoint.kind)
    };
    let (mut rows, mut seen, mut done) = (Vec::new(), 0, false);
    while rows.len() < limit.0 && seen < MAX_ROWS && !done {
        let found = call.store().endpoints(call.organization().clone(), after, limit.0).await?;
        seen += found.len();
        done = found.len() < limit.0;
        for row in found {
            if rows.len() == limit.0 {
                done = false;
                break;
            }
            after = Some(row.place());
            if matches(&row) {
                rows.push(row);
            }
        }
    }
    let data = endpoint::states(&call, rows, None).await?;
    let iterator = after.map(|it| format!("{}.{}", it.application, it.endpoint));
    Ok(Done(ListResponse { data, iterator, prev_iterator: None, done }))
}

fn parse_place(text: &str) -> Result<EndpointPlace, ApiError> {
    let place = text.split_once('.').and_then(|(application, endpoint)| {
        Some(EndpointPlace {
            application: application.parse().ok()?,
            endpoint: endpoint.parse().ok()?,
        })
    });
    place
        .ok_or_else(|| ApiError::invalid(&["query", "iterator"], "is not an iterator of this list"))
}

async fn get_status(call: Call, _: GetStatus) -> Result<Done<StatusOut>, ApiError> {
    let store = call.store();
    let (space, size) = (store.space().await?, store.size().await?);
    let nodes = store.nodes().await?;
    Ok(Done(StatusOut {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        nodes: nodes.into_iter().map(node).collect(),
        store: StoreStatusOut {
            bytes: space.bytes,
            free_bytes: space.free_bytes,
            index_lag: space.index_lag,
            index_rebuild: space
                .index_rebuild
                .map(|it| IndexRebuildOut { since: to_wire(it.since), percent: it.percent }),
            writable: store.check_writable().await.is_ok(),
        },
        waiting: size.waiting,
        oldest_due_at: size.oldest_due.map(to_wire),
    }))
}

fn node(row: NodeRow) -> NodeOut {
    NodeOut {
        id: row.id,
        name: row.name,
        version: row.version,
        started_at: row.started_at.map(to_wire),
        lease_until: row.valid_until.map(to_wire),
        current: row.is_own,
    }
}
