//! What the tests of several crates use: real servers of databases, brokers and mail, a proxy that
//! interferes with what they respond, and a disk and a network that fail on request.

mod disk;
mod network;
mod proxy;
mod service;
mod shim;

pub use self::{
    disk::FaultyDisk,
    network::FaultyNetwork,
    proxy::{Mode, Proxy},
    service::{ExternalServer, SharedServer, packages},
};
