//! A provider as it is played: makes its requests, and sends them.

use std::{collections::BTreeMap, sync::OnceLock, time::Duration};

use anyhow::Context;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use postrider::provider::{
    self, CannotSign, Draft, Headers, Provider, Rejected, Reply, Request, Scheme, Settings, Signed,
    Source, Verified, sample,
};
use tokio::time::Instant;
use url::Url;

use super::{
    Secret,
    keys::random,
    playing::{certify, is_certified},
};
use crate::exchange::{self, Answer, Body, Bounds, Letters, NoAnswer, Outgoing, whole};
use crate::failure::Advice;

/// As much of an answer as says something.
const ANSWER_BYTES: usize = 64 * 1024;

/// Who sends, and with what.
#[derive(Clone, Debug)]
pub(crate) struct Sender {
    pub provider: &'static Provider,
    pub url: Url,
    /// What it signs with: private keys, where there are two halves.
    pub signing: Settings,
    /// What a receiver verifies with.
    pub verifying: Settings,
    stranger: OnceLock<Option<Box<Self>>>,
}

/// An answer, or why there is none, and after what time.
#[derive(Debug)]
pub(crate) struct Reaction {
    pub result: Result<Answer, NoAnswer>,
    pub time: Duration,
}

impl Sender {
    pub(crate) fn new(
        provider: &'static Provider,
        url: Url,
        signing: Settings,
        verifying: Settings,
    ) -> Self {
        Self { provider, url, signing, verifying, stranger: OnceLock::new() }
    }

    /// A sample event of this kind with ids of its own.
    pub(crate) fn draft(&self, event: Option<&str>, now: u64) -> anyhow::Result<Draft> {
        let seed = u64::from_le_bytes(random());
        let draft = sample::draft(self.provider, event, seed, now).ok_or_else(|| Advice {
            message: format!("{} has no event `{}`", self.provider.name, event.unwrap_or_default()),
            hint: format!("`postrider trigger --list {}` lists those it has", self.provider.id),
            source: None,
        })?;
        Ok(Draft { url: self.url.to_string(), ..draft })
    }

    /// One who says that he is the provider, and has another secret.
    pub(crate) fn stranger(&self) -> Option<&Self> {
        let make = || {
            let secret = Secret::made_for(self.provider)?;
            let (mut signing, mut verifying) = Secret::settings(&[secret], &self.signing);
            if is_certified(self.provider) {
                signing = Settings { parameters: BTreeMap::new(), ..self.signing.clone() };
                certify(&mut signing, &mut verifying)?;
            }
            Some(Box::new(Self::new(self.provider, self.url.clone(), signing, verifying)))
        };
        self.stranger.get_or_init(make).as_deref()
    }

    /// How long the provider waits for an answer, as far as is known.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.provider.response_deadline_seconds.map(Duration::from_secs_f64)
    }

    /// What the provider wants to be answered.
    pub(crate) fn acknowledgement(&self, signed: &Signed, now: u64) -> Reply {
        let headers = fields(signed);
        provider::acknowledge(self.provider, &self.verifying, &request(signed, &headers), now)
    }

    /// The header that is a list of signatures, and what stands between them.
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
        let Source::Header(header) = &signature.signature else { return None };
        let separator = signature.parse.item_sep.clone().filter(|_| signature.parse.key.is_some());
        Some((header.clone(), separator?))
    }

    /// The request as the provider would make it.
    pub(crate) fn signed(&self, draft: Draft, now: u64) -> Result<Signed, CannotSign> {
        provider::sign(self.provider, &self.signing, draft, now)
    }

    /// What a receiver that does it right finds.
    pub(crate) fn verdict(&self, signed: &Signed, now: u64) -> Result<Verified, Rejected> {
        let headers = fields(signed);
        let request = request(signed, &headers);
        provider::verify(self.provider, &self.verifying, &request, now)
    }
}

fn fields(signed: &Signed) -> Vec<(&str, &[u8])> {
    signed.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect()
}

fn request<'a>(signed: &'a Signed, headers: &'a [(&'a str, &'a [u8])]) -> Request<'a> {
    Request {
        method: &signed.method,
        url: &signed.url,
        headers: Headers(headers),
        body: &signed.body,
    }
}

/// A signed request on its way to the wire.
pub(crate) fn outgoing(signed: &Signed) -> anyhow::Result<Outgoing> {
    Ok(Outgoing {
        method: signed.method.parse().context("the method")?,
        url: signed.url.parse().context("the URL")?,
        headers: headers(&signed.headers)?,
        body: whole(Bytes::from(signed.body.clone())),
        letters: Letters::Title,
    })
}

/// The same with another body, such as one in pieces.
pub(crate) fn outgoing_with(signed: &Signed, body: Body) -> anyhow::Result<Outgoing> {
    let headers = signed.headers.iter().filter(|(name, _)| !is_length(name)).cloned();
    let signed = Signed { headers: headers.collect(), body: Vec::new(), ..signed.clone() };
    Ok(Outgoing { body, ..outgoing(&signed)? })
}

fn is_length(name: &str) -> bool {
    name.eq_ignore_ascii_case("content-length")
}

fn headers(fields: &[(String, String)]) -> anyhow::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let value = HeaderValue::from_bytes(value.as_bytes());
        let value = value.with_context(|| format!("the value of the header {name}"))?;
        headers.append(name.parse::<HeaderName>().context("the name of a header")?, value);
    }
    Ok(headers)
}

/// Sends it, and takes the time.
pub(crate) async fn send(outgoing: Outgoing, time: Duration) -> Reaction {
    let start = Instant::now();
    let result = exchange::call(outgoing, Bounds { time, answer_bytes: ANSWER_BYTES }).await;
    Reaction { result, time: start.elapsed() }
}
