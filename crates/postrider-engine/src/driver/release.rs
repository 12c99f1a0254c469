//! Releases deliveries to the store: their lanes are resting or closed, or they have waited too
//! long.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use postrider_core::{delivery::Delivery, dispatch::Input, time::Timestamp};
use postrider_store::{Store, StoreError};

use super::{in_flight::InFlight, lanes::Dispatcher};
use crate::{components::Components, store_errors::StoreErrors};

/// Releases deliveries; one batch at a time.
#[derive(Debug)]
pub(super) struct Releaser {
    store: Arc<dyn Store>,
    errors: Arc<StoreErrors>,
    in_flight: InFlight<Result<(), StoreError>>,
}

impl Releaser {
    pub(super) fn new(components: &Components) -> Self {
        Self {
            store: Arc::clone(&components.store),
            errors: Arc::clone(&components.errors),
            in_flight: InFlight::default(),
        }
    }

    pub(super) fn start(&mut self, deliveries: Vec<(Delivery, Timestamp)>) {
        let store = Arc::clone(&self.store);
        self.in_flight.start(async move { store.release(deliveries).await });
    }

    pub(super) fn poll(&mut self, ctx: &mut Context<'_>) -> Poll<Result<(), StoreError>> {
        self.in_flight.poll(ctx)
    }

    pub(super) fn finish(
        &self,
        result: Result<(), StoreError>,
        dispatcher: &mut Dispatcher,
        now: Timestamp,
    ) {
        let input = match result {
            Ok(()) => Input::Released,
            Err(error) => {
                self.errors.report("release", &error);
                Input::ReleaseFailed
            },
        };
        dispatcher.handle(input, now);
    }
}
