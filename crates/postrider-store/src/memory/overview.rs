//! What an operator asks, answered by looking at everything.

use std::collections::BTreeSet;

use async_trait::async_trait;
use postrider::{ApplicationId, EndpointId, OrganizationId};
use postrider_core::{catalog::Endpoint, lane_state::LaneState};

use super::{MemoryStore, state::State};
use crate::{
    contract::{
        catalog::{RecordKind, record::decode},
        overview::{
            EndpointCounts, EndpointPlace, EndpointRow, EndpointTotals, NodeRow, Overview, Queued,
            Space,
        },
    },
    error::StoreError,
};

#[async_trait]
impl Overview for MemoryStore {
    async fn endpoints(
        &self,
        organization: OrganizationId,
        after: Option<EndpointPlace>,
        limit: usize,
    ) -> Result<Vec<EndpointRow>, StoreError> {
        self.transact(|state| {
            let mut all = state.endpoints_of(&organization)?;
            all.sort_by_key(EndpointRow::place);
            all.retain(|row| after.is_none_or(|after| row.place() > after));
            all.truncate(limit);
            Ok(all)
        })
    }

    async fn count_endpoints(
        &self,
        organization: OrganizationId,
    ) -> Result<EndpointCounts, StoreError> {
        self.transact(|state| {
            let all = state.endpoints_of(&organization)?;
            let enabled: Vec<_> = all.iter().filter(|row| !row.endpoint.disabled).collect();
            let all_of = all.iter().map(|row| row.endpoint.application);
            let active = enabled.iter().map(|row| row.endpoint.application);
            Ok(EndpointCounts {
                enabled: enabled.len() as u64,
                disabled: (all.len() - enabled.len()) as u64,
                applications: all_of.collect::<BTreeSet<_>>().len() as u64,
                active_applications: active.collect::<BTreeSet<_>>().len() as u64,
            })
        })
    }

    async fn queued(
        &self,
        endpoints: Vec<EndpointPlace>,
        at_most: u64,
    ) -> Result<Vec<Queued>, StoreError> {
        let limit = usize::try_from(at_most).unwrap_or(usize::MAX);
        self.transact(|state| {
            Ok(endpoints.iter().map(|place| state.queued(place.endpoint, limit)).collect())
        })
    }

    async fn nodes(&self) -> Result<Vec<NodeRow>, StoreError> {
        let lease = self.lease();
        self.transact(|_| Ok(vec![NodeRow::own(lease.epoch, "memory")]))
    }

    async fn endpoint_totals(&self) -> Result<EndpointTotals, StoreError> {
        self.transact(|state| {
            let mut totals = EndpointTotals::default();
            for (_, row) in state.records.values().filter(|(_, it)| it.kind == RecordKind::Endpoint)
            {
                let endpoint: Endpoint = decode(&row.json)?;
                let total = match (endpoint.disabled, endpoint.paused) {
                    (true, _) => &mut totals.disabled,
                    (false, true) => &mut totals.paused,
                    (false, false) => &mut totals.enabled,
                };
                *total += 1;
            }
            Ok(totals)
        })
    }

    async fn space(&self) -> Result<Space, StoreError> {
        self.transact(|state| {
            let bodies = state.messages.values().filter_map(|it| it.body.as_ref());
            let bytes = bodies.map(|body| body.len() as u64).sum();
            Ok(Space { bytes, ..Space::default() })
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

impl State {
    fn endpoints_of(&self, organization: &OrganizationId) -> Result<Vec<EndpointRow>, StoreError> {
        let mut found = Vec::new();
        for (_, row) in self.records.values().filter(|(_, row)| row.kind == RecordKind::Endpoint) {
            let endpoint: Endpoint = decode(&row.json)?;
            if self.is_of(endpoint.application, organization) {
                let failing_since = self.failing.get(&endpoint.id).copied();
                found.push(EndpointRow { endpoint, failing_since });
            }
        }
        Ok(found)
    }

    fn is_of(&self, application: ApplicationId, organization: &OrganizationId) -> bool {
        self.organization(application) == Some(organization)
    }

    fn queued(&self, endpoint: EndpointId, limit: usize) -> Queued {
        let of_endpoint = self.deliveries.values().filter(|it| it.delivery.id.endpoint == endpoint);
        let due_at = of_endpoint.filter_map(|it| it.state.due_at()).take(limit);
        let due_at: Vec<_> = due_at.collect();
        Queued { pending: due_at.len() as u64, oldest_due: due_at.into_iter().min() }
    }
}
