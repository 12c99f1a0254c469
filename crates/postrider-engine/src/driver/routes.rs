//! What sending takes, by endpoint, for those that have lanes.

use std::collections::{HashMap, HashSet, hash_map::Entry};

use postrider::{ApplicationId, EndpointId};

use crate::directory::Route;

/// The routes of the lanes. A change of one application does not go through those of others,
/// of which there may be very many.
#[derive(Debug, Default)]
pub(super) struct Routes {
    by_endpoint: HashMap<EndpointId, Route>,
    by_application: HashMap<ApplicationId, HashSet<EndpointId>>,
}

impl Routes {
    pub(super) fn get(&self, endpoint: EndpointId) -> Option<&Route> {
        self.by_endpoint.get(&endpoint)
    }

    pub(super) fn insert(&mut self, route: Route) {
        let endpoint = route.endpoint.id;
        self.by_application.entry(route.endpoint.application).or_default().insert(endpoint);
        self.by_endpoint.insert(endpoint, route);
    }

    /// The endpoints of an application.
    pub(super) fn of(&self, application: ApplicationId) -> Vec<EndpointId> {
        self.by_application.get(&application).into_iter().flatten().copied().collect()
    }

    pub(super) fn applications(&self) -> HashSet<ApplicationId> {
        self.by_application.keys().copied().collect()
    }

    pub(super) fn len(&self) -> usize {
        self.by_endpoint.len()
    }

    /// Keeps those whose lanes are still there.
    pub(super) fn retain(&mut self, has_lane: impl Fn(EndpointId) -> bool) {
        let gone = self.by_endpoint.extract_if(|endpoint, _| !has_lane(*endpoint));
        for (endpoint, route) in gone {
            if let Entry::Occupied(mut endpoints) =
                self.by_application.entry(route.endpoint.application)
            {
                endpoints.get_mut().remove(&endpoint);
                if endpoints.get().is_empty() {
                    endpoints.remove();
                }
            }
        }
    }
}
