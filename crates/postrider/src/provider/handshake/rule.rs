//! Handshakes as data: which requests match, and how to respond.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{
    Received,
    context::{Location, RequestContext},
    template::{ReplyTemplate, Template},
};
use crate::provider::{Encoding, Hash, Reply, VerifyError, crypto};

/// Handshakes sign only short tokens: an attacker could otherwise obtain a signature for a body of
/// their choice.
const MAX_CHALLENGE: usize = 256;

/// A handshake and the response to it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Handshake {
    /// HTTP methods.
    #[serde(default = "post")]
    pub methods: Vec<String>,
    /// Conditions that identify the handshake. All of them must hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub when: Vec<Condition>,
    /// Further conditions. If one does not hold, the handshake is rejected.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub require: Vec<Condition>,
    /// Whether the provider signs the handshake like its events, so that it is verified first.
    #[serde(default)]
    pub signed: bool,
    /// The value of `{digest}` in the reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The location of the secret that the provider hands over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture: Option<Location>,
    /// The URL that the provider asks to call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm: Option<Confirm>,
    /// The reply.
    #[serde(default)]
    pub reply: ReplyTemplate,
}

fn post() -> Vec<String> {
    vec!["POST".to_owned()]
}

/// A test of one value of a request.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// The location of the value.
    pub at: Location,
    /// The expected value.
    #[serde(default)]
    pub is: Test,
}

/// The response to an event, if the conditions hold.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Acknowledgement {
    /// The conditions. All of them must hold.
    #[serde(default)]
    pub when: Vec<Condition>,
    /// The response.
    pub reply: ReplyTemplate,
}

/// The expected value of a condition.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    /// The value is present.
    #[default]
    Present,
    /// The value is absent.
    Absent,
    /// The value is this text.
    Text(String),
    /// The value is the source's parameter with this name, which must be set.
    Parameter(String),
    /// The value is the source's parameter with this name, if it is set.
    OptionalParameter(String),
    /// The value is hexadecimal, with at most this many digits.
    Hex(usize),
}

/// A computed value for a reply.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Digest {
    /// The hash function.
    #[serde(default)]
    pub hash: Hash,
    /// The key of an HMAC. Without it, the digest is a plain hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// The input.
    pub over: Template,
    /// The encoding of the result.
    pub encoding: Encoding,
}

/// The key of an HMAC.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Key {
    /// The source's first secret.
    Secret,
    /// The SHA-1 hash of the source's first secret.
    SecretSha1,
    /// The source's parameter with this name.
    Parameter(String),
}

/// A URL that the provider asks to call.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Confirm {
    /// The location of the URL.
    pub url: Location,
    /// The allowed hosts; `*` matches one label.
    pub hosts: Vec<String>,
}

impl Handshake {
    /// Why the handshake is invalid or unsafe, if it is.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        const METHODS: [&str; 5] = ["GET", "HEAD", "OPTIONS", "POST", "PUT"];
        let carries_events = self.methods.iter().any(|it| matches!(it.as_str(), "POST" | "PUT"));
        if !self.methods.iter().all(|it| METHODS.contains(&it.as_str())) {
            Some("methods must be GET, HEAD, OPTIONS, POST or PUT")
        } else if carries_events && self.when.is_empty() {
            Some("`when` is empty, so every event would be a handshake")
        } else if self.confirm.is_some() && !self.signed {
            Some("a handshake with `confirm` must be signed")
        } else if self.capture.is_some() && self.signed {
            Some("a handshake with `capture` cannot be signed with the secret that it hands over")
        } else if !(200..300).contains(&self.reply.status) {
            Some("the reply's status is not 2xx")
        } else {
            None
        }
    }

    pub(super) fn is(&self, context: &RequestContext<'_>) -> bool {
        self.methods.iter().any(|it| it == context.request.method)
            && self.when.iter().all(|it| it.holds(context).is_ok())
    }

    pub(super) fn respond(
        &self,
        context: &mut RequestContext<'_>,
    ) -> Result<Received, VerifyError> {
        for condition in &self.require {
            condition.holds(context).map_err(VerifyError::Handshake)?;
        }
        if let Some(digest) = &self.digest {
            context.digest = Some(digest.compute(context)?);
        }
        let reply = self.reply.render(context).map_err(VerifyError::Handshake)?;
        if let Some(location) = &self.capture {
            let secret = context.value(location).unwrap_or_default().into_owned();
            return captured(Zeroizing::new(secret), context, reply);
        }
        match &self.confirm {
            Some(confirm) => {
                let url = confirm.url(context).map_err(VerifyError::Handshake)?;
                Ok(Received::Confirm { url, reply })
            },
            None => Ok(Received::Handshake(reply)),
        }
    }
}

