//! Connections: accepting and limiting them, reading request bodies, and the memory that requests
//! and responses may take.

mod activity;
pub(crate) mod client_address;
pub(crate) mod memory;
mod peer;
mod registry;
mod serve;
mod stream;
mod tracked_body;
pub(crate) mod upload;

pub use self::serve::serve;
pub(crate) use self::{
    activity::{Activity, StreamGuard},
    peer::Peer,
};
