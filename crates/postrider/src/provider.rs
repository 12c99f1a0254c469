//! Webhooks of 156 providers: verifying them, making genuine ones, and answering what
//! providers ask before they deliver.
//!
//! Most providers are data: a [`Model`] says where the signature is, what it covers and how it
//! is written down, and one engine follows it. A source of a provider that is not known brings
//! a model of its own. The few that need code have a module each.
//!
//! Nothing here does I/O. A provider whose key has to be fetched makes [`verify()`] answer
//! [`Rejected::KeyNeeded`]; the caller fetches it and asks again.

mod code;
mod content;
mod crypto;
mod expected;
mod expression;
pub mod handshake;
mod identity;
mod json;
mod jwt;
mod key_set;
mod model;
mod public_key;
mod redaction;
mod reply;
mod request;
pub mod sample;
mod settings;
mod sign;
mod signature;
mod source;
mod table;
mod text;
mod values;
mod verify;
mod work;

pub use self::{
    code::{Code, decrypt_wechat_pay},
    content::{Content, InvalidContent},
    expected::Parameter,
    expression::Expression,
    handshake::{Answer, Handshake, Received, receive},
    identity::{Identity, Repeats},
    jwt::{BodyHash, InvalidPlace, Jwt, JwtAlgorithm, KeyPlace, Place},
    model::{
        Coded, Confidence, Encoding, Hash, InvalidModel, KeyFormat, Model, Provider, Scheme,
        SharedSecret, Signature, Timestamp, Unit,
    },
    public_key::{InvalidKey, PrivateKey, PublicKey, SignedHash},
    redaction::{Redaction, SecretTexts},
    reply::{Acknowledgement, Refusal, Reply, acknowledge, fill, places, refuse},
    request::{Headers, Request},
    settings::{Fetched, KeyRequest, Settings},
    sign::{CannotSign, Draft, Signed, sign},
    signature::{Group, Parse},
    source::{InvalidSource, Path, Source},
    table::{all, find},
    verify::{Rejected, Verified, check_secret, verify},
};
