//! The operations of the API, by the records that they work on.
//!
//! Each operation is a struct of its input. [`Operations`](crate::Operations) runs it in process.

pub mod application;
pub mod attempt;
pub mod authentication;
pub(crate) mod call;
pub mod consumer;
pub(crate) mod custom_headers;
pub mod destination;
pub mod endpoint;
pub mod event_type;
pub(crate) mod handle;
pub mod health;
pub mod message;
mod page;
mod render;
pub(crate) mod secrets;
pub mod source;
pub mod state;
pub mod statistics;
mod status;

use crate::api::operation::AnyOperation;

/// Every operation, in the order of the document.
pub fn all() -> Vec<AnyOperation> {
    [
        application::all(),
        endpoint::all(),
        endpoint::headers::all(),
        endpoint::secret::all(),
        endpoint::action::all(),
        endpoint::live_token::all(),
        endpoint::trial::all(),
        destination::all(),
        event_type::all(),
        message::all(),
        message::batch::all(),
        attempt::all(),
        authentication::all(),
        source::all(),
        source::secret::all(),
        source::dashboard::all(),
        source::endpoint::all(),
        source::log::all(),
        consumer::all(),
        consumer::dead_letter::all(),
        statistics::all(),
        statistics::worst::all(),
        statistics::hosted::all(),
        statistics::application::all(),
        state::all(),
        health::all(),
    ]
    .concat()
}
