//! Access tokens of endpoints: fetched once for all deliveries that need one, and kept in memory
//! until shortly before they expire.

mod fetch;
mod grants;
mod sign;

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::HeaderValue;
use postrider::EndpointId;
use postrider_core::{
    catalog::AccessGrant,
    credentials::CredentialHeader,
    oauth::{OauthClient, TokenError, failure_pause, is_worth_refreshing},
    outcome::Failure,
    target::Target,
    time::Timestamp,
};
use tokio::{sync::watch, task::JoinSet, time::Instant};
use zeroize::Zeroizing;

use self::fetch::Fetch;
pub use self::{
    grants::{GrantKey, GrantState, Grants},
    sign::{JwtKeyError, check_jwt_key},
};
use super::http::request::HttpClient;

/// Endpoints whose tokens are kept. The one that was not used for longest makes room.
const MAX_ENDPOINTS: usize = 10_000;

/// Tokens that are fetched at the same time. There are never more than calls in flight.
const MAX_FETCHES: usize = 4_096;

/// The time limit of a token request, if that of a delivery is not shorter. A delivery that waits for
/// a token has time left to say what was wrong.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The access tokens of all endpoints that use OAuth.
pub(super) struct AccessTokens {
    http: HttpClient,
    limit: Duration,
    grants: OnceLock<Arc<dyn Grants>>,
    state: Mutex<State>,
}

/// An access token in use.
pub(super) struct AccessToken {
    text: Zeroizing<String>,
    pub header: HeaderValue,
    received_at: Timestamp,
    usable_until: Timestamp,
    /// A receiver has accepted it.
    has_worked: AtomicBool,
}

#[derive(Default)]
struct State {
    slots: HashMap<EndpointId, Slot>,
    fetches: JoinSet<()>,
}

/// What is known about an endpoint's token.
struct Slot {
    /// The configuration that it is for.
    config: [u8; 32],
    used_at: Instant,
    token: Option<Arc<AccessToken>>,
    /// Failed requests in a row.
    failures: u32,
    /// The last failure, and until when no token is requested.
    failed: Option<(TokenError, Timestamp)>,
    fetching: Option<watch::Receiver<Option<Fetched>>>,
}

/// The end of a fetch.
#[derive(Clone)]
struct Fetched {
    at: Timestamp,
    result: Result<Arc<AccessToken>, TokenError>,
}

/// What a delivery does that needs a token.
enum Step {
    Use(Arc<AccessToken>),
    Fail(TokenError),
    Wait(watch::Receiver<Option<Fetched>>),
}

impl fmt::Debug for AccessTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessTokens").finish_non_exhaustive()
    }
}

impl AccessTokens {
    pub(super) fn new(http: HttpClient, request_timeout: Duration) -> Self {
        let limit = TIMEOUT.min(request_timeout / 2);
        Self { http, limit, grants: OnceLock::new(), state: Mutex::default() }
    }

    /// Sets what tokens are fetched with. Only the first call has an effect.
    pub(super) fn attach(&self, grants: Arc<dyn Grants>) {
        // A second engine over the same sender uses the grants of the first one.
        drop(self.grants.set(grants));
    }

    /// The token of an endpoint other than `rejected`. All deliveries that need one at the same
    /// time wait for one request.
    pub(super) async fn get(
        &self,
        target: &Arc<Target>,
        client: &Arc<OauthClient>,
        rejected: Option<&AccessToken>,
    ) -> Result<Arc<AccessToken>, TokenError> {
        let Some(grants) = self.grants.get() else {
            return Err(internal("this server cannot fetch access tokens"));
        };
        let wanted = Wanted { grants, target, client, rejected };
        let mut fetching = match self.step(&wanted) {
            Step::Use(token) => return Ok(token),
            Step::Fail(error) => return Err(error),
            Step::Wait(fetching) => fetching,
        };
        let fetched = fetching.wait_for(Option::is_some).await;
        let fetched = fetched.ok().and_then(|it| it.clone());
        fetched
            .map_or_else(|| Err(internal("fetching an access token ended early")), |it| it.result)
    }

    /// Whether another token is requested after the receiver responded with 401.
    pub(super) fn is_worth_refreshing(&self, token: &AccessToken) -> bool {
        let now = self.grants.get().map(|grants| grants.now());
        let age = now.map_or(Duration::ZERO, |now| now.since(token.received_at));
        is_worth_refreshing(token.has_worked.load(Ordering::Relaxed), age)
    }

