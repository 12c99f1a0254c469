//! Sessions: they begin with a sign-in, and authenticate the requests of a browser.

use std::{net::IpAddr, sync::Arc};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use http::{HeaderMap, Method, Uri, header};
use ipnet::IpNet;
use postrider_core::{
    audit::AuditedRecord,
    sign_in::{RequestOrigin, is_same_origin},
    time::Timestamp,
    vault::NONCE,
};
use postrider_engine::Engine;
use postrider_store::{Change, SignIn, StoreError};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;

use super::{
    claims::role_of,
    cookie::Cookie,
    error::SignInError,
    flow::{Flow, Person},
    http_client::ProviderClient,
    provider::Provider,
    settings::SsoSettings,
};
use crate::{
    api::error::ApiError,
    auth::{Principal, authenticator::cut_off_at, signed_in::SignedIn},
    operations::audited::{AuditedStore, Origin},
    settings::Settings,
};

/// Single sign-on of a server.
#[derive(Debug)]
pub(crate) struct SingleSignOn {
    pub(super) settings: SsoSettings,
    pub(super) engine: Engine,
    provider: Provider,
    /// The server's public URL.
    public: Url,
    pub(super) trusted_proxies: Vec<IpNet>,
}

impl SingleSignOn {
    /// None if it is not configured.
    pub(crate) fn of(settings: &Settings, engine: &Engine) -> Option<Self> {
        let sso = settings.sso.clone()?;
        let public = Url::parse(&settings.portal_url).ok()?;
        let client = ProviderClient::new(sso.http.clone());
        let provider = Provider::new(sso.issuer.clone(), client);
        let trusted_proxies = settings.trusted_proxies.clone();
        Some(Self { settings: sso, engine: engine.clone(), provider, public, trusted_proxies })
    }

    pub(super) fn flow(&self) -> Flow<'_> {
        let mut redirect = self.public.clone();
        let path = format!("{}/auth/callback", self.public.path().trim_end_matches('/'));
        redirect.set_path(&path);
        let (settings, provider) = (&self.settings, &self.provider);
        Flow { settings, provider, clock: self.engine.clock(), redirect }
    }

    pub(super) fn session_cookie(&self) -> Cookie {
        Cookie::session(self.is_secure())
    }

    pub(super) fn sign_in_cookie(&self) -> Cookie {
        Cookie::sign_in(self.is_secure())
    }

    fn is_secure(&self) -> bool {
        self.public.scheme() == "https"
    }

    /// Begins a session of a person at this address; returns the value of its cookie.
    pub(super) async fn begin(
        &self,
        person: Person,
        address: Option<IpAddr>,
    ) -> Result<String, SignInError> {
        let role = role_of(&person.groups, &self.settings.roles).ok_or(SignInError::NoRole)?;
        let clock = self.engine.clock();
        let (token, now) = (self.new_token(), clock.now());
        let session = SignIn {
            organization: self.settings.organization.clone(),
            role: role.to_string(),
            subject: person.subject,
            name: person.name,
            created_at: now,
            expires_at: now + self.settings.session,
        };
        tracing::info!(subject = session.subject, role = session.role, "signed in");
        let digest = digest(&token);
        let change = Change::BeginSignIn(digest, session.clone());
        let signed_in = SignedIn { session, role, digest };
        let parameters = [("role", json!(role.to_string()))];
        self.make(change, &signed_in, ("v1.authentication.sign-in", address), parameters).await?;
        Ok(token)
    }

    /// Makes a change of a session, and records it.
    async fn make<const N: usize>(
        &self,
        change: Change,
        signed_in: &SignedIn,
        (operation, address): (&'static str, Option<IpAddr>),
        parameters: [(&'static str, Value); N],
    ) -> Result<(), StoreError> {
        let id = signed_in.session.subject.clone();
        let record = AuditedRecord { kind: "session".to_owned(), id, application: None };
        let principal = Arc::new(Principal::of_session(signed_in));
        let store = AuditedStore::new(&self.engine, &principal, Origin { operation, address });
        store.make(change, record, parameters).await.map(drop)
    }

    /// A random text that only this installation can have made, so that forged ones are refused
    /// without the store.
    fn new_token(&self) -> String {
        let clock = self.engine.clock();
        let (mut random, mut nonce) = ([0; 32], [0; NONCE]);
        clock.random(&mut random);
        clock.random(&mut nonce);
        BASE64_URL_SAFE_NO_PAD.encode(self.engine.vault().seal_under(PURPOSE, &random, nonce))
    }

    fn is_own_token(&self, token: &str) -> bool {
        let sealed = BASE64_URL_SAFE_NO_PAD.decode(token).ok();
        sealed.is_some_and(|it| self.engine.vault().open_under(PURPOSE, it).is_ok())
    }

    /// Ends the session of a request from this address.
    pub(super) async fn end(
        &self,
        headers: &HeaderMap,
        address: Option<IpAddr>,
    ) -> Result<(), SignInError> {
        let Some(token) = self.session_cookie().find(headers) else { return Ok(()) };
        let Some(signed_in) = self.find(digest(token)).await? else { return Ok(()) };
        let change = Change::EndSignIn(signed_in.digest);
        self.make(change, &signed_in, ("v1.authentication.sign-out", address), []).await?;
        Ok(())
    }

    async fn find(&self, digest: [u8; 32]) -> Result<Option<SignedIn>, StoreError> {
        let found = self.engine.store().sign_in(digest).await?;
        // A role that no longer exists grants nothing.
        Ok(found.and_then(|session| {
            let role = session.role.parse().ok()?;
            Some(SignedIn { session, role, digest })
        }))
    }

    /// The session of a request; none if it has no cookie of one. A token has priority.
    pub(crate) async fn authenticate(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<Option<SignedIn>, ApiError> {
        if headers.contains_key(header::AUTHORIZATION) {
            return Ok(None);
        }
        let Some(token) = self.session_cookie().find(headers) else { return Ok(None) };
        if !self.is_own_token(token) {
            return Err(ApiError::Unauthenticated(EXPIRED.into()));
        }
        if !self.is_own_page(method, uri, headers) {
            return Err(ApiError::Forbidden(
                "a session can only be used by pages of this server; use a token",
            ));
        }
        let found = self.find(digest(token)).await?.filter(|it| now < it.session.expires_at);
        let Some(signed_in) = found else {
            return Err(ApiError::Unauthenticated(EXPIRED.into()));
        };
        let cut_off_at = cut_off_at(&self.engine, &Principal::of_session(&signed_in)).await?;
        if cut_off_at.is_some_and(|at| at <= now) {
            return Err(ApiError::Unauthenticated(EXPIRED.into()));
        }
        Ok(Some(signed_in))
    }

    /// Whether a page of this server sent the request.
    pub(super) fn is_own_page(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> bool {
        let text = |name| headers.get(name).map(|it| it.to_str().unwrap_or("null"));
        let authority = uri.authority().map(http::uri::Authority::as_str);
        is_same_origin(&RequestOrigin {
            is_safe: method.is_safe(),
            site: text(header::HeaderName::from_static("sec-fetch-site")),
            origin: text(header::ORIGIN),
            host: text(header::HOST).or(authority),
            public: &self.public.origin().ascii_serialization(),
        })
    }
}

/// What the encryption of a token is bound to.
const PURPOSE: &[u8] = b"session";

const EXPIRED: &str = "the session has ended; sign in again";

/// The store knows only digests, so that a reader of the store cannot use a session.
fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}
