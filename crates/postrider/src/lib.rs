//! What Postrider and the programs that talk to it agree on.
//!
//! Identifiers, the HTTP API's types, and the signing and verifying of webhooks, ours and
//! those of 156 providers.
//! No I/O and no async: everything here is a value or a function of values, unless a feature
//! asks for more.

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
    id::{ApplicationId, AttemptId, EndpointId, MessageId, RejectionId, SourceId, TaskId},
    name::{EventTypeName, OrganizationId, Uid},
};
