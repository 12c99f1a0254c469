//! The configuration: its keys, how it is loaded, and its reference page.
//!
//! It is read once at startup from a file, the environment and flags; later sources win. Each part
//! of the program receives only its own settings.

mod alerts;
mod consumers;
mod endpoints;
mod entry;
mod error;
mod keys;
mod load;
mod render;
mod schema;
mod section;
mod units;
mod value;

pub(crate) use self::{
    alerts::Alerts,
    consumers::ConfiguredConsumer,
    endpoints::ConfiguredEndpoint,
    error::ConfigError,
    load::{Declared, Loaded, Overrides, load},
    render::{effective, reference},
    schema::{Config, Sso},
    units::parse_duration,
    value::{
        DatabaseUrl, DefaultSignature, LogFormat, LogLevel, ProxyUrl, SecretKeys, Shards,
        SignatureHeaders, Size,
    },
};
