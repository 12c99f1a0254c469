//! Webhooks of 156 providers: verification, signing, handshakes and responses.
//!
//! Most providers are data: a [`Model`] says where the signature is, what it covers and how it is
//! encoded, and one engine interprets it. A source of an unknown provider has its own
//! model. The few providers that need code have a module each.
//!
//! This module does no I/O. If a provider's key has to be fetched, [`verify()`] returns
//! [`VerifyError::KeyNeeded`]; the caller fetches the key and tries again.

mod code;
mod content;
mod crypto;
mod encoding;
mod expression;
pub mod handshake;
mod hash;
mod identity;
mod json;
mod jwt;
mod key_set;
mod model;
pub mod profile;
mod protocol;
mod public_key;
mod redaction;
mod reply;
mod request;
mod respond;
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
    code::decrypt_wechat_pay,
    content::{Content, InvalidContent},
    encoding::Encoding,
    expression::Expression,
    handshake::{Acknowledgement, Handshake, Received, ReplyTemplate, receive},
    hash::Hash,
    identity::{DuplicateRule, Identity},
    jwt::{BodyHash, InvalidTokenLocation, Jwt, JwtAlgorithm, KeyLocation, TokenLocation},
    model::{
        Code, CodeScheme, Confidence, InvalidModel, KeyFormat, Model, Parameter, Provider, Scheme,
        SharedSecret, Signature, Timestamp, Unit,
    },
    public_key::{InvalidKey, PrivateKey, PublicKey, SignedHash},
    redaction::{HIDDEN, Redaction, SecretTexts},
    reply::{RejectionReply, Reply},
    request::{Headers, Request},
    respond::{acknowledge, placeholder_count, reject, render_reply},
    selector::{InvalidSelector, Path, Selector},
    settings::{FetchedKey, KeyRequest, Settings},
    sign::{SignError, SignedRequest, UnsignedRequest, sign},
    signature::{Group, Parse},
    table::{all, find},
    verify::{Verified, VerifyError, check_secret, verify},
};
