//! Configures the dispatcher's lanes from what the directory knows.

use std::{sync::Arc, time::Duration};

use postrider::{ApplicationId, EndpointId, api::EndpointKind};
use postrider_core::{
    delivery::DeliveryOrder,
    dispatch::{self, Batch, Input, LaneSetup, Policy},
    message::Message,
    retry::{AttemptLimit, Schedule},
    time::Timestamp,
};

use crate::{
    components::Components,
    directory::{Directory, Entry, Route},
    settings::Settings,
};

/// How many messages one transaction appends to the log of a polling endpoint.
const LOG_BATCH: Batch = Batch { size: 200, max_wait: Duration::ZERO };

/// Waits after an append that failed. The last one is repeated.
const LOG_WAITS: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
];

const LOG_JITTER: f64 = 0.2;

pub(super) type Dispatcher = dispatch::Dispatcher<Route, Arc<Message>>;

/// Configures lanes.
#[derive(Debug)]
pub(super) struct LaneConfigurator {
    directory: Arc<Directory>,
    settings: Arc<Settings>,
    is_shared_store: bool,
}

impl LaneConfigurator {
    pub(super) fn new(components: &Components) -> Self {
        Self {
            directory: Arc::clone(&components.directory),
            settings: Arc::clone(&components.settings),
            is_shared_store: components.store.is_shared(),
        }
    }

    /// Gives an endpoint a lane, if it has none and is enabled; whether it has one then.
    ///
    /// What the directory knows now takes precedence over `entry`: a change may have overtaken
    /// the caller that looked it up, and a lane keeps the route that it was created with. If the
    /// directory cannot tell any more, no lane is created. The store has the delivery, and a
    /// claim reads the application again.
    pub(super) fn ensure(
        &self,
        dispatcher: &mut Dispatcher,
        entry: &Arc<Entry>,
        endpoint: EndpointId,
        now: Timestamp,
    ) -> bool {
        if dispatcher.open_route(endpoint).is_some() {
            return true;
        }
        let Some(entry) = self.directory.current(entry) else { return false };
        let route = entry.routes.get(&endpoint).filter(|it| !it.endpoint.is_stopped());
        if let Some(route) = route {
            self.configure(dispatcher, &entry, route, now);
        }
        route.is_some()
    }

    /// Whether the entry may be outdated while the directory knows nothing newer.
    pub(super) fn is_outdated(&self, entry: &Arc<Entry>) -> bool {
        self.directory.current(entry).is_none()
    }

    /// Lets the application's lanes follow a change.
    pub(super) fn follow(
        &self,
        dispatcher: &mut Dispatcher,
        application: ApplicationId,
        entry: Option<Arc<Entry>>,
        now: Timestamp,
    ) {
        // Two changes may arrive in another order than they were made in.
        let entry = self.directory.known(application).or(entry);
        for endpoint in dispatcher.endpoints_of(application) {
            let route = entry.as_ref().and_then(|it| it.routes.get(&endpoint));
            match (&entry, route.filter(|it| !it.endpoint.is_stopped())) {
                (Some(entry), Some(route)) => self.configure(dispatcher, entry, route, now),
                _ => dispatcher.handle(Input::Close(endpoint), now),
            }
        }
    }

    /// How a new delivery is ordered: as its lane is configured, or would be.
    pub(super) fn order(
        &self,
        dispatcher: &Dispatcher,
        entry: &Entry,
        endpoint: EndpointId,
        message: &Message,
    ) -> DeliveryOrder {
        let endpoint = dispatcher
            .open_route(endpoint)
            .map(|route| &route.endpoint)
            .or_else(|| entry.endpoints.iter().find(|it| it.id == endpoint));
        endpoint.map_or(DeliveryOrder::Any, |endpoint| {
            endpoint.delivery_order(message.deliver_at, self.is_shared_store)
        })
    }

    fn configure(&self, dispatcher: &mut Dispatcher, entry: &Entry, route: &Route, now: Timestamp) {
        let settings = &self.settings;
        let is_polling = route.endpoint.kind == EndpointKind::Polling;
        // A log has no message that can never be appended, and must not lose one.
        let (attempt_limit, schedule) = if is_polling {
            (AttemptLimit::Unlimited, Schedule::new(&LOG_WAITS, LOG_JITTER))
        } else {
            (route.endpoint.attempt_limit, settings.schedule.clone())
        };
        let of_log = is_polling.then_some(LOG_BATCH);
        let policy = Policy {
            application: entry.application.id,
            max_in_flight: route.target.max_in_flight(settings.limits.in_flight_per_endpoint),
            max_rest: route.target.destination.max_rest(),
            rate: route.endpoint.throttle_rate,
            order: route.endpoint.delivery_order(None, self.is_shared_store),
            batch: of_log.or_else(|| {
                route.endpoint.batch.map(|it| Batch {
                    size: it.size.into(),
                    max_wait: Duration::from_secs(it.max_wait_seconds.into()),
                })
            }),
            breaker: settings.breaker,
            schedule: schedule.limited(attempt_limit),
            // Its owner wants it to be tried for ever.
            disable_after: if attempt_limit == AttemptLimit::Unlimited {
                Duration::MAX
            } else {
                settings.disable_endpoint_after
            },
            retry_requested_at: route.endpoint.retry_requested_at,
        };
        let (application, rate) = (entry.application.id, entry.application.throttle_rate);
        dispatcher.handle(Input::LimitApplication { application, rate }, now);
        let setup = LaneSetup {
            endpoint: route.endpoint.id,
            policy,
            route: route.clone(),
            failing_since: route.failing_since,
        };
        dispatcher.handle(Input::Configure(Box::new(setup)), now);
    }
}
