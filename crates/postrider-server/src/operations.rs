//! The operations of the API, by the records that they work on.
//!
//! Each operation is a struct of its input. [`Operations`](crate::Operations) runs it in process.

pub mod alert;
pub mod api_key;
pub mod application;
pub mod attempt;
pub mod audit_log;
pub(crate) mod audited;
pub mod authentication;
pub mod autoconfig;
pub(crate) mod call;
pub mod connector;
pub mod consumer;
pub(crate) mod custom_headers;
pub mod destination;
pub mod endpoint;
pub mod environment;
pub mod event_type;
pub(crate) mod handle;
pub mod health;
pub mod integration;
mod internal_application;
mod limit;
pub mod main_secret;
pub mod message;
pub mod operational_webhook;
mod page;
pub mod polling;
pub(crate) mod render;
pub(crate) mod resources;
pub mod search;
pub(crate) mod secrets;
pub mod source;
pub mod state;
pub mod statistics;
mod status;
pub mod task;

use crate::api::operation::AnyOperation;

/// Every operation, in the order of the document.
pub fn all() -> Vec<AnyOperation> {
    [
        application::all(),
        endpoint::all(),
        endpoint::headers::all(),
        endpoint::secret::all(),
        endpoint::server_ca::all(),
        endpoint::transformation::all(),
        endpoint::oauth::all(),
        endpoint::mtls::all(),
        endpoint::action::all(),
        endpoint::position::all(),
        endpoint::live_token::all(),
        endpoint::trial::all(),
        endpoint::filter::all(),
        endpoint::explanation::all(),
        destination::all(),
        destination::attempt::all(),
        destination::position::all(),
        event_type::all(),
        event_type::openapi::all(),
        event_type::validation::all(),
        environment::all(),
        environment::declaration::all(),
        message::all(),
        message::batch::all(),
        message::expunge::all(),
        message::import::all(),
        message::precheck::all(),
        message::schedule::all(),
        attempt::all(),
        attempt::headers::all(),
        search::messages::all(),
        search::attempts::all(),
        search::failures::all(),
        search::lookup::all(),
        attempt::count::all(),
        task::all(),
        task::resend::all(),
        task::statistics::all(),
        authentication::all(),
        integration::all(),
        autoconfig::all(),
        operational_webhook::all(),
        of_sources(),
        connector::all(),
        consumer::all(),
        consumer::dead_letter::all(),
        authentication::expire::all(),
        authentication::one_time::all(),
        authentication::whoami::all(),
        authentication::message_token::all(),
        polling::all(),
        polling::consumer::all(),
        polling::token::all(),
        api_key::all(),
        statistics::all(),
        statistics::worst::all(),
        statistics::hosted::all(),
        statistics::application::all(),
        state::all(),
        alert::all(),
        main_secret::all(),
        audit_log::all(),
        health::all(),
    ]
    .concat()
}

fn of_sources() -> Vec<AnyOperation> {
    [
        source::all(),
        source::secret::all(),
        source::dashboard::all(),
        source::endpoint::all(),
        source::endpoint_authentication::all(),
        source::position::all(),
        source::log::all(),
    ]
    .concat()
}
