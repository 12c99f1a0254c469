//! The grants with refresh tokens, in the store. One node at a time uses a refresh token.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use postrider_core::{
    catalog::{Endpoint, Grant, GrantClaim},
    oauth::{GrantStep, OauthClient, TokenError, next_step},
    outcome::Failure,
    time::Timestamp,
    vault::{NONCE, Vault, VaultError},
};
use postrider_store::{Expected, IdOrUid, Records, Store, StoreError, Version};
use tokio::time::sleep;

use crate::{
    clock::Clock,
    sender::{GrantKey, GrantState, Grants},
};

/// How long a refresh token is claimed. A token request and the writes around it take less.
const CLAIM: Duration = Duration::from_secs(60);

/// How often a save is repeated because another writer was faster.
const MAX_RACES: usize = 10;

/// How often a new refresh token is stored before it is given up, and the pause in between.
const STORE_TRIES: u32 = 20;
const STORE_PAUSE: Duration = Duration::from_millis(500);

/// The grants in a store.
#[derive(Debug)]
pub(crate) struct StoredGrants {
    pub store: Arc<dyn Store>,
    pub vault: Vault,
    pub clock: Arc<Clock>,
}

/// A grant as it was read.
struct Found {
    endpoint: Endpoint,
    version: Version,
    grant: Grant,
}

/// Why a grant cannot be used.
#[derive(Debug, thiserror::Error)]
enum GrantError {
    #[error("the endpoint was changed; the next attempt uses its new configuration")]
    Changed,
    #[error("the endpoint has no refresh token; set its OAuth configuration again")]
    Missing,
    #[error(transparent)]
    Secret(#[from] VaultError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl GrantError {
    fn into_token_error(self) -> TokenError {
        let failure = match self {
            Self::Missing => Failure::Misconfigured,
            Self::Changed | Self::Secret(_) | Self::Store(_) => Failure::Busy,
        };
        match self {
            Self::Changed | Self::Missing => TokenError::new(failure, self.to_string()),
            Self::Secret(_) | Self::Store(_) => {
                tracing::warn!(
                    error = &self as &dyn std::error::Error,
                    "the refresh token of an endpoint cannot be read"
                );
                let reason = "the stored refresh token cannot be read; the log of the server says \
                              why";
                TokenError::new(failure, reason)
            },
        }
    }
}

#[async_trait]
impl Grants for StoredGrants {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn unique_text(&self) -> String {
        let mut random = [0; 16];
        self.clock.random(&mut random);
        format!("{:032x}", u128::from_be_bytes(random))
    }

    async fn claim(&self, of: GrantKey, rejected: Option<&str>) -> Result<GrantState, TokenError> {
        self.try_claim(of, rejected).await.map_err(GrantError::into_token_error)
    }

    async fn settle(&self, of: GrantKey, used: (u64, &str), new: Option<Grant>) {
        for _ in 0..STORE_TRIES {
            match self.try_settle(of, used, new.as_ref()).await {
                Ok(()) | Err(GrantError::Changed | GrantError::Missing) => return,
                Err(GrantError::Secret(_) | GrantError::Store(_)) => sleep(STORE_PAUSE).await,
            }
        }
        if new.is_some_and(|grant| grant.refresh_token != used.1) {
            tracing::error!(
                endpoint.id = %of.endpoint,
                "a new refresh token could not be stored and is lost; if the token server no \
                 longer accepts the old one, set the endpoint's OAuth configuration again"
            );
        }
    }
}

impl StoredGrants {
    async fn try_claim(
        &self,
        of: GrantKey,
        rejected: Option<&str>,
    ) -> Result<GrantState, GrantError> {
        for _ in 0..MAX_RACES {
            let Found { mut endpoint, version, grant } = self.find(of).await?;
            let now = self.clock.now();
            let holder = match next_step(&grant, endpoint.authentication.claim, rejected, now) {
                GrantStep::Use(access) => return Ok(GrantState::Usable(access)),
                GrantStep::Wait => return Ok(GrantState::Claimed),
                GrantStep::Claim => self.holder(),
            };
            endpoint.authentication.claim = Some(GrantClaim { holder, until: now + CLAIM });
            if self.save(&endpoint, version).await? {
                return Ok(GrantState::Owned { holder, refresh_token: grant.refresh_token });
            }
        }
        Ok(GrantState::Claimed)
    }

    async fn try_settle(
        &self,
        of: GrantKey,
        (holder, refresh_token): (u64, &str),
        new: Option<&Grant>,
    ) -> Result<(), GrantError> {
        for _ in 0..MAX_RACES {
            let Found { mut endpoint, version, grant } = self.find(of).await?;
            if grant.refresh_token != refresh_token {
                return Err(GrantError::Changed);
            }
            let authentication = &mut endpoint.authentication;
            if let Some(new) = new {
                authentication.grant = self.vault.seal_at_rest(&Some(new.clone()), self.nonce());
            }
            if authentication.claim.is_some_and(|claim| claim.holder == holder) {
                authentication.claim = None;
            }
            if self.save(&endpoint, version).await? {
                return Ok(());
            }
        }
        let what = "endpoint";
        Err(StoreError::VersionMismatch { what }.into())
    }

    async fn find(&self, of: GrantKey) -> Result<Found, GrantError> {
        let id = IdOrUid::Id(of.endpoint);
        let found = self.store.get_versioned::<Endpoint>(&of.application, &id).await?;
        let (endpoint, version) = found.ok_or(GrantError::Changed)?;
        let config = self.vault.open_at_rest(&endpoint.authentication.oauth)?;
        let client = config.and_then(|config| OauthClient::new(config).ok());
        if client.is_none_or(|client| client.id != of.config) {
            return Err(GrantError::Changed);
        }
        let grant = self.vault.open_at_rest(&endpoint.authentication.grant)?;
        Ok(Found { endpoint, version, grant: grant.ok_or(GrantError::Missing)? })
    }

    /// Saves the endpoint, unless another writer was faster.
    async fn save(&self, endpoint: &Endpoint, version: Version) -> Result<bool, StoreError> {
        match self.store.save(endpoint, Expected::Version(version)).await {
            Ok(_) => Ok(true),
            Err(StoreError::VersionMismatch { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn holder(&self) -> u64 {
        let mut random = [0; 8];
        self.clock.random(&mut random);
        u64::from_be_bytes(random)
    }

    fn nonce(&self) -> [u8; NONCE] {
        let mut nonce = [0; NONCE];
        self.clock.random(&mut nonce);
        nonce
    }
}
