//! Everything that the API can do.

mod application;
mod attempt;
mod authentication;
pub(crate) mod call;
pub(crate) mod custom_headers;
mod endpoint;
pub(crate) mod event_type;
mod health;
mod message;
mod render;
pub(crate) mod secrets;
mod source;
mod status;

use crate::api::operation::Operation;

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
