//! Webhooks of 156 providers: verification, signing, handshakes and responses.
//!
//! Most providers are data: a [`Model`] says where the signature is, what it covers and how it is
//! encoded, and one engine interprets it. A source of an unknown provider brings a model of its
//! own. The few providers that need code have a module each.
//!
//! This module does no I/O. If a provider's key has to be fetched, [`verify()`] returns
//! [`VerifyError::KeyNeeded`]; the caller fetches the key and tries again.

mod code;
mod content;
mod crypto;
mod expression;
pub mod handshake;
mod identity;
mod json;
mod jwt;
mod key_set;
mod model;
mod protocol;
mod public_key;
mod redaction;
mod reply;
mod request;
pub mod sample;
mod selector;
mod settings;
mod sign;
mod signature;
mod table;
mod text;
mod values;
mod verify;
mod work;

pub use self::{
    code::{Code, decrypt_wechat_pay},
    content::{Content, InvalidContent},
    expression::Expression,
    handshake::{Handshake, Received, ReplyTemplate, receive},
    identity::{DuplicateRule, Identity},
    jwt::{BodyHash, InvalidTokenLocation, Jwt, JwtAlgorithm, KeyLocation, TokenLocation},
    model::{
        CodeScheme, Confidence, Encoding, Hash, InvalidModel, KeyFormat, Model, Provider, Scheme,
        SharedSecret, Signature, Timestamp, Unit,
    },
    protocol::Parameter,
    public_key::{InvalidKey, PrivateKey, PublicKey, SignedHash},
    redaction::{Redaction, SecretTexts},
    reply::{
        Acknowledgement, RejectionReply, Reply, acknowledge, placeholder_count, reject,
        render_reply,
    },
    request::{Headers, Request},
    selector::{InvalidSelector, Path, Selector},
    settings::{FetchedKey, KeyRequest, Settings},
    sign::{SignError, SignedRequest, UnsignedRequest, sign},
    signature::{Group, Parse},
    table::{all, find},
    verify::{Verified, VerifyError, check_secret, verify},
};

// The former names, until the other crates use the new ones.
#[doc(hidden)]
pub use self::{
    identity::DuplicateRule as Repeats,
    model::CodeScheme as Coded,
    reply::{placeholder_count as places, reject as refuse, render_reply as fill},
    selector::Selector as Source,
    settings::FetchedKey as Fetched,
    sign::{SignError as CannotSign, SignedRequest as Signed, UnsignedRequest as Draft},
    verify::VerifyError as Rejected,
};
