//! Decides whether a request may read a stream.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use postrider::EndpointId;
use postrider_core::{
    catalog::Application,
    kind::live::Live as Config,
    live::{OriginCheck, check_origin},
    target::Target,
};
use url::form_urlencoded;

use super::{state::Live, token::LiveGrant};
use crate::{api::error::ApiError, auth::authenticator::refused, http::cors};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// What a request asks for.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub(super) endpoint: &'a str,
    pub(super) headers: &'a HeaderMap,
    pub(super) uri: &'a Uri,
}

/// A request that may read the stream.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) grant: LiveGrant,
    target: Arc<Target>,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
}

impl Admitted {
    /// The configuration of the endpoint.
    pub(super) fn config(&self) -> &Config {
        self.target.live().expect("only endpoints with a stream are admitted")
    }
}

impl Asked<'_> {
    /// The token in the header or the URL: `EventSource` and `WebSocket` cannot send headers.
    fn token(&self) -> Result<String, ApiError> {
        if let Some(header) = self.headers.get(header::AUTHORIZATION) {
            let token = header.to_str().ok().and_then(|it| it.split_once(' '));
            return match token {
                Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
                    Ok(token.trim().to_owned())
                },
                _ => Err(refused("the Authorization header is not of the form `Bearer <token>`")),
            };
        }
        self.parameter("token").ok_or_else(|| {
            refused("the token is missing; send it as `Authorization: Bearer` or `?token=`")
        })
    }

    /// The id of the last event that the reader has got.
    pub(super) fn last_event_id(&self) -> Option<String> {
        let header = self.headers.get(LAST_EVENT_ID).and_then(|it| it.to_str().ok());
        let last = header.map(ToOwned::to_owned).or_else(|| self.parameter("lastEventId"));
        last.filter(|it| !it.is_empty())
    }

    fn parameter(&self, name: &str) -> Option<String> {
        let query = self.uri.query().unwrap_or_default();
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// Whether the page that sent the request may read the stream.
    fn check_origin(&self, config: &Config) -> OriginCheck {
        let origin = cors::origin(self.headers).map(|it| it.to_str().unwrap_or("null"));
        let host = self.headers.get(header::HOST).and_then(|it| it.to_str().ok());
        let host = host.or_else(|| self.uri.authority().map(http::uri::Authority::as_str));
        check_origin(&config.allowed_origins, origin, host)
    }
}

/// Checks the token, the endpoint and the origin of a request, in this order: without a token, a
/// client does not learn which endpoints exist.
pub(super) async fn admit(live: &Live, asked: &Asked<'_>) -> Result<Admitted, ApiError> {
    let grant = live.verifier.verify(&asked.token()?, live.now())?;
    if asked.endpoint.parse::<EndpointId>().ok() != Some(grant.endpoint) {
        return Err(ApiError::Forbidden("the token is for another endpoint"));
    }
    let entry = live.engine.directory().entry(grant.application).await?;
    let entry = entry.filter(|it| it.application.organization == grant.organization);
    let entry = entry.ok_or(ApiError::NotFound("endpoint"))?;
    check_revoked(&grant, &entry.application)?;
    let endpoint = entry.endpoints.iter().find(|it| it.id == grant.endpoint);
    let endpoint = endpoint.ok_or(ApiError::NotFound("endpoint"))?;
    if endpoint.disabled {
        return Err(ApiError::Forbidden("the endpoint is disabled"));
    }
    let target = entry.target(grant.endpoint).filter(|it| it.live().is_some());
    let target = Arc::clone(target.ok_or(ApiError::NotFound("stream"))?);
    let config = target.live().ok_or(ApiError::NotFound("stream"))?;
    let origin = asked.check_origin(config);
    if origin == OriginCheck::Refused {
        return Err(ApiError::Forbidden(
            "pages of this origin may not read the stream; add it to `allowedOrigins` of the \
             endpoint",
        ));
    }
    let headers = cors::headers(origin, cors::origin(asked.headers));
    Ok(Admitted { grant, target, headers })
}

fn check_revoked(grant: &LiveGrant, application: &Application) -> Result<(), ApiError> {
    let Some(creator) = grant.creator else { return Ok(()) };
    if application.ended_tokens.iter().any(|it| it.digest == creator) {
        return Err(refused("the token that created this one was logged out"));
    }
    Ok(())
}
