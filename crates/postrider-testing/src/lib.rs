//! What the tests of several crates use: real services, and a proxy that interferes with what they
//! respond.

mod proxy;
mod service;

pub use self::{
    proxy::{Mode, Proxy},
    service::{Service, SharedService, packages},
};
