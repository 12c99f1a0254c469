//! The states of endpoints: what the catalog, the queue and the nodes know of them.

use std::collections::HashMap;

use postrider::{
    ApplicationId, EndpointId,
    api::{BreakerOut, DisabledOut, DisabledReason, EndpointStateOut},
};
use postrider_core::{
    breaker::BreakerState,
    catalog::{DisableReason, Endpoint},
    lane_state::LaneState,
    time::Timestamp,
};
use postrider_store::{EndpointRow, Queued};

use crate::{
    api::{convert::to_wire, error::ApiError},
    operations::call::Call,
};

/// Pending deliveries of an endpoint that are counted.
const MAX_PENDING: u64 = 10_000;

/// The states of these endpoints, which belong to the application if there is one.
pub(super) async fn states(
    call: &Call,
    rows: Vec<EndpointRow>,
    of: Option<ApplicationId>,
) -> Result<Vec<EndpointStateOut>, ApiError> {
    let places: Vec<_> = rows.iter().map(EndpointRow::place).collect();
    let lanes = lanes(call, &places, of).await?;
    let queued = call.store().queued(places, MAX_PENDING).await?;
    let none = Vec::new();
    let state = |(row, queued): (EndpointRow, Queued)| {
        let lanes = lanes.get(&row.endpoint.id).unwrap_or(&none);
        state(&row, queued, lanes)
    };
    Ok(rows.into_iter().zip(queued).map(state).collect())
}

type Lanes = HashMap<EndpointId, Vec<(u64, LaneState)>>;

/// What this node and the others know, with the nodes' numbers.
async fn lanes(
    call: &Call,
    places: &[postrider_store::EndpointPlace],
    of: Option<ApplicationId>,
) -> Result<Lanes, ApiError> {
    let own = call.store().node_lease().epoch;
    let mut lanes = Lanes::new();
    for place in places {
        lanes.entry(place.endpoint).or_default();
    }
    let ours = call.engine().lane_states(of).await.into_iter().map(|lane| (own, lane));
    let theirs = call.store().published_lanes(places.to_vec()).await?;
    for (node, lane) in ours.chain(theirs) {
        if let Some(known) = lanes.get_mut(&lane.endpoint) {
            known.push((node, lane));
        }
    }
    Ok(lanes)
}

fn state(row: &EndpointRow, queued: Queued, lanes: &[(u64, LaneState)]) -> EndpointStateOut {
    let endpoint = &row.endpoint;
    let in_flight: usize = lanes.iter().map(|(_, lane)| lane.in_flight).sum();
    let throttled = lanes.iter().filter_map(|(_, lane)| lane.throttled_until).max();
    EndpointStateOut {
        app_id: endpoint.application,
        endpoint_id: endpoint.id,
        endpoint_uid: endpoint.uid.clone(),
        url: endpoint.url.clone(),
        kind: endpoint.kind,
        disabled: endpoint.disabled.then(|| disabled(endpoint)),
        paused: endpoint.paused,
        failing_since: row.failing_since.map(to_wire),
        pending: queued.pending,
        oldest_due_at: queued.oldest_due.map(to_wire),
        in_flight: in_flight as u64,
        breakers: lanes.iter().filter_map(|(node, lane)| breaker(*node, lane)).collect(),
        throttled_until: throttled.map(to_wire),
    }
}

fn disabled(endpoint: &Endpoint) -> DisabledOut {
    let Some(disablement) = endpoint.disablement else {
        let reason = DisabledReason::Unknown;
        return DisabledOut { reason, by: None, at: None, failing_since: None };
    };
    let (reason, since) = match disablement.reason {
        DisableReason::Requested => (DisabledReason::Requested, None),
        DisableReason::Failing { since } => (DisabledReason::Failing, Some(since)),
        DisableReason::Gone => (DisabledReason::Gone, None),
    };
    DisabledOut {
        reason,
        by: Some(disablement.by.name().to_owned()),
        at: Some(to_wire(disablement.at)),
        failing_since: since.map(to_wire),
    }
}

fn breaker(node_id: u64, lane: &LaneState) -> Option<BreakerOut> {
    let out = |since: Timestamp, probe_at: Option<Timestamp>| BreakerOut {
        node_id,
        open_since: to_wire(since),
        next_probe_at: probe_at.map(to_wire),
    };
    match lane.breaker {
        BreakerState::Closed => None,
        BreakerState::Open { since, probe_at } => Some(out(since, Some(probe_at))),
        BreakerState::Probing { since } => Some(out(since, None)),
    }
}
