//! Signs and sends requests as a provider does.

use std::{collections::BTreeMap, sync::OnceLock, time::Duration};

use anyhow::Context;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use postrider::provider::{
    self, Headers, Provider, Reply, Request, Scheme, Selector, Settings, SignError, SignedRequest,
    UnsignedRequest, Verified, VerifyError, sample,
};
use tokio::time::Instant;
use url::Url;

use super::credential::{Credential, add_certificate, random, uses_certificate};
use crate::{
    exchange::{self, Body, Bounds, CallError, HeaderCase, Outgoing, Response, full_body},
    failure::Advice,
};

/// Bytes of a response that are read.
const RESPONSE_BYTES: usize = 64 * 1024;

/// A provider that sends to one receiver.
#[derive(Clone, Debug)]
pub(crate) struct Sender {
    pub provider: &'static Provider,
    pub url: Url,
    /// Secrets and private keys, and the provider's parameters.
    pub signing: Settings,
    /// Secrets and public keys that a receiver verifies with.
    pub verifying: Settings,
    wrong_key_sender: OnceLock<Option<Box<Self>>>,
}

/// A response or an error, and how long it took.
#[derive(Debug)]
pub(crate) struct TimedResult {
    pub result: Result<Response, CallError>,
    pub duration: Duration,
}

impl Sender {
    pub(crate) fn new(
        provider: &'static Provider,
        url: Url,
        signing: Settings,
        verifying: Settings,
    ) -> Self {
        Self { provider, url, signing, verifying, wrong_key_sender: OnceLock::new() }
    }

    /// A sample event of this type with new ids.
    pub(crate) fn draft(&self, event: Option<&str>, now: u64) -> anyhow::Result<UnsignedRequest> {
        let seed = u64::from_le_bytes(random());
        let draft = sample::event(self.provider, event, seed, now).ok_or_else(|| Advice {
            message: format!(
                "{} has no sample of `{}`",
                self.provider.name,
                event.unwrap_or_default()
            ),
            hint: format!(
                "`postrider trigger --list {}` lists the event types with samples",
                self.provider.id
            ),
            source: None,
        })?;
        Ok(UnsignedRequest { url: self.url.to_string(), ..draft })
    }

    /// A sender of the same provider that signs with another secret.
    pub(crate) fn wrong_key_sender(&self) -> Option<&Self> {
        let create = || {
            let credential = Credential::generate_for(self.provider)?;
            let (mut signing, mut verifying) = Credential::settings(&[credential], &self.signing);
            if uses_certificate(self.provider) {
                signing = Settings { parameters: BTreeMap::new(), ..self.signing.clone() };
                add_certificate(&mut signing, &mut verifying)?;
            }
            Some(Box::new(Self::new(self.provider, self.url.clone(), signing, verifying)))
        };
        self.wrong_key_sender.get_or_init(create).as_deref()
    }

    /// How long the provider waits for a response, if that is known.
    pub(crate) fn response_deadline(&self) -> Option<Duration> {
        self.provider.response_deadline_seconds.map(Duration::from_secs_f64)
    }

    /// The response that the provider expects.
    pub(crate) fn expected_response(&self, signed: &SignedRequest, now: u64) -> Reply {
        let headers = fields(signed);
        provider::acknowledge(self.provider, &self.verifying, &request(signed, &headers), now)
    }

    /// The header that contains a list of signatures, and their separator.
    pub(crate) fn signature_list(&self) -> Option<(String, String)> {
        let signature = match self.provider.model.verify.first()? {
            Scheme::Hmac(it) | Scheme::Ed25519(it) | Scheme::Ecdsa(it) | Scheme::Rsa(it) => it,
            Scheme::Digest(_)
            | Scheme::Jwt(_)
            | Scheme::SharedSecret(_)
            | Scheme::Basic
            | Scheme::None
            | Scheme::Code(_) => return None,
        };
        let Selector::Header(header) = &signature.signature else { return None };
        let separator = signature.parse.item_sep.clone().filter(|_| signature.parse.key.is_some());
        Some((header.clone(), separator?))
    }

    /// Signs the request as the provider does.
    pub(crate) fn sign(
        &self,
        draft: UnsignedRequest,
        now: u64,
    ) -> Result<SignedRequest, SignError> {
        provider::sign(self.provider, &self.signing, draft, now)
    }

    /// Verifies the request as a correct receiver does.
    pub(crate) fn verify(&self, signed: &SignedRequest, now: u64) -> Result<Verified, VerifyError> {
        let headers = fields(signed);
        let request = request(signed, &headers);
        provider::verify(self.provider, &self.verifying, &request, now)
    }
}

fn fields(signed: &SignedRequest) -> Vec<(&str, &[u8])> {
    signed.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect()
}

fn request<'a>(signed: &'a SignedRequest, headers: &'a [(&'a str, &'a [u8])]) -> Request<'a> {
    Request {
        method: &signed.method,
        url: &signed.url,
        headers: Headers(headers),
        body: &signed.body,
    }
}

/// The signed request as an HTTP request.
pub(crate) fn outgoing(signed: &SignedRequest) -> anyhow::Result<Outgoing> {
    Ok(Outgoing {
        method: signed.method.parse().context("invalid method")?,
        url: signed.url.parse().context("invalid URL")?,
        headers: headers(&signed.headers)?,
        body: full_body(Bytes::from(signed.body.clone())),
        header_case: HeaderCase::Title,
    })
}

/// The same with another body, such as one in chunks.
pub(crate) fn outgoing_with_body(signed: &SignedRequest, body: Body) -> anyhow::Result<Outgoing> {
    let headers = signed.headers.iter().filter(|(name, _)| !is_content_length(name)).cloned();
    let signed = SignedRequest { headers: headers.collect(), body: Vec::new(), ..signed.clone() };
    Ok(Outgoing { body, ..outgoing(&signed)? })
}

fn is_content_length(name: &str) -> bool {
    name.eq_ignore_ascii_case("content-length")
}

fn headers(fields: &[(String, String)]) -> anyhow::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let value = HeaderValue::from_bytes(value.as_bytes());
        let value = value.with_context(|| format!("invalid value of the header {name}"))?;
        headers.append(name.parse::<HeaderName>().context("invalid header name")?, value);
    }
    Ok(headers)
}

/// Sends the request and measures how long the response takes.
pub(crate) async fn send(outgoing: Outgoing, timeout: Duration) -> TimedResult {
    let start = Instant::now();
    let result = exchange::call(outgoing, Bounds { timeout, response_bytes: RESPONSE_BYTES }).await;
    TimedResult { result, duration: start.elapsed() }
}
