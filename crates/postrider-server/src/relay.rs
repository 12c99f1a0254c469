//! Passes webhooks on to programs at somebody's desk, over WebSocket.
//!
//! A program connects to `/api/v1/listen/` and names itself by a token; requests to
//! `/api/v1/receive/{token}/` are handed to it, and its answers are the answers. Nothing is
//! stored. With a token of the API it can follow a source instead: then it gets what the
//! store holds, and goes on where it was.
//!
//! Programs without a token are let in only if the operator has opened the relay to them. What
//! they use up, token holders do not lack: the two have seats and memory of their own.

mod follow;
mod guard;
mod listen;
mod name;
mod pass;
mod receive;
mod response;
mod sessions;
mod visitor;
mod wire;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    response::Response,
    routing::{any, get},
};
use postrider_core::time::Timestamp;
use tokio::sync::Semaphore;

use self::{
    guard::Guard,
    sessions::{Sessions, Trust},
};
use crate::{api::error::ApiError, context::Context, settings::Limits};

/// Where the URLs of listening programs begin.
const RECEIVE: &str = "/api/v1/receive/";

/// Where the Svix CLI says that they begin; sources have the same place, and other tokens.
const IN: &str = "/in/";

/// Where programs connect to.
const LISTEN: &str = "/api/v1/listen";

/// Bytes that one permit of [`Shares::room`] is worth.
const UNIT: usize = 1 << 10;

/// What all listening programs share.
#[derive(Debug)]
pub(crate) struct Relay {
    context: Arc<Context>,
    sessions: Sessions,
    guard: Guard,
    strangers: Shares,
    token_holders: Shares,
}

/// What programs of the same standing share.
#[derive(Debug)]
struct Shares {
    /// Programs that may connect.
    seats: Arc<Semaphore>,
    /// Bytes that requests on their way may take, in [`UNIT`]s.
    room: Arc<Semaphore>,
}

impl Shares {
    fn new(limits: &Limits) -> Self {
        Self {
            seats: Arc::new(Semaphore::new(limits.relay_sessions)),
            room: Arc::new(Semaphore::new(limits.relay_bytes / UNIT)),
        }
    }
}

impl Relay {
    pub(crate) fn new(context: &Arc<Context>) -> Arc<Self> {
        let limits = &context.settings.limits;
        Arc::new(Self {
            context: Arc::clone(context),
            sessions: Sessions::default(),
            guard: Guard::new(limits.relay_guesses),
            strangers: Shares::new(limits),
            token_holders: Shares::new(limits),
        })
    }

    const fn shares(&self, trust: Trust) -> &Shares {
        match trust {
            Trust::Stranger => &self.strangers,
            Trust::TokenHolder => &self.token_holders,
        }
    }

    /// What a caller without a token is told while the relay is not open.
    const fn closed() -> ApiError {
        ApiError::Forbidden(
            "the relay is switched off on this server; turn it on with `relay = true`, \
             or listen with a token of the organization",
        )
    }

    /// Whether this token is a program's, whether it listens or not. It cannot be a source's:
    /// those have no underscore, so a program can never listen in place of a source.
    pub(crate) fn is_token(token: &str) -> bool {
        token.contains('_') && name::is_valid(token)
    }

    fn now(&self) -> Timestamp {
        self.context.engine.clock().now()
    }

    /// Hands the request to the program whose token its path has.
    pub(crate) async fn receive(&self, request: Request) -> Response {
        receive::receive(self, request).await
    }
}

/// Whether what is asked for there may be the name of a program.
pub(crate) fn is_path(path: &str) -> bool {
    [RECEIVE, IN, LISTEN].iter().any(|it| path.starts_with(it))
}

/// `/api/v1/listen/`, which such programs connect to, and the URLs that they get.
pub(crate) fn router(relay: &Arc<Relay>) -> Router {
    let receive =
        async |State(relay): State<Arc<Relay>>, request: Request| relay.receive(request).await;
    Router::new()
        .route("/api/v1/listen", get(listen::listen))
        .route("/api/v1/listen/", get(listen::listen))
        .route("/api/v1/receive/{token}", any(receive))
        .route("/api/v1/receive/{token}/", any(receive))
        .route("/api/v1/receive/{token}/{*rest}", any(receive))
        .with_state(Arc::clone(relay))
}
