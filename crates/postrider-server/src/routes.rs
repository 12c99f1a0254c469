//! Everything that the API can do.

mod application;
mod attempt;
mod authentication;
mod endpoint;
mod event_type;
mod health;
mod message;
mod source;

use crate::operation::Operation;

/// Every operation, in the order of the document.
pub(crate) fn all() -> Vec<Operation> {
    [
        application::operations(),
        endpoint::operations(),
        event_type::operations(),
        message::operations(),
        attempt::operations(),
        authentication::operations(),
        source::operations(),
        health::operations(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
