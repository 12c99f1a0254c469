//! What the tests of several crates use: real servers of databases, brokers and mail, a proxy that
//! interferes with what they respond, and a disk that fails on request.

mod disk;
mod proxy;
mod service;

pub use self::{
    disk::FaultyDisk,
    proxy::{Mode, Proxy},
    service::{ExternalServer, SharedServer, packages},
};
