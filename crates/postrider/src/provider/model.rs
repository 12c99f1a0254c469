//! How a provider signs, as data: what [`verify`](super::verify()) and [`sign`](super::sign())
//! follow. This module knows how models are written down; whether one makes sense is
//! [`Model::validate`]'s.

mod limits;
mod parts;
mod validate;

use serde::{Deserialize, Serialize};

pub use self::{
    parts::{Encoding, Hash, KeyFormat, Timestamp, Unit},
    validate::InvalidModel,
};
use super::{
    Acknowledgement, Handshake, Parameter, RejectionReply,
    code::Code,
    content::Content,
    expression::Expression,
    identity::DuplicateRule,
    jwt::{self, Jwt},
    selector::Selector,
    signature::Parse,
};

/// A provider that is known.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// Its name in URLs and commands: `stripe`.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// What it is for: `payments`.
    #[serde(default)]
    pub category: String,
    /// Where it is documented.
    #[serde(default)]
    pub docs: String,
    /// How sure we are of the model.
    #[serde(default)]
    pub confidence: Confidence,
    /// What people who set it up should know.
    #[serde(default)]
    pub notes: String,
    /// What its secret is.
    #[serde(default)]
    pub secret: String,
    /// How long it waits for an answer, as far as is known; a hint for people.
    #[serde(default)]
    pub response_deadline_seconds: Option<f64>,
    /// What its documentation guarantees about the id of an event, in a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id_guarantee: String,
    /// How it repeats what was not answered with 2xx, as far as is known; a hint for people.
    #[serde(default)]
    pub retry: String,
    /// What it takes beside secrets.
    #[serde(default)]
    pub parameters: Vec<Parameter>,
    /// How it signs and what it expects.
    pub model: Model,
}

/// How sure we are that a model is right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Confidence {
    /// A signature that the provider published verifies.
    ConfirmedVector,
    /// The provider's own library does the same.
    SdkSource,
    /// The provider's documentation says so.
    #[default]
    Documented,
    /// Known to those who have used it.
    Memory,
    /// A part of it is not documented.
    Incomplete,
}

/// How a provider signs and what it expects; also the configuration of a source whose provider
/// is `custom`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Model {
    /// Ways in which it may sign; one that verifies is enough.
    #[serde(deserialize_with = "parts::one_or_many")]
    pub verify: Vec<Scheme>,
    /// Where the event's type stands; the first that is there counts.
    #[serde(deserialize_with = "parts::one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub event_type: Vec<Expression>,
    /// Where an id stands that is the same when the provider repeats the event, and that no other
    /// event has, as its documentation says; the first that is there counts. Of a batch it counts
    /// only if every event has one.
    #[serde(deserialize_with = "parts::one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub unique_event_id: Vec<Expression>,
    /// Where another id of the event stands, which may belong to more than one event: the id of a
    /// resource, for example.
    #[serde(deserialize_with = "parts::one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub event_id: Vec<Expression>,
    /// How a repetition is recognised without a unique id.
    #[serde(skip_serializing_if = "is_default")]
    pub repeats: DuplicateRule,
    /// Whether events of different types may have the same body. The type then tells them apart
    /// even if it is not signed.
    #[serde(skip_serializing_if = "is_false")]
    pub types_share_bodies: bool,
    /// What it asks before or between deliveries.
    #[serde(alias = "handshake", skip_serializing_if = "Vec::is_empty")]
    pub handshakes: Vec<Handshake>,
    /// What it expects for an event; the first that fits counts, and an empty 200 if none does.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub acknowledgements: Vec<Acknowledgement>,
    /// What it expects for a request that is not believed.
    pub refusal: RejectionReply,
}

/// One way of signing.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(tag = "scheme", rename_all = "snake_case")]
pub enum Scheme {
    /// HMAC with a shared secret.
    Hmac(Signature),
    /// A hash over content that holds the secret itself.
    Digest(Signature),
    /// Ed25519 with the provider's public key.
    Ed25519(Signature),
    /// ECDSA on P-256 with the provider's public key.
    Ecdsa(Signature),
    /// RSA (PKCS #1 v1.5) with the provider's public key.
    Rsa(Signature),
    /// A JSON Web Token beside the content or instead of it.
    Jwt(Jwt),
    /// The secret itself comes along.
    SharedSecret(SharedSecret),
    /// HTTP basic authentication; the secret is `user:password`.
    Basic,
    /// Nothing is signed.
    None,
    /// A scheme that takes code.
    Code(CodeScheme),
}

