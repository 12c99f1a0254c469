//! Decides whether a client may read requests as Server-Sent Events.

use axum::extract::Request;
use http::{HeaderMap, Method, Uri};
use postrider::api::Permission;

use crate::{api::error::ApiError, auth::access::check_role, relay::state::Relay, sso};

/// What a client proves who it is with. It is checked again while the stream lasts.
#[derive(Debug)]
pub(super) struct Credentials {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
}

impl Credentials {
    pub(super) fn of(request: &Request) -> Self {
        Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            headers: request.headers().clone(),
        }
    }
}

/// Whether the client may listen.
pub(super) async fn admit(relay: &Relay, of: &Credentials) -> Result<(), ApiError> {
    let request = (&of.method, &of.uri, &of.headers);
    let authenticator = &relay.authenticator;
    let caller = sso::authenticate(relay.sso.as_deref(), authenticator, request, relay.now());
    let caller = caller.await?;
    if caller.grant.application.is_some() {
        return Err(ApiError::Forbidden("this needs a token of the organization"));
    }
    check_role(Permission::Operate, &caller)
}
