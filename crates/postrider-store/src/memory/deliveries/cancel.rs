//! Cancelling deliveries.

use crate::{contract::deliveries::Scope, memory::state::State};

impl State {
    pub(in crate::memory) fn cancel(&mut self, scope: Scope) -> u64 {
        self.cancel_where(|delivery| match scope {
            Scope::Application(id) => delivery.delivery.application == id,
            Scope::Endpoint(_, id) => delivery.delivery.id.endpoint == id,
            Scope::Message(_, id) => delivery.delivery.id.message == id,
        })
    }
}
