//! Hands requests to one listening program, and its answers back.

use std::{collections::HashMap, sync::Arc};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue};
use postrider::listen::{
    ClientMessage, CloseCode, IN_USE_REASON, RECEIVE_PATH, RelayedResponse, ServerMessage, Start,
    Started, is_short_token, is_valid_token,
};
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    time::{Instant, interval},
};
use tokio_util::sync::CancellationToken;

use super::{
    Relay,
    listen::{Ended, Line},
    name::{self, Owner},
    sessions::{Answered, Forward, Session, Trust},
};

/// Another program listens with the same token.
const IN_USE: Ended = Ended::Refused { code: CloseCode::TokenInUse, reason: IN_USE_REASON };

/// Pings that may stay without any sign of life.
pub(super) const MISSED: u32 = 3;

pub(super) async fn run(
    relay: &Relay,
    line: &mut Line,
    start: Start,
    trust: Trust,
) -> Result<(), Ended> {
    let Start { token, key, source: _, after: _ } = start;
    if !is_valid_token(&token) {
        let reason = "a token has 24 to 128 letters, digits, _ and -, or 12 that begin with c_";
        return Err(Ended::Refused { code: CloseCode::InvalidToken, reason });
    }
    if is_short_token(&token) && trust == Trust::Stranger {
        // Whether a token is in use must not be found by trying either.
        let now = relay.now();
        if relay.guard.refuses(line.address, now) {
            let reason = "too many connections from this address; try again later";
            return Err(Ended::Refused { code: CloseCode::TryAgainLater, reason });
        }
        relay.guard.add(line.address, now);
    }
    let owner = name::owner(&token, key.as_deref());
    if owner == Owner::Other {
        let reason = "the token was made from another key";
        return Err(Ended::Refused { code: CloseCode::InvalidToken, reason });
    }
    let limits = &relay.context.settings.limits;
    let (forwards, queue) = mpsc::channel(limits.relay_in_flight);
    let session = Arc::new(Session {
        forwards,
        slots: Arc::new(Semaphore::new(limits.relay_in_flight)),
        replaced: CancellationToken::new(),
        trust,
    });
    if !relay.sessions.join(&token, Arc::clone(&session), owner == Owner::Proven) {
        return Err(IN_USE);
    }
    let ended = pass(relay, line, &token, &session, queue).await;
    relay.sessions.leave(&token, &session);
    ended
}

async fn pass(
    relay: &Relay,
    line: &mut Line,
    token: &str,
    session: &Session,
    mut queue: mpsc::Receiver<Forward>,
) -> Result<(), Ended> {
    line.say(ServerMessage::Start(welcome(relay, token)).to_json()).await?;
    let every = relay.context.settings.limits.relay_ping;
    let mut pings = interval(every);
    let mut heard_at = Instant::now();
    let mut waiting = Waiting::default();
    loop {
        tokio::select! {
            forward = queue.recv() => {
                let forward = forward.ok_or(Ended::Gone)?;
                let text = waiting.add(forward);
                line.say(text).await?;
            },
            said = line.next() => {
                heard_at = Instant::now();
                if let Some(ClientMessage::Event(answer)) = said? {
                    waiting.answer(answer);
                }
            },
            _ = pings.tick() => {
                if heard_at.elapsed() > every * MISSED {
                    return Err(Ended::Gone);
                }
                line.ping().await?;
            },
            () = session.replaced.cancelled() => {
                let reason = "the same program listens over another connection";
                return Err(Ended::Refused { code: CloseCode::TokenInUse, reason });
            },
        }
    }
}

fn welcome(relay: &Relay, token: &str) -> Started {
    let settings = &relay.context.settings;
    Started {
        token: token.to_owned(),
        url: Some(settings.relay_url(&format!("{RECEIVE_PATH}{token}/"))),
        response_bytes: Some(settings.limits.relay_answer),
        after: None,
    }
}

/// Requests that the program has not answered yet.
#[derive(Debug, Default)]
struct Waiting(HashMap<String, oneshot::Sender<Answered>>);

impl Waiting {
    /// Notes the request, and tells what to send.
    fn add(&mut self, forward: Forward) -> String {
        // Nobody waits for these any more.
        self.0.retain(|_, answer| !answer.is_closed());
        let Forward { id, text, answer } = forward;
        self.0.insert(id, answer);
        text
    }

    fn answer(&mut self, answer: RelayedResponse) {
        let Some(waiting) = self.0.remove(&answer.id) else { return };
        if let Some(answered) = parse(answer) {
            // Whoever asked may have gone.
            drop(waiting.send(answered));
        }
    }
}

/// What does not stand for an answer of HTTP counts as none.
fn parse(answer: RelayedResponse) -> Option<Answered> {
    let body = BASE64_STANDARD.decode(answer.body).ok()?.into();
    let mut headers = HeaderMap::new();
    for (name, value) in answer.headers {
        let name = HeaderName::try_from(name).ok()?;
        headers.insert(name, HeaderValue::try_from(value).ok()?);
    }
    let is_final = (200..=599).contains(&answer.status);
    is_final.then_some(Answered { status: answer.status, headers, body })
}
