//! Forwards requests to one listener, and its responses back.

use std::{collections::HashMap, sync::Arc};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue};
use postrider::listen::{
    ClientMessage, CloseCode, IN_USE_REASON, RECEIVE_PATH, RelayedResponse, ServerMessage, Start,
    Started, is_short_token, is_valid_token,
};
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    time::interval,
};
use tokio_util::sync::CancellationToken;

use super::{
    connection::{Connection, Ended},
    sessions::{Forward, ProgramResponse, Session, Trust},
    state::Relay,
    token::{Ownership, ownership},
};

const fn closed(code: CloseCode, reason: &'static str) -> Ended {
    Ended::Closed { code, reason }
}

/// Serves the listener until its connection ends.
pub(super) async fn run(
    relay: &Relay,
    connection: &mut Connection,
    start: Start,
    trust: Trust,
) -> Result<(), Ended> {
    let Start { token, key, source: _, after: _ } = start;
    let ownership = check_token(relay, connection, &token, key.as_deref(), trust)?;
    let max_in_flight = relay.settings.limits.relay_in_flight;
    let (forwards, queue) = mpsc::channel(max_in_flight);
    let session = Arc::new(Session {
        forwards,
        in_flight: Arc::new(Semaphore::new(max_in_flight)),
        replaced: CancellationToken::new(),
        trust,
    });
    if !relay.sessions.insert(&token, Arc::clone(&session), ownership == Ownership::Proven) {
        return Err(closed(CloseCode::TokenInUse, IN_USE_REASON));
    }
    let ended = forward(relay, connection, &token, &session, queue).await;
    relay.sessions.remove(&token, &session);
    ended
}

/// Whether the client may listen with the token, as far as that does not depend on others.
fn check_token(
    relay: &Relay,
    connection: &Connection,
    token: &str,
    key: Option<&str>,
    trust: Trust,
) -> Result<Ownership, Ended> {
    if !is_valid_token(token) {
        let reason = "a token has 24 to 128 letters, digits, _ and -, or 12 that begin with c_";
        return Err(closed(CloseCode::InvalidToken, reason));
    }
    if is_short_token(token) && trust == Trust::Anonymous {
        // Every connection counts as a guess: "in use" would also reveal that a token exists.
        let (address, now) = (connection.client_address, relay.now());
        if relay.guess_limiter.refuses(address, now) {
            let reason = "too many connections from this address; try again later";
            return Err(closed(CloseCode::TryAgainLater, reason));
        }
        relay.guess_limiter.add(address, now);
    }
    match ownership(token, key) {
        Ownership::Denied => {
            Err(closed(CloseCode::InvalidToken, "the token was made from another key"))
        },
        ownership @ (Ownership::FirstCome | Ownership::Proven) => Ok(ownership),
    }
}

async fn forward(
    relay: &Relay,
    connection: &mut Connection,
    token: &str,
    session: &Session,
    mut queue: mpsc::Receiver<Forward>,
) -> Result<(), Ended> {
    connection.send(&ServerMessage::Start(started(relay, token))).await?;
    let ping_interval = relay.settings.limits.relay_ping;
    let mut pings = interval(ping_interval);
    let mut pending = PendingResponses::default();
    loop {
        tokio::select! {
            forward = queue.recv() => {
                let message = pending.add(forward.ok_or(Ended::Lost)?);
                connection.send_encoded(message).await?;
            },
            message = connection.next() => {
                if let Some(ClientMessage::Event(response)) = message? {
                    pending.complete(response);
                }
            },
            _ = pings.tick() => connection.ping(ping_interval).await?,
            () = session.replaced.cancelled() => {
                let reason = "the same client listens over another connection";
                return Err(closed(CloseCode::TokenInUse, reason));
            },
        }
    }
}

/// Tells a listener its URL.
pub(super) fn started(relay: &Relay, token: &str) -> Started {
    let settings = &relay.settings;
    Started {
        token: token.to_owned(),
        url: Some(settings.relay_url(&format!("{RECEIVE_PATH}{token}/"))),
        response_bytes: Some(settings.limits.relay_answer),
        after: None,
    }
}

/// Requests that the listener has not responded to.
#[derive(Debug, Default)]
struct PendingResponses(HashMap<String, oneshot::Sender<ProgramResponse>>);

impl PendingResponses {
    /// Adds the request; the message to send.
    fn add(&mut self, forward: Forward) -> String {
        // Senders that timed out leave entries behind. Removing them here bounds the map by the
        // number of requests in flight.
        self.0.retain(|_, response| !response.is_closed());
        let Forward { id, message, response } = forward;
        self.0.insert(id, response);
        message
    }

    fn complete(&mut self, relayed: RelayedResponse) {
        let Some(sender) = self.0.remove(&relayed.id) else { return };
        if let Some(response) = parse(relayed) {
            // The sender of the request may have hung up.
            drop(sender.send(response));
        }
    }
}

/// A response that is not valid in HTTP counts as none.
fn parse(relayed: RelayedResponse) -> Option<ProgramResponse> {
    let body = BASE64_STANDARD.decode(relayed.body).ok()?.into();
    let mut headers = HeaderMap::new();
    for (name, value) in relayed.headers {
        let name = HeaderName::try_from(name).ok()?;
        headers.insert(name, HeaderValue::try_from(value).ok()?);
    }
    let is_final = (200..=599).contains(&relayed.status);
    is_final.then_some(ProgramResponse { status: relayed.status, headers, body })
}