    fn step(&self, wanted: &Wanted<'_>) -> Step {
        let now = wanted.grants.now();
        let mut state = self.lock();
        let State { slots, fetches } = &mut *state;
        while fetches.try_join_next().is_some() {}
        let endpoint = wanted.target.endpoint;
        if !slots.contains_key(&endpoint) {
            make_room(slots);
        }
        let slot = slots.entry(endpoint).or_insert_with(|| Slot::new(wanted.client.id));
        if slot.config != wanted.client.id {
            *slot = Slot::new(wanted.client.id);
        }
        slot.used_at = Instant::now();
        slot.note_end();
        if let Some(step) = slot.known(wanted.rejected, now) {
            return step;
        }
        if fetches.len() >= MAX_FETCHES {
            let reason = "too many access tokens are being fetched; the next attempt tries again";
            return Step::Fail(TokenError::new(Failure::Busy, reason));
        }
        let (ended, fetching) = watch::channel(None);
        slot.fetching = Some(fetching.clone());
        fetches.spawn(wanted.fetch(self.http.clone(), self.limit, ended));
        Step::Wait(fetching)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The token that a delivery needs.
struct Wanted<'a> {
    grants: &'a Arc<dyn Grants>,
    target: &'a Arc<Target>,
    client: &'a Arc<OauthClient>,
    rejected: Option<&'a AccessToken>,
}

impl Wanted<'_> {
    /// Fetches the token. This does not depend on the delivery, which may reach its time limit
    /// before a new refresh token is stored.
    fn fetch(
        &self,
        http: HttpClient,
        limit: Duration,
        ended: watch::Sender<Option<Fetched>>,
    ) -> impl Future<Output = ()> + Send + 'static {
        let grants = Arc::clone(self.grants);
        let fetch = Fetch {
            http,
            grants: Arc::clone(&grants),
            target: Arc::clone(self.target),
            client: Arc::clone(self.client),
            rejected: self.rejected.map(|token| token.text.clone()),
            limit,
        };
        async move {
            let result = fetch.run().await.and_then(AccessToken::new);
            ended.send_replace(Some(Fetched { at: grants.now(), result: result.map(Arc::new) }));
        }
    }
}

impl Slot {
    fn new(config: [u8; 32]) -> Self {
        Self {
            config,
            used_at: Instant::now(),
            token: None,
            failures: 0,
            failed: None,
            fetching: None,
        }
    }

    /// Takes over the result of a fetch that has ended.
    fn note_end(&mut self) {
        let Some(fetching) = &self.fetching else { return };
        let fetched = fetching.borrow().clone();
        match fetched {
            Some(Fetched { result: Ok(token), .. }) => {
                (self.token, self.failures, self.failed) = (Some(token), 0, None);
            },
            Some(Fetched { at, result: Err(error) }) => {
                self.failures = self.failures.saturating_add(1);
                let until = at + failure_pause(self.failures, error.retry_after);
                self.failed = Some((error, until));
            },
            None if fetching.has_changed().is_ok() => return,
            // It ended without a result.
            None => {},
        }
        self.fetching = None;
    }

    /// What to do without a new request, if that is possible.
    fn known(&self, rejected: Option<&AccessToken>, now: Timestamp) -> Option<Step> {
        if let Some(token) = &self.token
            && now < token.usable_until
            && rejected.is_none_or(|rejected| rejected.text != token.text)
        {
            return Some(Step::Use(Arc::clone(token)));
        }
        if let Some(fetching) = &self.fetching {
            return Some(Step::Wait(fetching.clone()));
        }
        let (error, until) = self.failed.as_ref()?;
        (now < *until).then(|| Step::Fail(error.clone()))
    }
}

impl AccessToken {
    fn new(access: AccessGrant) -> Result<Self, TokenError> {
        let AccessGrant { token, received_at, usable_until } = access;
        let text = Zeroizing::new(token);
        let header = CredentialHeader::bearer(&text).ok_or_else(|| {
            let reason = "the token server issued an access token that does not fit into a header";
            TokenError::new(Failure::Misconfigured, reason)
        })?;
        let has_worked = AtomicBool::new(false);
        Ok(Self { text, header: header.value, received_at, usable_until, has_worked })
    }

    /// Notes that a receiver has accepted the token.
    pub(super) fn note_success(&self) {
        self.has_worked.store(true, Ordering::Relaxed);
    }
}

fn internal(reason: &str) -> TokenError {
    TokenError::new(Failure::Protocol, format!("internal error: {reason}"))
}

fn make_room(slots: &mut HashMap<EndpointId, Slot>) {
    if slots.len() < MAX_ENDPOINTS {
        return;
    }
    let oldest = slots.iter().min_by_key(|(_, slot)| slot.used_at).map(|(id, _)| *id);
    if let Some(oldest) = oldest {
        slots.remove(&oldest);
    }
}
