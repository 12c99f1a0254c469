//! OAuth 2.0 towards endpoints: token requests and responses, and when a token is used.

mod assertion;
mod grant;
mod lifetime;
mod request;
mod response;

use sha2::{Digest, Sha256};
use url::Url;

pub use self::{
    assertion::{Assertion, KeyEncodingError, key_bytes},
    grant::{GrantStep, next_step},
    lifetime::{failure_pause, is_worth_refreshing, usable_until},
    request::{RESERVED_PARAMS, TokenRequest, has_secret_name},
    response::{IssuedToken, MAX_ACCESS_TOKEN, MAX_TOKEN_RESPONSE, TokenError, parse},
};
use crate::catalog::OauthConfig;

/// How access tokens are fetched, prepared once.
#[derive(Debug)]
pub struct OauthClient {
    pub config: OauthConfig,
    pub token_url: Url,
    /// Identifies the configuration. Tokens that another one was used for are not used.
    pub id: [u8; 32],
}

impl OauthClient {
    /// Prepares a configuration. It fails if its URL does not parse.
    pub fn new(config: OauthConfig) -> Result<Self, url::ParseError> {
        let token_url = Url::parse(&config.token_url)?;
        let json = serde_json::to_vec(&config).expect("texts and numbers are plain JSON");
        let id = Sha256::digest(&json).into();
        Ok(Self { config, token_url, id })
    }
}
