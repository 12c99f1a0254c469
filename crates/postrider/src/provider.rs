//! Webhooks of 144 providers: verifying them, making genuine ones, and answering what
//! providers ask before they deliver.
//!
//! Most providers are data: a [`Model`] says where the signature is, what it covers and how it
//! is written down, and one engine follows it. A source of a provider that is not known brings
//! a model of its own. The few that need code have a module each.
//!
//! Nothing here does I/O. A provider whose key has to be fetched makes [`verify`] answer
//! [`Rejected::KeyNeeded`]; the caller fetches it and asks again.

mod code;
mod expected;
pub mod handshake;
mod jwt;
mod model;
mod public_key;
mod reply;
mod request;
mod settings;
mod sign;
mod table;
mod verify;

pub use self::{
    code::Code,
    expected::Parameter,
    handshake::{Answer, Handshake, Received, receive},
    jwt::Jwt,
    model::{Expression, Model, Provider, Scheme},
    public_key::{InvalidKey, PrivateKey, PublicKey, SignedHash},
    reply::{Acknowledgement, Refusal, Reply, acknowledge, refuse},
    request::{Headers, Request},
    settings::{Fetched, KeyRequest, Settings},
    sign::{CannotSign, Draft, Signed, sign},
    table::{all, find},
    verify::{Rejected, Verified, verify},
};
