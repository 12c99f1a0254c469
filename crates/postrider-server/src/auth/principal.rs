//! Principals: on whose behalf an operation runs.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use postrider::{
    OrganizationId,
    api::{PrincipalKind, Role},
};
use postrider_core::{
    access::{ApiKey, ApiKeyUse, TokenCutoff, USE_INTERVAL, cut_off_at},
    audit::Actor,
    budget::CallerKey,
    time::Timestamp,
};
use sha2::{Digest, Sha256};

use crate::{
    auth::{
        signed_in::SignedIn,
        token::{ApplicationGrant, Grant, LEEWAY, User},
    },
    http::memory::PUBLIC_CALLER,
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
    /// When the token was issued.
    issued_at: Timestamp,
    /// The use of the API key that authenticated it.
    key: Option<Arc<KeyUse>>,
    is_anonymous: bool,
}

/// An API key, and when its last use was recorded.
#[derive(Debug)]
struct KeyUse {
    key: postrider::ApiKeyId,
    recorded_at: AtomicU64,
}

impl Principal {
    /// The principal that a token with this grant would authenticate.
    ///
    /// For programs that embed the server and have authenticated the caller themselves. To
    /// authenticate a token, use [`Operations::authenticate`](crate::Operations::authenticate).
    pub fn new(grant: Grant) -> Arc<Self> {
        Arc::new(Self::of_token(grant, [0; 16], Timestamp::MAX))
    }

    /// The principal of requests without a token. It may call the health checks only.
    pub fn anonymous() -> Arc<Self> {
        let organization = "org_anonymous".parse().expect("it is a valid name");
        let grant = Grant { role: Role::Viewer, ..Grant::of(organization) };
        let anonymous = Self::of_token(grant, [0; 16], Timestamp::MAX);
        let (holder, actor) = (PUBLIC_CALLER, Actor::installation());
        Arc::new(Self { holder, actor, is_anonymous: true, ..anonymous })
    }

    /// The installation itself, on behalf of an organization: what its configuration says, and
    /// what it reads from queues.
    pub(crate) fn installation(organization: OrganizationId) -> Arc<Self> {
        let own = Self::of_token(Grant::of(organization), [0; 16], Timestamp::MAX);
        Arc::new(Self { actor: Actor::installation(), ..own })
    }

    pub(crate) fn of_token(grant: Grant, token: [u8; 16], issued_at: Timestamp) -> Self {
        let holder = holder(&grant);
        let actor = actor(&grant);
        Self { grant, token, holder, actor, issued_at, key: None, is_anonymous: false }
    }

    /// The principal of an API key.
    pub(crate) fn of_key(key: ApiKey) -> Self {
        let grant = Grant {
            application: key.application.map(ApplicationGrant::full),
            expires_at: key.expires_at,
            role: key.role,
            ..Grant::of(key.organization)
        };
        let (kind, id, name) = (PrincipalKind::ApiKey, key.id.to_string(), Some(key.name));
        Self {
            actor: Actor { kind, id, name },
            key: Some(Arc::new(KeyUse { key: key.id, recorded_at: AtomicU64::new(0) })),
            ..Self::of_token(grant, [0; 16], Timestamp::MAX)
        }
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
        let SignedIn { session, role, digest } = signed_in;
        let user = User { subject: session.subject.clone(), name: session.name.clone() };
        let grant = Grant {
            expires_at: Some(session.expires_at),
            role: *role,
            user: Some(user),
            ..Grant::of(session.organization.clone())
        };
        let token = *digest.first_chunk().expect("the digest has 32 bytes");
        Self::of_token(grant, token, session.created_at)
    }

    /// The organization whose data the principal can reach.
    pub const fn organization(&self) -> &OrganizationId {
        &self.grant.organization
    }

    /// What the principal may do, unless it has capabilities instead.
    pub const fn role(&self) -> Role {
        self.grant.role
    }

    pub(crate) const fn is_anonymous(&self) -> bool {
        self.is_anonymous
    }

    /// Whether it is a token of an application, which has capabilities instead of a role.
    pub(crate) fn has_capabilities(&self) -> bool {
        self.grant.application.is_some() && self.key.is_none()
    }

    /// Whether the grant has expired, given that clocks differ by up to [`LEEWAY`].
    pub(crate) fn has_expired(&self, now: Timestamp) -> bool {
        self.grant.expires_at.is_some_and(|at| at + LEEWAY <= now)
    }

    /// When the token expires because of the cutoffs of its application or organization.
    pub(crate) fn cut_off_at(&self, cutoffs: &[TokenCutoff]) -> Option<Timestamp> {
        let application = self.grant.application.as_ref();
        let is_key = self.key.is_some() || application.is_some_and(|it| it.key.is_some());
        if is_key || cutoffs.is_empty() {
            return None;
        }
        let session = application.and_then(|it| it.session.as_deref());
        cut_off_at(cutoffs, self.issued_at, session)
    }

    /// The use of an API key, if it is to be recorded now.
    pub(crate) fn use_to_record(&self, now: Timestamp) -> Option<ApiKeyUse> {
        let used = self.key.as_ref()?;
        let (recorded_at, millis) = (used.recorded_at.load(Ordering::Relaxed), now.as_millis());
        if now.since(Timestamp::from_millis(recorded_at)) < USE_INTERVAL {
            return None;
        }
        // Of several requests at once, one records the use.
        let order = Ordering::Relaxed;
        used.recorded_at.compare_exchange(recorded_at, millis, order, order).ok()?;
        let organization = self.grant.organization.clone();
        Some(ApiKeyUse { key: used.key, organization, at: now })
    }
}

/// An application's tokens share one part of the memory budget, and so do an organization's tokens.
fn holder(grant: &Grant) -> CallerKey {
    let organization = || CallerKey::from_be_bytes(digest(grant.organization.as_str()));
    grant.application.as_ref().map_or_else(organization, |application| application.id.as_u128())
}

/// The user, or else the token's subject.
fn actor(grant: &Grant) -> Actor {
    if let Some(user) = &grant.user {
        let (id, name) = (user.subject.clone(), user.name.clone());
        return Actor { kind: PrincipalKind::User, id, name };
    }
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
