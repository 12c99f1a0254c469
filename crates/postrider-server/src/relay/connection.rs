//! The WebSocket connection to a listener.

use std::{net::IpAddr, time::Duration};

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use bytes::Bytes;
use postrider::listen::{ClientMessage, CloseCode, ServerMessage, Start};
use tokio::time::{Instant, timeout};

/// How long a listener may take to read a message.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Consecutive pings without any message or pong after which a connection counts as lost.
const MAX_MISSED_PINGS: u32 = 3;

/// Why a connection ends.
#[derive(Debug)]
pub(super) enum Ended {
    /// The listener has closed it, does not read, or does not respond to pings.
    Lost,
    /// The server closes it.
    Closed { code: CloseCode, reason: &'static str },
}

/// The WebSocket connection to a listener.
#[derive(Debug)]
pub(super) struct Connection {
    socket: WebSocket,
    pub(super) client_address: IpAddr,
    received_at: Instant,
}

impl Connection {
    pub(super) fn new(socket: WebSocket, client_address: IpAddr) -> Self {
        Self { socket, client_address, received_at: Instant::now() }
    }

    /// The first message of the listener.
    pub(super) async fn start(&mut self) -> Option<Start> {
        loop {
            match self.next().await.ok()? {
                Some(ClientMessage::Start(start)) => return Some(start),
                Some(ClientMessage::Event(_)) | None => {},
            }
        }
    }

    /// The next message; `None` for a pong, and for a message that is not understood, so that
    /// newer clients can send more.
    ///
    /// Dropping the future loses nothing, which allows for its use in `select!`.
    pub(super) async fn next(&mut self) -> Result<Option<ClientMessage>, Ended> {
        let message = self.socket.recv().await.ok_or(Ended::Lost)?;
        self.received_at = Instant::now();
        let parsed = match message.map_err(|_| Ended::Lost)? {
            Message::Text(text) => serde_json::from_str(&text),
            Message::Binary(bytes) => serde_json::from_slice(&bytes),
            Message::Ping(_) | Message::Pong(_) => return Ok(None),
            Message::Close(_) => return Err(Ended::Lost),
        };
        match parsed {
            Ok(message) => Ok(Some(message)),
            Err(error) => {
                tracing::debug!(%error, "message of a listener is malformed");
                Ok(None)
            },
        }
    }

    pub(super) async fn send(&mut self, message: &ServerMessage) -> Result<(), Ended> {
        self.send_encoded(message.to_json()).await
    }

    pub(super) async fn send_encoded(&mut self, message: String) -> Result<(), Ended> {
        self.write(Message::Text(message.into())).await
    }

    /// Sends a ping, unless the listener has not responded to several of them.
    pub(super) async fn ping(&mut self, interval: Duration) -> Result<(), Ended> {
        if self.received_at.elapsed() > interval * MAX_MISSED_PINGS {
            return Err(Ended::Lost);
        }
        self.write(Message::Ping(Bytes::new())).await
    }

    pub(super) async fn close(&mut self, code: u16, reason: &'static str) {
        let frame = CloseFrame { code, reason: reason.into() };
        if self.write(Message::Close(Some(frame))).await.is_ok() {
            // A socket that is closed with unread data is reset, and the listener may then never
            // see our frame. So read until its own closing frame.
            let rest = async { while self.next().await.is_ok() {} };
            drop(timeout(WRITE_TIMEOUT, rest).await);
        }
    }

    async fn write(&mut self, message: Message) -> Result<(), Ended> {
        match timeout(WRITE_TIMEOUT, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Ended::Lost),
        }
    }
}
