//! The listening program's side: lets it in, and keeps the connection.

use std::{net::IpAddr, sync::Arc, time::Duration};

use axum::{
    Extension,
    extract::{
        State, WebSocketUpgrade,
        ws::{CloseFrame, Message, WebSocket, rejection::WebSocketUpgradeRejection},
    },
    response::Response,
};
use http::{HeaderMap, header};
use tokio::{sync::OwnedSemaphorePermit, time::timeout};

use super::{
    Relay, follow, guard, pass,
    sessions::Trust,
    wire::{Incoming, Start},
};
use crate::{
    api::error::ApiError,
    auth::{Access, Caller},
    http::Peer,
};

/// How long a program may take to say who it is.
const START: Duration = Duration::from_secs(10);

/// How long a program may take to take what it is sent.
const WRITE: Duration = Duration::from_secs(10);

/// Room for everything of an answer but its body.
const ENVELOPE: usize = 64 << 10;

/// It will not be otherwise at the next try.
pub(super) const POLICY: u16 = 1008;

/// It may be otherwise at the next try.
pub(super) const TRY_AGAIN: u16 = 1013;

pub(super) async fn listen(
    State(relay): State<Arc<Relay>>,
    headers: HeaderMap,
    peer: Option<Extension<Peer>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let proxies = &relay.context.settings.trusted_proxies;
    let address = guard::address(proxies, peer.map(|Extension(it)| it), &headers);
    match admit(&relay, &headers, upgrade) {
        Ok((caller, seat, upgrade)) => {
            let size = relay.context.settings.limits.relay_answer.div_ceil(3) * 4 + ENVELOPE;
            upgrade
                .max_message_size(size)
                .max_frame_size(size)
                .on_upgrade(move |socket| run(relay, caller, Line::new(socket, address), seat))
        },
        Err(error) => relay.context.answer(error).into_response(),
    }
}

type Admitted = (Option<Arc<Caller>>, OwnedSemaphorePermit, WebSocketUpgrade);

/// A caller that shows a token must have a right one; one that shows none gets what the
/// operator grants to anyone. A page in a browser is no program: it would listen with the
/// rights of its visitor.
fn admit(
    relay: &Relay,
    headers: &HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Admitted, ApiError> {
    let context = &relay.context;
    let upgrade = upgrade.map_err(|error| ApiError::Bad {
        code: "bad_request",
        detail: format!("this is for programs that listen, over WebSocket: {error}"),
    })?;
    if headers.contains_key(header::ORIGIN) {
        return Err(ApiError::Forbidden("pages in browsers cannot listen"));
    }
    let caller = if headers.contains_key(header::AUTHORIZATION) {
        let caller = context.doorkeeper.admit(headers, context.engine.clock().now())?;
        Access::Organization.check(&caller)?;
        Some(caller)
    } else {
        None
    };
    if caller.is_none() && !context.settings.relay {
        return Err(Relay::closed());
    }
    let seats = &relay.shares(trust(caller.as_deref())).seats;
    let seat = Arc::clone(seats).try_acquire_owned();
    let seat = seat.map_err(|_| ApiError::Unavailable("too many programs listen", None))?;
    Ok((caller, seat, upgrade))
}

const fn trust(caller: Option<&Caller>) -> Trust {
    match caller {
        Some(_) => Trust::TokenHolder,
        None => Trust::Stranger,
    }
}

async fn run(
    relay: Arc<Relay>,
    caller: Option<Arc<Caller>>,
    mut line: Line,
    seat: OwnedSemaphorePermit,
) {
    let Ok(Some(start)) = timeout(START, line.start()).await else { return };
    let ended = if start.source.is_some() {
        follow::run(&relay, &mut line, caller.as_deref(), &start).await
    } else {
        pass::run(&relay, &mut line, start, trust(caller.as_deref())).await
    };
    if let Err(Ended::Refused { code, reason }) = ended {
        line.close(code, reason).await;
    }
    drop(seat);
}

/// Why a program does not listen any more.
#[derive(Debug)]
pub(super) enum Ended {
    /// It went away, or did not keep up.
    Gone,
    /// We end it, and say why.
    Refused { code: u16, reason: &'static str },
}

/// The connection to a program.
#[derive(Debug)]
pub(super) struct Line {
    socket: WebSocket,
    /// Where it comes from.
    pub(super) address: IpAddr,
}

impl Line {
    const fn new(socket: WebSocket, address: IpAddr) -> Self {
        Self { socket, address }
    }

    async fn start(&mut self) -> Option<Start> {
        loop {
            match self.next().await.ok()? {
                Some(Incoming::Start(start)) => return Some(start),
                Some(Incoming::Event(_)) | None => {},
            }
        }
    }

    /// What the program says next; `None` is a sign of life, or something that is not
    /// understood and passed over.
    pub(super) async fn next(&mut self) -> Result<Option<Incoming>, Ended> {
        let message = self.socket.recv().await.ok_or(Ended::Gone)?;
        let parsed = match message.map_err(|_| Ended::Gone)? {
            Message::Text(text) => serde_json::from_str(&text),
            Message::Binary(bytes) => serde_json::from_slice(&bytes),
            Message::Ping(_) | Message::Pong(_) => return Ok(None),
            Message::Close(_) => return Err(Ended::Gone),
        };
        match parsed {
            Ok(incoming) => Ok(Some(incoming)),
            Err(error) => {
                tracing::debug!(%error, "a listening program was not understood");
                Ok(None)
            },
        }
    }

    pub(super) async fn say(&mut self, text: String) -> Result<(), Ended> {
        self.send(Message::Text(text.into())).await
    }

    pub(super) async fn ping(&mut self) -> Result<(), Ended> {
        self.send(Message::Ping(bytes::Bytes::new())).await
    }

    async fn close(&mut self, code: u16, reason: &'static str) {
        let frame = CloseFrame { code, reason: reason.into() };
        if self.send(Message::Close(Some(frame))).await.is_ok() {
            // Reading on lets the program's own closing frame come, so that ours is not lost.
            let rest = async { while self.next().await.is_ok() {} };
            drop(timeout(WRITE, rest).await);
        }
    }

    async fn send(&mut self, message: Message) -> Result<(), Ended> {
        match timeout(WRITE, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Ended::Gone),
        }
    }
}
