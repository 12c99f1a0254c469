//! Rejected requests once more: verified with the present secrets of their source, or accepted
//! although they failed verification.
//!
//! A rejection is stored without secrets, and large ones are cut off. What was hidden or cut off
//! cannot be verified, and a body that is not the one that was received is never accepted.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use postrider::{
    MessageId,
    provider::{HIDDEN, Received, Settings, Verified},
};
use postrider_core::{
    catalog::Source,
    hops,
    message::{MAX_REJECTED_BODY, Rejection},
};

use super::{
    context::{Context, Dependencies},
    event::{self, EventOutcome},
    request::{InboundRequest, RequestParts},
    verify::{self, ReceiveError},
};
use crate::api::error::ApiError;

/// Receives requests; also those that were rejected before.
#[derive(Clone, Debug)]
pub(crate) struct Inbound(pub(super) Arc<Context>);

/// Whether a rejected request verifies.
#[derive(Debug)]
pub(crate) enum Recheck {
    Verified,
    Failed(String),
}

impl Inbound {
    pub(crate) fn new(dependencies: Dependencies) -> Self {
        Self(Arc::new(Context::new(dependencies)))
    }

    /// Verifies the request with the secrets that its source has now, at the time when it was
    /// received.
    pub(crate) async fn verify_again(
        &self,
        source: &Source,
        rejection: &Rejection,
    ) -> Result<Recheck, ApiError> {
        let request = self.request(source, rejection).await?;
        let mut settings = request.source.settings(self.0.engine.clock().now());
        match verify::verify(&self.0, &request, &mut settings).await {
            Ok(Received::Event(_)) => Ok(Recheck::Verified),
            Ok(Received::Handshake(_) | Received::Secret { .. } | Received::Confirm { .. }) => {
                Ok(Recheck::Failed("it is a handshake, not an event".to_owned()))
            },
            Err(ReceiveError::Rejected(reason)) => Ok(Recheck::Failed(reason.to_string())),
            Err(ReceiveError::Unreachable(reason)) => Ok(Recheck::Failed(reason)),
            Err(ReceiveError::Internal(error)) => Err(error),
        }
    }

    /// Publishes the event of the request as if it had been verified. Returns the message, and
    /// whether it was published before.
    pub(crate) async fn accept_anyway(
        &self,
        source: &Source,
        rejection: &Rejection,
    ) -> Result<(MessageId, bool), ApiError> {
        if !has_whole_body(rejection) {
            let detail = "the body was not stored completely; let the provider send it again";
            return Err(refused(detail));
        }
        let request = self.request(source, rejection).await?;
        let settings = request.source.settings(self.0.engine.clock().now());
        let mut settings = Settings { accept_unsigned: true, ..settings };
        let verified = match verify::verify(&self.0, &request, &mut settings).await {
            Ok(Received::Event(verified)) => verified,
            Ok(Received::Handshake(_) | Received::Secret { .. } | Received::Confirm { .. }) => {
                return Err(refused("the request is a handshake, which has no event"));
            },
            Err(ReceiveError::Rejected(reason)) => return Err(refused(&reason.to_string())),
            Err(ReceiveError::Unreachable(reason)) => return Err(refused(&reason)),
            Err(ReceiveError::Internal(error)) => return Err(error),
        };
        self.publish(&request, verified).await
    }

    async fn publish(
        &self,
        request: &InboundRequest,
        verified: Verified,
    ) -> Result<(MessageId, bool), ApiError> {
        Ok(match event::accept(&self.0, request, verified).await? {
            EventOutcome::Accepted(id) => (id, false),
            EventOutcome::Duplicate(id) => (id, true),
        })
    }

    /// The request as it was received, as far as it was stored.
    async fn request(
        &self,
        source: &Source,
        rejection: &Rejection,
    ) -> Result<Arc<InboundRequest>, ApiError> {
        let context = &self.0;
        let found = context.engine.directory().source(source.token_digest).await?;
        let open = found.ok_or(ApiError::NotFound("source"))?;
        let token = context.engine.vault().open_text(&source.token);
        let token = token.map_err(|error| ApiError::Internal(error.into()))?;
        let method = rejection.method.parse::<Method>();
        let method = method.map_err(|error| ApiError::Internal(error.into()))?;
        let query = rejection.target.split_once('?').map(|(_, query)| query.to_owned());
        let headers = headers(rejection);
        let mut reserved = context.memory.reserve_request(source.id.as_u128(), &headers)?;
        reserved.grow(rejection.body.len())?;
        let parts = RequestParts { method, path: format!("/in/{}", &**token), query, headers };
        let mut request = InboundRequest::new(context, open, parts, reserved);
        request.rejection = Some(rejection.id);
        request.at = rejection.created_at();
        request.body = Bytes::clone(&rejection.body);
        request.count_hop(&context.hops).map_err(ApiError::Loop)?;
        Ok(Arc::new(request))
    }
}

/// The stored headers. The hop counter is one of them, so that a loop is still detected.
fn headers(rejection: &Rejection) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in &rejection.headers {
        let pair = (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value.as_str()));
        if let (Ok(name), Ok(value)) = pair {
            headers.append(name, value);
        }
    }
    headers
}

/// Whether the stored body is the one that was received.
fn has_whole_body(rejection: &Rejection) -> bool {
    rejection.body.len() < MAX_REJECTED_BODY && !contains_hidden(&rejection.body)
}

/// Whether nothing of the request was cut off or hidden.
pub(crate) fn is_whole(rejection: &Rejection) -> bool {
    let shown = rejection.headers.iter().filter(|(name, _)| name.as_str() != hops::HEADER);
    let mut texts = shown.map(|(_, value)| value).chain([&rejection.target]);
    has_whole_body(rejection) && !texts.any(|it| contains_hidden(it.as_bytes()))
}

fn contains_hidden(bytes: &[u8]) -> bool {
    bytes.windows(HIDDEN.len()).any(|it| it == HIDDEN.as_bytes())
}

fn refused(detail: &str) -> ApiError {
    ApiError::Bad { code: "not_accepted", detail: detail.to_owned() }
}
