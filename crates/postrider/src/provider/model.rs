//! How a provider signs, as data that [`verify`](super::verify()) and [`sign`](super::sign())
//! interpret. This module contains the form of models; [`Model::validate`] checks whether one is
//! valid.

mod code;
mod error;
mod limits;
mod parts;
mod validate;

use serde::{Deserialize, Serialize};

pub(super) use super::{encoding::Encoding, hash::Hash};

pub use self::{
    code::Code,
    error::InvalidModel,
    parts::{KeyFormat, Timestamp, Unit},
};
use super::{
    Acknowledgement, Handshake, RejectionReply,
    content::Content,
    expression::Expression,
    identity::DuplicateRule,
    jwt::{self, Jwt},
    selector::Selector,
    signature::Parse,
};

/// A known provider.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// The id in URLs and commands: `stripe`.
    pub id: String,
    /// The display name.
    pub name: String,
    /// The category, such as `payments`.
    #[serde(default)]
    pub category: String,
    /// The URL of its documentation.
    #[serde(default)]
    pub docs: String,
    /// How well the model is confirmed.
    #[serde(default)]
    pub confidence: Confidence,
    /// Notes for users who set it up.
    #[serde(default)]
    pub notes: String,
    /// The form of its secret.
    #[serde(default)]
    pub secret: String,
    /// How long it waits for a response, if known; informational.
    #[serde(default)]
    pub response_deadline_seconds: Option<f64>,
    /// What its documentation guarantees about event ids, in one sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id_guarantee: String,
    /// How it repeats failed requests, if known; informational.
    #[serde(default)]
    pub retry: String,
    /// Parameters besides secrets.
    #[serde(default)]
    pub parameters: Vec<Parameter>,
    /// How it signs and which responses it expects.
    pub model: Model,
}

/// A parameter of a provider's sources.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// The name in [`Settings::parameters`](super::Settings).
    pub name: String,
    /// What it is and where it comes from, in one line.
    pub description: String,
    /// Whether it is required.
    #[serde(default)]
    pub required: bool,
}

/// How well a model is confirmed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Confidence {
    /// It verifies a signature that the provider published.
    ConfirmedVector,
    /// It matches the provider's own library.
    SdkSource,
    /// It matches the provider's documentation.
    #[default]
    Documented,
    /// It matches the experience of users.
    Memory,
    /// Part of it is not documented.
    Incomplete,
}

/// How a provider signs and which responses it expects; also the configuration of a source of type
/// `custom`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Model {
    /// Alternative schemes, of which one has to verify.
    #[serde(deserialize_with = "parts::one_or_many")]
    pub verify: Vec<Scheme>,
    /// The location of the event type; the first present one counts.
    #[serde(deserialize_with = "parts::one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub event_type: Vec<Expression>,
    /// The location of an id that is the same for repetitions of an event and, according to the
    /// provider's documentation, different for all other events. The first present one counts; in a
    /// batch, only if every event has one.
    #[serde(deserialize_with = "parts::one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub unique_event_id: Vec<Expression>,
    /// The location of another id, which several events may share: the id of a resource, for
    /// example.
    #[serde(deserialize_with = "parts::one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub event_id: Vec<Expression>,
    /// How a repetition is recognized without a unique id.
    #[serde(skip_serializing_if = "is_default")]
    pub repeats: DuplicateRule,
    /// Whether events of different types may have the same body. The type then distinguishes them
    /// even if it is not signed.
    #[serde(skip_serializing_if = "is_false")]
    pub types_share_bodies: bool,
    /// Handshakes before or between deliveries.
    #[serde(alias = "handshake", skip_serializing_if = "Vec::is_empty")]
    pub handshakes: Vec<Handshake>,
    /// Responses to events. The first whose conditions hold is used, otherwise an empty 200.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub acknowledgements: Vec<Acknowledgement>,
    /// The response to rejected requests.
    pub refusal: RejectionReply,
}

/// A signature scheme.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(tag = "scheme", rename_all = "snake_case")]
pub enum Scheme {
    /// HMAC with a shared secret.
    Hmac(Signature),
    /// A hash over content that includes the secret.
    Digest(Signature),
    /// Ed25519 with the provider's public key.
    Ed25519(Signature),
    /// ECDSA on P-256 with the provider's public key.
    Ecdsa(Signature),
    /// RSA (PKCS #1 v1.5) with the provider's public key.
    Rsa(Signature),
    /// A JSON Web Token, in addition to the content or instead of it.
    Jwt(Jwt),
    /// The request contains the secret itself.
    SharedSecret(SharedSecret),
    /// HTTP basic authentication; the secret is `user:password`.
    Basic,
    /// Nothing is signed.
    None,
    /// A scheme that is implemented in code.
    Code(CodeScheme),
}

/// A signature over content.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// The hash function.
    #[serde(default)]
    pub hash: Hash,
    /// The location of the signature.
    pub signature: Selector,
    /// How to extract the signature from its location.
    #[serde(default, skip_serializing_if = "Parse::is_plain")]
    pub parse: Parse,
    /// The encoding of the signature.
    #[serde(default)]
    pub encoding: Encoding,
    /// The signed content.
    #[serde(default)]
    pub content: Content,
    /// The encoding of the secret.
    #[serde(default)]
    pub key: KeyFormat,
    /// The signing time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
    /// The location of the content's `{id}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Selector>,
}

/// A secret that the request contains in clear text.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SharedSecret {
    /// The location of the secret. If it selects several values (`json:value.*.clientState`), each
    /// of them must be the secret.
    pub source: Selector,
    /// The text before the secret.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
}

/// A scheme that is implemented in code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CodeScheme {
    /// The implementation.
    pub code: Code,
}

impl Scheme {
    /// The signature, if the scheme signs content.
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

    /// The name in models.
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
    /// The locations of event ids, unique ones first.
    pub fn event_ids(&self) -> impl Iterator<Item = &Expression> {
        self.unique_event_id.iter().chain(&self.event_id)
    }

    /// The locations of credentials in a request: signatures, and secrets in clear text. They are
    /// not forwarded.
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
    /// Creates a provider that is not in the table, for a source with its own model.
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

    /// Whether the provider signs. One that does not is accepted only with
    /// [`Settings::accept_unsigned`](super::Settings::accept_unsigned).
    pub fn is_signed(&self) -> bool {
        self.model.verify.iter().any(|it| !matches!(it, Scheme::None))
    }
}
