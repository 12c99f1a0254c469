//! What the tests of several crates use: real servers of databases, brokers and mail, and a proxy
//! that interferes with what they respond.

mod proxy;
mod service;

pub use self::{
    proxy::{Mode, Proxy},
    service::{ExternalServer, SharedServer, packages},
};
