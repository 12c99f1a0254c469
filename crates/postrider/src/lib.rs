//! Sends, receives and verifies webhooks: the library of the Postrider webhook gateway.
//!
//! | module | contents | feature |
//! |---|---|---|
//! | [`signature`] | signs and verifies Standard Webhooks | – |
//! | [`provider`] | verifies webhooks of 156 providers, such as Stripe and GitHub | `providers` (default) |
//! | [`receiver`] | axum extractors for verified webhooks | `axum` |
//! | [`client`] | client of Postrider's HTTP API | `client` |
//! | [`api`], [`id`], [`name`] | types of the HTTP API | – |
//! | [`listen`] | the protocol of `postrider listen` | – |
//!
//! Without the features `axum` and `client` there is no I/O and no async: everything is a value
//! or a function of values, and the caller passes the time.
//!
//! # Send
//!
//! Publish an event, which Postrider delivers to the endpoints of an application (feature
//! `client`):
//!
#![cfg_attr(feature = "client", doc = "```no_run")]
#![cfg_attr(not(feature = "client"), doc = "```ignore")]
//! use postrider::client::Client;
//! use serde_json::json;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::new("http://127.0.0.1:8071", &std::env::var("POSTRIDER_TOKEN")?)?;
//! client.message("acme").publish("invoice.paid", &json!({ "id": "in_1" })).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Receive
//!
//! Verify a webhook that Postrider, or any other sender of Standard Webhooks, has sent:
//!
//! ```
//! use postrider::signature::{Headers, Secret, TOLERANCE, Verifier};
//!
//! # let secret: Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse()?;
//! # let (now, body) = (1_700_000_000, br#"{"id":"in_1"}"#);
//! # let signature = secret.sign("msg_1", now, body);
//! # let header = |name: &str| match name {
//! #     "webhook-id" => Some("msg_1"),
//! #     "webhook-timestamp" => Some("1700000000"),
//! #     "webhook-signature" => Some(signature.as_str()),
//! #     _ => None,
//! # };
//! let verifier = Verifier::new(["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])?;
//! let headers = Headers::find(header)?; // `header` returns the value of a header
//! verifier.verify(&headers, body, now, TOLERANCE)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Verify a webhook of a provider (feature `providers`):
//!
#![cfg_attr(feature = "providers", doc = "```")]
#![cfg_attr(not(feature = "providers"), doc = "```ignore")]
//! use postrider::provider::{self, Headers, Request, Settings};
//!
//! let github = provider::find("github").expect("a known provider");
//! let settings = Settings::new(["s3cret"]);
//! let signature = "sha256=2c021feea1e2c7df7a3cc910505ec8638c1d71927eb2daf22471e66ea6f60d0c";
//! let request = Request {
//!     method: "POST",
//!     url: "https://example.com/hook",
//!     headers: Headers(&[("x-github-event", b"push"), ("x-hub-signature-256", signature.as_bytes())]),
//!     body: b"Hello, World!",
//! };
//! let verified = provider::verify(github, &settings, &request, 1_700_000_000)?;
//! assert_eq!(verified.event_type.as_deref(), Some("push"));
//! # Ok::<(), postrider::provider::VerifyError>(())
//! ```
//!
//! # Receive with axum
//!
//! The handler runs only for verified webhooks; handshakes get their response without it (feature
//! `axum`):
//!
#![cfg_attr(feature = "axum", doc = "```")]
#![cfg_attr(not(feature = "axum"), doc = "```ignore")]
//! use std::sync::Arc;
//!
//! use axum::{Router, routing::any};
//! use postrider::receiver::{Event, Receiver};
//!
//! async fn receive(Event { event, webhook }: Event) {
//!     println!("{:?}: {}", webhook.event_type, event["data"]);
//! }
//!
//! let receiver = Arc::new(Receiver::new("stripe", ["whsec_…"])?);
//! let app: Router = Router::new().route("/stripe", any(receive)).with_state(receiver);
//! # Ok::<(), postrider::receiver::UnknownProvider>(())
//! ```

#![warn(missing_docs)]

pub mod api;
#[cfg(feature = "client")]
pub mod client;
pub mod id;
pub mod listen;
pub mod name;
#[cfg(feature = "providers")]
pub mod provider;
#[cfg(feature = "axum")]
pub mod receiver;
pub mod signature;

pub use crate::{
    id::{
        ApiKeyId, ApplicationId, AttemptId, AuditId, AutoConfigId, ConnectorId, ConsumerId,
        DeadLetterId, EndpointId, IntegrationId, MessageId, RejectionId, SourceId, TaskId,
    },
    name::{EventTypeName, OrganizationId, Uid},
};
