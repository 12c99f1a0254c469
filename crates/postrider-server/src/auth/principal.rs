//! Principals: on whose behalf an operation runs.

use std::{collections::BTreeSet, sync::Arc};

use postrider::{OrganizationId, api::PrincipalKind};
use postrider_core::{audit::Actor, budget::CallerKey, time::Timestamp};
use sha2::{Digest, Sha256};

use crate::{
    auth::token::{Grant, LEEWAY},
    http::memory::PUBLIC_CALLER,
    sso::SignedIn,
};

/// On whose behalf an operation runs: an organization, one of its applications, or an anonymous client.
#[derive(Clone, Debug)]
pub struct Principal {
    pub(crate) grant: Grant,
    /// Identifies the token, so that one token of an application can be revoked.
    pub(crate) token: [u8; 16],
    /// Whose share of the memory budget its requests take.
    pub(crate) holder: CallerKey,
    /// As the audit log names it.
    pub(crate) actor: Actor,
    is_anonymous: bool,
}

impl Principal {
    /// The principal that a token with this grant would authenticate.
    ///
    /// For programs that embed the server and have authenticated the caller themselves. To
    /// authenticate a token, use [`Operations::authenticate`](crate::Operations::authenticate).
    pub fn new(grant: Grant) -> Arc<Self> {
        Arc::new(Self::of_token(grant, [0; 16]))
    }

    /// The principal of requests without a token. It may call the health checks only.
    pub fn anonymous() -> Arc<Self> {
        let organization = "org_anonymous".parse().expect("it is a valid name");
        let grant = Grant { organization, application: None, expires_at: None };
        let actor = Actor::installation();
        Arc::new(Self { grant, token: [0; 16], holder: PUBLIC_CALLER, actor, is_anonymous: true })
    }

    /// The installation itself, on behalf of an organization: what its configuration says, and
    /// what it reads from queues.
    pub(crate) fn installation(organization: OrganizationId) -> Arc<Self> {
        let grant = Grant { organization, application: None, expires_at: None };
        Arc::new(Self { actor: Actor::installation(), ..Self::of_token(grant, [0; 16]) })
    }

    pub(crate) fn of_token(grant: Grant, token: [u8; 16]) -> Self {
        let holder = holder(&grant);
        let actor = actor(&grant);
        Self { grant, token, holder, actor, is_anonymous: false }
    }

    /// The same principal with these feature flags, if it is one of an application.
    pub(crate) fn with_feature_flags(&self, flags: BTreeSet<String>) -> Self {
        let mut principal = self.clone();
        if let Some(application) = &mut principal.grant.application {
            application.feature_flags = flags;
        }
        principal
    }

    /// The person that a session belongs to.
    pub(crate) fn of_session(signed_in: &SignedIn) -> Self {
        let SignedIn { session, digest, .. } = signed_in;
        let organization = session.organization.clone();
        let grant = Grant { organization, application: None, expires_at: Some(session.expires_at) };
        let token = *digest.first_chunk().expect("the digest has 32 bytes");
        let (id, name) = (session.subject.clone(), session.name.clone());
        Self {
            actor: Actor { kind: PrincipalKind::User, id, name },
            ..Self::of_token(grant, token)
        }
    }

    /// The organization whose data the principal can reach.
    pub const fn organization(&self) -> &OrganizationId {
        &self.grant.organization
    }

    pub(crate) const fn is_anonymous(&self) -> bool {
        self.is_anonymous
    }

    /// Whether the grant has expired, given that clocks differ by up to [`LEEWAY`].
    pub(crate) fn has_expired(&self, now: Timestamp) -> bool {
        self.grant.expires_at.is_some_and(|at| at + LEEWAY <= now)
    }
}

/// An application's tokens share one part of the memory budget, and so do an organization's tokens.
fn holder(grant: &Grant) -> CallerKey {
    let organization = || CallerKey::from_be_bytes(digest(grant.organization.as_str()));
    grant.application.as_ref().map_or_else(organization, |application| application.id.as_u128())
}

/// The token's subject.
fn actor(grant: &Grant) -> Actor {
    let (kind, id) = match &grant.application {
        Some(application) => (PrincipalKind::ApplicationToken, application.id.to_string()),
        None => (PrincipalKind::OrganizationToken, grant.organization.to_string()),
    };
    Actor { kind, id, name: None }
}

/// The first half of a text's SHA-256.
pub(crate) fn digest(text: &str) -> [u8; 16] {
    let digest = Sha256::digest(text);
    *digest.first_chunk().expect("the digest has 32 bytes")
}
