//! Calls for event types.

use http::Method;

use super::{Call, Client, Error, EventTypeQuery};
use crate::api::{EventTypeIn, EventTypeOut, EventTypePatch, EventTypeUpdate, ListResponse};

/// Event types: the named kinds of events.
#[derive(Clone, Copy, Debug)]
pub struct EventTypes<'a>(pub(super) &'a Client);

impl EventTypes<'_> {
    /// Lists event types.
    pub async fn list(&self, query: &EventTypeQuery) -> Result<ListResponse<EventTypeOut>, Error> {
        self.0.call(call(Method::GET, &[]).query(query)).await?.json()
    }

    /// Creates an event type.
    pub async fn create(&self, event_type: &EventTypeIn) -> Result<EventTypeOut, Error> {
        self.0.call(call(Method::POST, &[]).json(event_type)?).await?.json()
    }

    /// Gets an event type.
    pub async fn get(&self, name: &str) -> Result<EventTypeOut, Error> {
        self.0.call(call(Method::GET, &[name])).await?.json()
    }

    /// Replaces an event type, or creates it.
    pub async fn update(
        &self,
        name: &str,
        event_type: &EventTypeUpdate,
    ) -> Result<EventTypeOut, Error> {
        self.0.call(call(Method::PUT, &[name]).json(event_type)?).await?.json()
    }

    /// Changes some fields.
    pub async fn patch(&self, name: &str, patch: &EventTypePatch) -> Result<EventTypeOut, Error> {
        self.0.call(call(Method::PATCH, &[name]).json(patch)?).await?.json()
    }

    /// Archives an event type: it is no longer listed, and its messages remain.
    pub async fn archive(&self, name: &str) -> Result<(), Error> {
        self.0.call(call(Method::DELETE, &[name])).await.map(drop)
    }

    /// Permanently deletes an event type.
    pub async fn expunge(&self, name: &str) -> Result<(), Error> {
        self.0.call(call(Method::DELETE, &[name]).pair("expunge", "true")).await.map(drop)
    }
}

fn call(method: Method, path: &[&str]) -> Call {
    Call::new(method, &[&["api", "v1", "event-type"], path].concat())
}
