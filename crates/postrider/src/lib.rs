//! What Postrider and the programs that talk to it agree on.
//!
//! Identifiers, the HTTP API's types, and the signing and verifying of webhooks.
//! No I/O and no async: everything here is a value or a function of values.

#![warn(missing_docs)]

pub mod api;
pub mod id;
pub mod name;
pub mod signature;

pub use crate::{
    id::{ApplicationId, AttemptId, EndpointId, MessageId, TaskId},
    name::{EventTypeName, OrganizationId, Uid},
};
