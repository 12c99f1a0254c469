//! Who sent a request: a browser with a session, or a client with a token or an API key.

use std::sync::Arc;

use http::{HeaderMap, Method, Uri};
use postrider_core::time::Timestamp;

use super::session::SingleSignOn;
use crate::{
    api::error::ApiError,
    auth::{Authenticator, Principal},
};

/// The principal of a request with these headers.
pub(crate) async fn authenticate(
    sso: Option<&SingleSignOn>,
    authenticator: &Authenticator,
    (method, uri, headers): (&Method, &Uri, &HeaderMap),
    now: Timestamp,
) -> Result<Arc<Principal>, ApiError> {
    let signed_in = match sso {
        Some(sso) => sso.authenticate(method, uri, headers, now).await?,
        None => None,
    };
    match signed_in {
        Some(signed_in) => Ok(Arc::new(Principal::of_session(&signed_in))),
        None => authenticator.authenticate(headers, now).await,
    }
}
