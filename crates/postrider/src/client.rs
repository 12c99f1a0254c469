//! A typed client of the HTTP API (feature `client`).
//!
//! ```no_run
//! use postrider::{
//!     api::{ApplicationIn, EndpointIn},
//!     client::Client,
//! };
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::new("http://127.0.0.1:8071", "the token")?;
//! let acme = ApplicationIn { name: "Acme".into(), uid: Some("acme".into()), ..Default::default() };
//! client.application().create(&acme).await?;
//! let url = "https://example.com/hook".to_owned();
//! client.endpoint("acme").create(&EndpointIn { url, ..Default::default() }).await?;
//! client.message("acme").publish("invoice.paid", &serde_json::json!({ "id": "in_1" })).await?;
//! # Ok(())
//! # }
//! ```
//!
//! A client is cheap to clone and reuses its connections. [`Error::is_transient`] tells whether a
//! failed call is worth repeating. With the same [idempotency key](Client::with_idempotency_key), a
//! repeated `POST` takes effect only once.

mod application;
mod attempt;
mod authentication;
mod call;
mod endpoint;
mod error;
mod event_type;
mod message;
mod query;
mod source;
mod transport;

pub use self::{
    application::Applications,
    attempt::Attempts,
    authentication::Authentication,
    call::{Call, Response},
    endpoint::Endpoints,
    error::{Error, InvalidClient},
    event_type::EventTypes,
    message::Messages,
    query::{AttemptQuery, EventTypeQuery, MessageQuery, Page, Query},
    source::Sources,
    transport::{Client, TIMEOUT},
};

impl Client {
    /// Applications: your customers.
    pub fn application(&self) -> Applications<'_> {
        Applications(self)
    }

    /// Endpoints of an application, given by id or uid.
    pub fn endpoint<'a>(&'a self, application: &'a str) -> Endpoints<'a> {
        Endpoints { client: self, application }
    }

    /// Event types of the organization.
    pub fn event_type(&self) -> EventTypes<'_> {
        EventTypes(self)
    }

    /// Messages of an application.
    pub fn message<'a>(&'a self, application: &'a str) -> Messages<'a> {
        Messages { client: self, application }
    }

    /// Attempts to deliver messages of an application.
    pub fn attempt<'a>(&'a self, application: &'a str) -> Attempts<'a> {
        Attempts { client: self, application }
    }

    /// Sources: the URLs that providers post to.
    pub fn source(&self) -> Sources<'_> {
        Sources(self)
    }

    /// Tokens for the application portal.
    pub fn authentication(&self) -> Authentication<'_> {
        Authentication(self)
    }

    /// Succeeds if the server and its store work.
    pub async fn health(&self) -> Result<(), Error> {
        self.call(Call::get(&["api", "v1", "health"])).await.map(drop)
    }
}
