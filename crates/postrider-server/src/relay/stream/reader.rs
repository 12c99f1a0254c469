//! What a listener that reads Server-Sent Events receives next.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use postrider::listen::ServerMessage;
use postrider_core::{connections::ConnectionAction, live};
use serde_json::json;
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc, watch},
    time::sleep,
};

use super::{
    admission::{Credentials, admit},
    answer::Answer,
};
use crate::{
    api::error::ApiError,
    http::StreamGuard,
    relay::{
        forward::started,
        sessions::{Forward, Session},
        state::Relay,
    },
};

/// How often a silent stream sends a comment, and the credentials are checked again.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// The connection of a listener.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) actions: watch::Receiver<ConnectionAction>,
    /// The connection does not count as one of the API while this exists.
    pub(super) _stream: StreamGuard,
}

/// A listener that reads Server-Sent Events.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) relay: Arc<Relay>,
    pub(super) token: String,
    pub(super) session: Arc<Session>,
    pub(super) queue: mpsc::Receiver<Forward>,
    pub(super) answer: Answer,
    pub(super) credentials: Credentials,
    pub(super) connection: Option<Connection>,
    pub(super) has_ended: bool,
    pub(super) _place: OwnedSemaphorePermit,
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.relay.sessions.remove(&self.token, &self.session);
    }
}

impl Reader {
    /// Tells the client its URL.
    pub(super) fn first(&self) -> Bytes {
        event("start", &ServerMessage::Start(started(&self.relay, &self.token)).to_json())
    }

    /// The next bytes; none after the last ones.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        if self.has_ended {
            return None;
        }
        let session = Arc::clone(&self.session);
        tokio::select! {
            biased;
            () = finished(self.connection.as_mut()) => Some(self.end("reconnect")),
            () = session.replaced.cancelled() => Some(self.end("replaced")),
            forward = self.queue.recv() => forward.map(|it| self.respond(it)),
            () = sleep(HEARTBEAT) => Some(self.heartbeat().await),
        }
    }

    fn respond(&self, forward: Forward) -> Bytes {
        let Forward { id: _, message, response } = forward;
        // The sender of the request may have hung up.
        drop(response.send(self.answer.response()));
        event("request", &message)
    }

    async fn heartbeat(&mut self) -> Bytes {
        match admit(&self.relay, &self.credentials).await {
            Err(ApiError::Unauthenticated(_) | ApiError::Forbidden(_)) => self.end("revoked"),
            Ok(()) | Err(_) => live::comment(),
        }
    }

    fn end(&mut self, reason: &str) -> Bytes {
        self.has_ended = true;
        event("end", &json!({ "reason": reason }).to_string())
    }
}

/// An event with JSON, which has no line breaks.
fn event(name: &str, json: &str) -> Bytes {
    format!("event: {name}\ndata: {json}\n\n").into()
}

/// Waits until the connection is to end.
async fn finished(connection: Option<&mut Connection>) {
    let Some(connection) = connection else { return std::future::pending().await };
    let is_over = |action: &ConnectionAction| *action != ConnectionAction::Keep;
    if connection.actions.wait_for(is_over).await.is_err() {
        std::future::pending::<()>().await;
    }
}
