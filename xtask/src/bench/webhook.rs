//! Webhooks as Stripe sends them: each has its own event id and its own signature.

use anyhow::Context;
use postrider::provider::{self, Provider, Settings, UnsignedRequest};

use super::{clock, payload};

/// The provider that signs, which is also the type of the source.
pub(crate) const PROVIDER: &str = "stripe";

/// The secret of the source and of the signer.
pub(crate) const SECRET: &str = "whsec_known_to_everybody_who_reads_the_benchmark";

/// Signs as the provider does.
#[derive(Debug)]
pub(crate) struct Signer {
    provider: &'static Provider,
    settings: Settings,
    path: String,
    body: Vec<u8>,
}

impl Signer {
    pub(crate) fn new(path: &str) -> anyhow::Result<Self> {
        Ok(Self {
            provider: provider::find(PROVIDER).context("the provider is not known")?,
            settings: Settings::new([SECRET]),
            path: path.to_owned(),
            body: payload::event_template().into_bytes(),
        })
    }

    /// Writes a request with this payload in place of what is there.
    pub(crate) fn write(&self, request: &mut Vec<u8>, number: u64, at: u64) {
        let mut body = self.body.clone();
        payload::stamp_event(&mut body, number, at);
        let draft = UnsignedRequest {
            url: format!("http://localhost{}", self.path),
            body,
            ..UnsignedRequest::default()
        };
        let now = clock::unix_nanos() / 1_000_000_000;
        let signed = provider::sign(self.provider, &self.settings, draft, now)
            .expect("the provider's scheme is symmetric and its secret is known");
        let mut head = format!("POST {} HTTP/1.1\r\nhost: localhost\r\n", self.path);
        for (name, value) in &signed.headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        head.extend(["content-length: ", &signed.body.len().to_string(), "\r\n\r\n"]);
        request.clear();
        request.extend_from_slice(head.as_bytes());
        request.extend_from_slice(&signed.body);
    }
}
