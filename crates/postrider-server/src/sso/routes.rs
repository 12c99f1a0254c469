//! The routes of single sign-on.

use std::{net::IpAddr, sync::Arc};

use axum::{
    Extension, Router,
    extract::{Query, State},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{
    error::SignInError,
    page::error_page,
    pending::{self, PendingSignIn},
    session::SingleSignOn,
};
use crate::{
    api::{convert::to_wire, error::ApiError},
    http::{Peer, client_address::client_address},
};

/// Longest text of the provider that is shown.
const MAX_ERROR: usize = 200;

type Sso = State<Arc<SingleSignOn>>;

/// The routes, which need no token.
pub(crate) fn router(sso: Arc<SingleSignOn>) -> Router {
    Router::new()
        .route("/auth/login", get(login))
        .route("/auth/callback", get(callback))
        .route("/auth/logout", post(logout))
        .route("/auth/session", get(session))
        .with_state(sso)
}

/// The parameters of a request; malformed ones count as missing.
fn query<T: Default + DeserializeOwned>(uri: &Uri) -> T {
    Query::try_from_uri(uri).map_or_else(|_| T::default(), |Query(query)| query)
}

#[derive(Debug, Default, Deserialize)]
struct LoginQuery {
    /// The path to go to afterwards.
    #[serde(default)]
    return_to: String,
}

/// Sends the browser to the provider.
async fn login(State(sso): Sso, uri: Uri) -> Response {
    let clock = sso.engine.clock();
    let query = query::<LoginQuery>(&uri);
    let return_to = postrider_core::sign_in::return_path(&query.return_to).unwrap_or("/");
    let pending = PendingSignIn::new(clock, return_to.to_owned());
    match sso.flow().url(&pending).await {
        Ok(url) => {
            let sealed = pending.seal(sso.engine.vault(), clock);
            let cookie = sso.sign_in_cookie().set(&sealed, pending::LIFETIME);
            redirect(url.as_str(), [cookie])
        },
        Err(error) => error_page(&error),
    }
}

#[derive(Debug, Default, Deserialize)]
struct CallbackQuery {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

/// Receives the browser from the provider.
async fn callback(
    State(sso): Sso,
    peer: Option<Extension<Peer>>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let query = query::<CallbackQuery>(&uri);
    let ended = sso.sign_in_cookie().remove();
    let address = client_address(&sso.trusted_proxies, peer.map(|it| it.0), &headers);
    match sign_in(&sso, address, &headers, query).await {
        Ok((token, return_to)) => {
            let session = sso.session_cookie().set(&token, sso.settings.session);
            redirect(&return_to, [ended, session])
        },
        Err(error) => {
            let mut response = error_page(&error);
            // A sign-in has one try, whatever comes of it.
            if !matches!(error, SignInError::NotPending) {
                response.headers_mut().append(header::SET_COOKIE, ended);
            }
            response
        },
    }
}

/// The token of the new session, and the path to go to.
async fn sign_in(
    sso: &SingleSignOn,
    address: Option<IpAddr>,
    headers: &HeaderMap,
    query: CallbackQuery,
) -> Result<(String, String), SignInError> {
    let (vault, now) = (sso.engine.vault(), sso.engine.clock().now());
    let cookie = sso.sign_in_cookie().find(headers);
    let pending = cookie.and_then(|it| PendingSignIn::open(it, vault, now));
    let pending = pending.ok_or(SignInError::NotPending)?;
    let is_same =
        query.state.is_some_and(|it| Sha256::digest(&it) == Sha256::digest(&pending.state));
    if !is_same {
        return Err(SignInError::NotPending);
    }
    if let Some(error) = query.error {
        let text = query.error_description.unwrap_or(error);
        return Err(SignInError::Refused(text.chars().take(MAX_ERROR).collect()));
    }
    let code = query.code.ok_or(SignInError::CodeRefused)?;
    let person = Box::pin(sso.flow().person(code, &pending)).await?;
    Ok((sso.begin(person, address).await?, pending.return_to))
}

/// Ends the session, on all nodes.
async fn logout(
    State(sso): Sso,
    peer: Option<Extension<Peer>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    if !sso.is_own_page(&method, &uri, &headers) {
        return error_page(&SignInError::OtherOrigin);
    }
    let address = client_address(&sso.trusted_proxies, peer.map(|it| it.0), &headers);
    match sso.end(&headers, address).await {
        Ok(()) => redirect("/", [sso.session_cookie().remove()]),
        Err(error) => error_page(&error),
    }
}

/// Who is signed in.
async fn session(State(sso): Sso, method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let now = sso.engine.clock().now();
    let found = sso.authenticate(&method, &uri, &headers, now).await;
    let found = found.and_then(|it| {
        it.ok_or_else(|| ApiError::Unauthenticated("there is no session; sign in".into()))
    });
    match found {
        Ok(signed_in) => {
            let session = &signed_in.session;
            let body = json!({
                "organization": session.organization,
                "role": session.role,
                "subject": session.subject,
                "name": session.name,
                "createdAt": to_wire(session.created_at),
                "expiresAt": to_wire(session.expires_at),
            });
            let headers = [
                (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
                (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
            ];
            (headers, body.to_string()).into_response()
        },
        Err(error) => error.into_api_response().into_response(),
    }
}

/// Sends the browser elsewhere, with cookies.
fn redirect<const N: usize>(to: &str, cookies: [HeaderValue; N]) -> Response {
    let Ok(location) = HeaderValue::try_from(to) else {
        return error_page(&SignInError::Provider("its URL is not a header".into()));
    };
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, location);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for cookie in cookies {
        headers.append(header::SET_COOKIE, cookie);
    }
    response
}