/// A signature over content.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// What is hashed with.
    #[serde(default)]
    pub hash: Hash,
    /// Where the signature stands.
    pub signature: Selector,
    /// How it is taken out of what stands there.
    #[serde(default, skip_serializing_if = "Parse::is_plain")]
    pub parse: Parse,
    /// How it is written down.
    #[serde(default)]
    pub encoding: Encoding,
    /// What is signed.
    #[serde(default)]
    pub content: Content,
    /// How the secret is written down.
    #[serde(default)]
    pub key: KeyFormat,
    /// When it was signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
    /// Where the `{id}` of the content stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Selector>,
}

/// A secret that comes along in the clear.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SharedSecret {
    /// Where it stands. If that is many places (`json:value.*.clientState`), it has to stand in
    /// all of them.
    pub source: Selector,
    /// What stands before it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
}

/// A scheme that takes code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CodeScheme {
    /// Whose.
    pub code: Code,
}

impl Scheme {
    /// What it signs and how, if it is a signature over content.
    pub const fn signature(&self) -> Option<&Signature> {
        match self {
            Self::Hmac(it)
            | Self::Digest(it)
            | Self::Ed25519(it)
            | Self::Ecdsa(it)
            | Self::Rsa(it) => Some(it),
            Self::Jwt(_) | Self::SharedSecret(_) | Self::Basic | Self::None | Self::Code(_) => None,
        }
    }

    /// Its name in models.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Hmac(_) => "hmac",
            Self::Digest(_) => "digest",
            Self::Ed25519(_) => "ed25519",
            Self::Ecdsa(_) => "ecdsa",
            Self::Rsa(_) => "rsa",
            Self::Jwt(_) => "jwt",
            Self::SharedSecret(_) => "shared_secret",
            Self::Basic => "basic",
            Self::None => "none",
            Self::Code(_) => "code",
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_default(it: &DuplicateRule) -> bool {
    *it == DuplicateRule::default()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_false(it: &bool) -> bool {
    !*it
}

impl Model {
    /// Where an id of the event stands, the unique ones first.
    pub fn event_ids(&self) -> impl Iterator<Item = &Expression> {
        self.unique_event_id.iter().chain(&self.event_id)
    }

    /// Whether an id or a type by which events are told apart may not be signed, so that what is
    /// signed has to tell them apart as well.
    pub fn has_unsigned_ids(&self) -> bool {
        super::verify::has_unsigned_ids(self)
    }

    #[doc(hidden)]
    pub fn leaves_ids_open(&self) -> bool {
        self.has_unsigned_ids()
    }

    /// Where in a request stands what vouches for it: signatures, and secrets in the clear. Who
    /// passes the request on leaves them out.
    pub fn credentials(&self) -> impl Iterator<Item = Selector> {
        let header = |name: &str| Selector::Header(name.to_ascii_lowercase());
        self.verify.iter().filter_map(move |scheme| match scheme {
            Scheme::Hmac(it)
            | Scheme::Digest(it)
            | Scheme::Ed25519(it)
            | Scheme::Ecdsa(it)
            | Scheme::Rsa(it) => Some(it.signature.clone()),
            Scheme::SharedSecret(it) => Some(it.source.clone()),
            Scheme::Jwt(it) => match &it.token {
                jwt::TokenLocation::Header(name) => Some(header(name)),
                jwt::TokenLocation::Body => None,
            },
            Scheme::Basic => Some(header("authorization")),
            Scheme::None | Scheme::Code(_) => None,
        })
    }
}

impl Provider {
    /// A provider that is not of the table, such as that of a source with its own model.
    pub fn new(id: &str, model: Model) -> Self {
        Self {
            id: id.to_owned(),
            name: id.to_owned(),
            category: String::new(),
            docs: String::new(),
            confidence: Confidence::default(),
            notes: String::new(),
            secret: String::new(),
            response_deadline_seconds: None,
            id_guarantee: String::new(),
            retry: String::new(),
            parameters: Vec::new(),
            model,
        }
    }

    /// Whether it signs at all; one that does not is taken only if
    /// [`Settings::accept_unsigned`](super::Settings::accept_unsigned) is set.
    pub fn is_signed(&self) -> bool {
        self.model.verify.iter().any(|it| !matches!(it, Scheme::None))
    }
}
