//! Connections: accepting and limiting them, reading request bodies, and the memory that requests
//! and responses may take.

mod activity;
pub(crate) mod client_address;
pub(crate) mod cors;
pub(crate) mod memory;
mod peer;
mod registry;
mod request_body;
mod serve;
mod stream;
mod tls;
mod tracked_body;
pub(crate) mod upload;

pub(crate) use self::{
    activity::{Activity, StreamGuard},
    client_address::Peer,
};
pub use self::{
    serve::serve,
    tls::{ServerTls, TlsFileError},
};
