//! Fetches one access token.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header};
use postrider_core::{
    catalog::{AccessGrant, ClientAuthentication, Grant, GrantType},
    oauth::{
        Assertion, IssuedToken, MAX_TOKEN_RESPONSE, OauthClient, TokenError, TokenRequest, parse,
        usable_until,
    },
    outcome::Failure,
    retry_after,
    target::Target,
};
use tokio::time::{Instant, sleep, timeout};
use zeroize::Zeroizing;

use super::{
    grants::{GrantKey, GrantState, Grants},
    sign,
};
use crate::sender::{
    guard_error::GuardError,
    http::request::{HttpClient, ServiceRequest, ServiceResponse},
};

const AGENT: HeaderValue = HeaderValue::from_static("Postrider");

/// How long a node waits for the token that another one is fetching.
const CLAIM_WAIT: Duration = Duration::from_secs(20);

/// How often it looks.
const CLAIM_POLL: Duration = Duration::from_millis(200);

/// Everything that fetching a token needs.
pub(super) struct Fetch {
    pub http: HttpClient,
    pub grants: Arc<dyn Grants>,
    pub target: Arc<Target>,
    pub client: Arc<OauthClient>,
    /// An access token that the receiver does not accept.
    pub rejected: Option<Zeroizing<String>>,
    /// For one request.
    pub limit: Duration,
}

impl fmt::Debug for Fetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetch").field("endpoint", &self.target.endpoint).finish_non_exhaustive()
    }
}

impl Fetch {
    pub(super) async fn run(&self) -> Result<AccessGrant, TokenError> {
        match self.client.config.grant_type {
            GrantType::ClientCredentials => self.request(None).await.map(|it| self.access(&it)),
            GrantType::RefreshToken => self.refresh().await,
        }
    }

    /// Fetches a token with the refresh token, or waits for the one that another node fetches.
    async fn refresh(&self) -> Result<AccessGrant, TokenError> {
        let began = Instant::now();
        loop {
            let rejected = self.rejected.as_ref().map(|it| it.as_str());
            match self.grants.claim(self.key(), rejected).await? {
                GrantState::Usable(access) => return Ok(access),
                GrantState::Claimed if began.elapsed() > CLAIM_WAIT => {
                    let reason = "another node is using the refresh token; the next attempt tries \
                                  again";
                    return Err(TokenError::new(Failure::Busy, reason));
                },
                GrantState::Claimed => sleep(CLAIM_POLL).await,
                GrantState::Owned { holder, refresh_token } => {
                    return self.refresh_with(holder, &Zeroizing::new(refresh_token)).await;
                },
            }
        }
    }

    async fn refresh_with(
        &self,
        holder: u64,
        refresh_token: &str,
    ) -> Result<AccessGrant, TokenError> {
        let issued = self.request(Some(refresh_token)).await;
        let used = (holder, refresh_token);
        let Ok(issued) = issued else {
            self.grants.settle(self.key(), used, None).await;
            return issued.map(|it| self.access(&it));
        };
        let access = self.access(&issued);
        let refresh_token = issued.refresh_token.unwrap_or_else(|| refresh_token.to_owned());
        let new = Grant { refresh_token, access: Some(access.clone()) };
        // Before the token is used: if the old refresh token is no longer valid, nothing else can
        // get another one.
        self.grants.settle(self.key(), used, Some(new)).await;
        Ok(access)
    }

    fn key(&self) -> GrantKey {
        let Target { application, endpoint, .. } = *self.target;
        GrantKey { application, endpoint, config: self.client.id }
    }

    fn access(&self, issued: &IssuedToken) -> AccessGrant {
        let received_at = self.grants.now();
        AccessGrant {
            token: issued.access_token.clone(),
            received_at,
            usable_until: usable_until(received_at, issued.lifetime),
        }
    }

    async fn request(&self, refresh_token: Option<&str>) -> Result<IssuedToken, TokenError> {
        let request = self.token_request(refresh_token)?;
        let response = timeout(self.limit, self.http.request(&request, Some(&self.target))).await;
        let response =
            response.unwrap_or_else(|_| Err(self.late())).map_err(|it| not_reached(&it))?;
        let ServiceResponse { status, headers, body, .. } = response;
        let secrets = self.secrets(refresh_token);
        parse(status, &body, &secrets).map_err(|error| {
            let value = headers.get(header::RETRY_AFTER).and_then(|it| it.to_str().ok());
            let is_overload = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
            let wait = value.filter(|_| is_overload);
            let retry_after = wait.and_then(|it| retry_after::parse(it, self.grants.now()));
            TokenError { retry_after, ..error }
        })
    }

    fn token_request(&self, refresh_token: Option<&str>) -> Result<ServiceRequest, TokenError> {
        let config = &self.client.config;
        let assertion = self.assertion()?;
        let assertion = assertion.as_ref().map(|it| it.as_str());
        let TokenRequest { mut headers, body } =
            TokenRequest::new(config, refresh_token, assertion);
        headers.insert(header::USER_AGENT, AGENT);
        Ok(ServiceRequest {
            method: Method::POST,
            url: self.client.token_url.clone(),
            headers,
            body: Bytes::from(body),
            trusted: None,
            max_response: MAX_TOKEN_RESPONSE,
        })
    }

    /// The JWT of the client, if it authenticates with one.
    fn assertion(&self) -> Result<Option<Zeroizing<String>>, TokenError> {
        let ClientAuthentication::Jwt(key) = &self.client.config.client else { return Ok(None) };
        let id = self.grants.unique_text();
        let assertion = Assertion::new(&self.client, key, &id, self.grants.now());
        let signature = sign::sign(&key.key, &assertion.signing_input).map_err(|error| {
            TokenError::new(Failure::Misconfigured, format!("the key for JWTs {error}"))
        })?;
        Ok(Some(assertion.signed(&signature)))
    }

    /// What must not be shown, in case that the token server repeats it.
    fn secrets<'a>(&'a self, refresh_token: Option<&'a str>) -> Vec<&'a str> {
        let config = &self.client.config;
        let own = match &config.client {
            ClientAuthentication::Basic { secret } => Some(secret.as_str()),
            ClientAuthentication::Post { secret } => secret.as_deref(),
            ClientAuthentication::Jwt(key) => Some(key.key.as_str()),
        };
        let others = config.headers.values().chain(config.params.values()).map(String::as_str);
        own.into_iter().chain(refresh_token).chain(others.filter(|it| it.len() > 3)).collect()
    }

    fn late(&self) -> GuardError {
        let limit = self.limit.as_millis();
        GuardError {
            failure: Failure::Timeout,
            reason: format!("no complete response within {limit} ms"),
            address: None,
        }
    }
}

fn not_reached(error: &GuardError) -> TokenError {
    TokenError::new(error.failure, format!("the token server: {}", error.reason))
}
