//! The axum extractors.

use std::sync::Arc;

use axum_core::{
    body::Body,
    extract::{FromRef, FromRequest},
};
use bytes::Bytes;
use http::{HeaderMap, Request, header, request::Parts};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Receiver, WebhookRejection};
use crate::provider::{self, Headers, Identity, Received, Verified};

/// A verified webhook.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Webhook {
    /// The provider's event type.
    pub event_type: Option<String>,
    /// The provider's id of the event, the delivery or the resource.
    pub event_id: Option<String>,
    /// Whether the provider documents that no other event has this id.
    pub event_id_is_unique: bool,
    /// What the event shares with its repetitions and with no other event; `None` if repetitions
    /// cannot be recognized. Remember it to process each event once.
    pub identity: Option<Identity>,
    /// A digest of the signed content, if the event id is not signed: see
    /// [`Verified::signed_content`].
    pub signed_content: Option<Identity>,
    /// The body, byte for byte as received.
    pub body: Bytes,
    /// The headers.
    pub headers: HeaderMap,
    /// A URL that the provider asks to call (`GET`) before it delivers (Amazon SNS). Its host is on
    /// the provider's list.
    pub confirm: Option<String>,
}

/// A verified webhook, with its body parsed as JSON. A [`Value`] rounds numbers that do not fit
/// into 64 bits; a type with [`RawValue`](serde_json::value::RawValue) keeps their spelling.
#[derive(Clone, Debug)]
pub struct Event<T = Value> {
    /// The parsed body.
    pub event: T,
    /// The webhook.
    pub webhook: Webhook,
}

impl<S> FromRequest<S> for Webhook
where
    S: Send + Sync,
    Arc<Receiver>: FromRef<S>,
{
    type Rejection = WebhookRejection;

    async fn from_request(request: Request<Body>, state: &S) -> Result<Self, WebhookRejection> {
        let receiver = Arc::<Receiver>::from_ref(state);
        let (parts, body) = request.into_parts();
        let body = receiver.read(body).await?;
        receiver.receive(parts, body)
    }
}

impl<S, T> FromRequest<S> for Event<T>
where
    S: Send + Sync,
    T: DeserializeOwned,
    Arc<Receiver>: FromRef<S>,
{
    type Rejection = WebhookRejection;

    async fn from_request(request: Request<Body>, state: &S) -> Result<Self, WebhookRejection> {
        let webhook = Webhook::from_request(request, state).await?;
        let event = serde_json::from_slice(&webhook.body).map_err(WebhookRejection::Unreadable)?;
        Ok(Self { event, webhook })
    }
}

impl Receiver {
    /// Reads the body under the limits.
    async fn read(&self, body: Body) -> Result<Bytes, WebhookRejection> {
        let limited = Limited::new(body, self.body_limit).collect();
        match tokio::time::timeout(self.body_timeout, limited).await {
            Err(_) => Err(WebhookRejection::TooSlow),
            Ok(Ok(whole)) => Ok(whole.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                Err(WebhookRejection::TooLarge { limit: self.body_limit })
            },
            Ok(Err(error)) => Err(WebhookRejection::Incomplete(error)),
        }
    }

    fn receive(&self, parts: Parts, body: Bytes) -> Result<Webhook, WebhookRejection> {
        let headers: Vec<_> =
            parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let url = self.url(&parts);
        let request = provider::Request {
            method: parts.method.as_str(),
            url: &url,
            headers: Headers(&headers),
            body: &body,
        };
        let received = provider::receive(self.provider, &self.settings, &request, (self.clock)());
        let (verified, confirm) = match received {
            Ok(Received::Event(verified)) => (verified, None),
            Ok(Received::Handshake(reply)) => return Err(WebhookRejection::Handshake(reply)),
            Ok(Received::Secret { secret, reply }) => match &self.on_secret {
                Some(keep) => {
                    keep(&secret);
                    return Err(WebhookRejection::Handshake(reply));
                },
                None => {
                    return Err(WebhookRejection::rejected(
                        self.provider,
                        provider::VerifyError::NoSecret,
                    ));
                },
            },
            Ok(Received::Confirm { url, .. }) => (Verified::default(), Some(url)),
            Err(rejected) => return Err(WebhookRejection::rejected(self.provider, rejected)),
        };
        let Verified { event_type, event_id, event_id_is_unique, identity, signed_content, .. } =
            verified;
        let headers = parts.headers;
        Ok(Webhook {
            event_type,
            event_id,
            event_id_is_unique,
            identity,
            signed_content,
            body,
            headers,
            confirm,
        })
    }

    /// The URL that the provider called, as far as it is known.
    fn url(&self, parts: &Parts) -> String {
        let query = parts.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        if let Some(url) = &self.public_url {
            return if url.contains('?') { url.clone() } else { format!("{url}{query}") };
        }
        let host = parts.headers.get(header::HOST).and_then(|it| it.to_str().ok());
        let host = host.or_else(|| parts.uri.host()).unwrap_or_default();
        format!("https://{host}{}{query}", parts.uri.path())
    }
}
