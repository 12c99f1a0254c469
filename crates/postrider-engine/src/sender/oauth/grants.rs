//! What the sender needs of the engine for access tokens: the time, and the refresh tokens.

use async_trait::async_trait;
use postrider::{ApplicationId, EndpointId};
use postrider_core::{
    catalog::{AccessGrant, Grant},
    oauth::TokenError,
    time::Timestamp,
};

/// The endpoint that a grant belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrantKey {
    pub application: ApplicationId,
    pub endpoint: EndpointId,
    /// Identifies the configuration of the endpoint. A grant of another one is not used.
    pub config: [u8; 32],
}

/// What a node gets that needs an access token.
#[derive(Debug)]
pub enum GrantState {
    /// An access token that another node has fetched.
    Usable(AccessGrant),
    /// Another node is fetching one.
    Claimed,
    /// The refresh token, which no other node uses until the grant is settled.
    Owned { holder: u64, refresh_token: String },
}

/// Stores the grants with refresh tokens, which token servers replace.
#[async_trait]
pub trait Grants: Send + Sync + std::fmt::Debug + 'static {
    /// The time, the same on all nodes.
    fn now(&self) -> Timestamp;

    /// A text that is unique, for the id of a JWT.
    fn unique_text(&self) -> String;

    /// The state of a grant of which the access token `rejected` is not accepted. If the result is
    /// [`GrantState::Owned`], [`Self::settle`] has to follow.
    async fn claim(&self, of: GrantKey, rejected: Option<&str>) -> Result<GrantState, TokenError>;

    /// Ends the use of a refresh token. `new` replaces the tokens; without it, they stay. If the
    /// endpoint got another configuration or refresh token meanwhile, that stays.
    async fn settle(&self, of: GrantKey, used: (u64, &str), new: Option<Grant>);
}