/// A secret is accepted only once. Anyone who knows the URL could otherwise replace it.
fn captured(
    secret: Zeroizing<String>,
    context: &RequestContext<'_>,
    reply: Reply,
) -> Result<Received, VerifyError> {
    let known = &context.settings.secrets;
    if secret.is_empty() {
        return Err(VerifyError::Handshake("the secret is empty".to_owned()));
    }
    if known.is_empty() {
        return Ok(Received::Secret { secret, reply });
    }
    if known.iter().any(|it| crypto::equal_secrets(it, &secret)) {
        return Ok(Received::Handshake(reply));
    }
    Err(VerifyError::Handshake(
        "the source has another secret already; remove it to accept a new one".to_owned(),
    ))
}

impl Condition {
    pub(crate) fn holds(&self, context: &RequestContext<'_>) -> Result<(), String> {
        let (at, value) = (&self.at, context.value(&self.at));
        let Some(value) = value else {
            let expected = matches!(self.is, Test::Absent);
            return if expected { Ok(()) } else { Err(format!("{at} is missing")) };
        };
        let equals = |it: &str| crypto::equal_secrets(it, &value);
        let parameter =
            |name: &str| context.settings.parameter(name).filter(|it| !it.is_empty()).map(equals);
        let holds = match &self.is {
            Test::Present => true,
            Test::Absent => false,
            Test::Text(text) => equals(text),
            Test::Parameter(name) => {
                parameter(name).ok_or_else(|| format!("parameter {name} is not configured"))?
            },
            Test::OptionalParameter(name) => parameter(name).unwrap_or(true),
            Test::Hex(longest) => {
                (1..=*longest).contains(&value.len())
                    && value.bytes().all(|it| it.is_ascii_hexdigit())
            },
        };
        if holds { Ok(()) } else { Err(format!("{at} does not have the expected value")) }
    }
}

impl Digest {
    fn compute(&self, context: &RequestContext<'_>) -> Result<String, VerifyError> {
        let over = self.over.render(context).map_err(VerifyError::Handshake)?;
        if self.key.is_some() && !is_challenge(&over) {
            return Err(VerifyError::Handshake("the challenge is not a plain token".to_owned()));
        }
        let key = self.key.as_ref().map(|it| it.of(context)).transpose()?;
        let digest = match key {
            Some(key) => crypto::hmac(self.hash, &key, over.as_bytes()),
            None => crypto::digest(self.hash, over.as_bytes()),
        };
        Ok(self.encoding.encode(&digest))
    }
}

fn is_challenge(text: &str) -> bool {
    let plain = |it: u8| it.is_ascii_alphanumeric() || b"._~+/=-".contains(&it);
    text.len() <= MAX_CHALLENGE && text.bytes().all(plain)
}

impl Key {
    fn of(&self, context: &RequestContext<'_>) -> Result<Zeroizing<Vec<u8>>, VerifyError> {
        let settings = context.settings;
        let secret = || settings.secrets.first().ok_or(VerifyError::NoSecret);
        let parameter = |name: &str| {
            let missing = || VerifyError::Handshake(format!("parameter {name} is not configured"));
            settings.parameter(name).ok_or_else(missing)
        };
        Ok(Zeroizing::new(match self {
            Self::Secret => secret()?.as_bytes().to_vec(),
            Self::SecretSha1 => crypto::digest(Hash::Sha1, secret()?.as_bytes()),
            Self::Parameter(name) => parameter(name)?.as_bytes().to_vec(),
        }))
    }
}

impl Confirm {
    fn url(&self, context: &RequestContext<'_>) -> Result<String, String> {
        let url = context.value(&self.url).ok_or_else(|| format!("{} is missing", self.url))?;
        let host = https_host(&url).ok_or_else(|| format!("{} is not an https URL", self.url))?;
        if self.hosts.iter().any(|it| host_matches(it, host)) {
            Ok(url.into_owned())
        } else {
            Err(format!("{host} is not one of the provider's hosts"))
        }
    }
}

/// The host of an https URL with the default port and without anything that parsers interpret
/// differently.
fn https_host(url: &str) -> Option<&str> {
    let plain = url.bytes().all(|it| it.is_ascii_graphic() && it != b'\\');
    let rest = url.strip_prefix("https://").filter(|_| plain)?;
    let host = rest.split(['/', '?', '#']).next()?;
    let label = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || b"-.".contains(&it);
    (!host.is_empty() && host.bytes().all(label)).then_some(host)
}

fn host_matches(pattern: &str, host: &str) -> bool {
    let (patterns, labels) = (pattern.split('.'), host.split('.'));
    patterns.clone().count() == labels.clone().count()
        && patterns.zip(labels).all(|(pattern, label)| match pattern {
            "*" => label.len() >= 3,
            _ => pattern == label,
        })
}
