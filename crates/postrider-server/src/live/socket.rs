//! Streams over WebSocket: one text message for each event.
//!
//! Long messages are sent in several frames, because a connection keeps a buffer of the size of its
//! longest frame.

use std::time::Duration;

use axum::{
    body::Body,
    extract::Request,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use postrider_core::live::{self, StreamEnd};
use serde::Deserialize;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        handshake::derive_accept_key,
        protocol::{
            CloseFrame, Role, WebSocketConfig,
            frame::{
                Frame,
                coding::{Data, OpCode},
            },
        },
    },
};

use super::reader::{Item, Reader, ending};
use crate::api::error::ApiError;

/// Largest message of a client.
const MAX_MESSAGE: usize = 4 << 10;

/// Bytes that are read at a time. Each connection has a buffer of this size.
const READ_BUFFER: usize = 1 << 10;

/// Largest frame that is sent.
const MAX_FRAME: usize = 16 << 10;

/// Heartbeats without any message or pong after which a connection counts as lost.
const MAX_MISSED: u32 = 3;

/// How long a client may take to close its side.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// What a client may send first.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Start {
    last_event_id: String,
}

/// The connection has failed.
#[derive(Debug)]
struct Lost;

/// A request to switch to WebSocket.
#[derive(Debug)]
pub(super) struct Upgrade {
    accept: HeaderValue,
    connection: OnUpgrade,
}

impl Upgrade {
    /// The switch that a request asks for, if it asks for one.
    pub(super) fn of(request: &mut Request) -> Result<Option<Self>, ApiError> {
        let headers = request.headers();
        if !headers.contains_key(header::UPGRADE) {
            return Ok(None);
        }
        let is_valid = has(headers, &header::CONNECTION, "upgrade")
            && has(headers, &header::UPGRADE, "websocket")
            && has(headers, &header::SEC_WEBSOCKET_VERSION, "13");
        let key = headers.get(header::SEC_WEBSOCKET_KEY).filter(|_| is_valid);
        let accept = key.map(|it| derive_accept_key(it.as_bytes()));
        let accept = accept.and_then(|it| HeaderValue::try_from(it).ok());
        let accept = accept.ok_or_else(|| ApiError::Bad {
            code: "bad_request",
            detail: "a stream can switch to WebSocket version 13 only".to_owned(),
        })?;
        Ok(Some(Self { accept, connection: hyper::upgrade::on(request) }))
    }

    /// Switches, and then serves the reader.
    pub(super) fn response(self, reader: Reader) -> Response {
        let Self { accept, connection } = self;
        let tasks = reader.tasks();
        tasks.spawn(async move {
            match connection.await {
                Ok(upgraded) => serve(TokioIo::new(upgraded), reader).await,
                Err(error) => tracing::debug!(%error, "a reader did not switch to WebSocket"),
            }
        });
        let headers = [
            (header::CONNECTION, HeaderValue::from_static("upgrade")),
            (header::UPGRADE, HeaderValue::from_static("websocket")),
            (header::SEC_WEBSOCKET_ACCEPT, accept),
        ];
        (StatusCode::SWITCHING_PROTOCOLS, headers, Body::empty()).into_response()
    }
}

/// Whether one of the values in a header is this.
fn has(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    let texts = headers.get_all(name).iter().filter_map(|it| it.to_str().ok());
    texts.flat_map(|it| it.split(',')).any(|it| it.trim().eq_ignore_ascii_case(wanted))
}

async fn serve(io: TokioIo<Upgraded>, mut reader: Reader) {
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE))
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0);
    let mut socket = Socket::from_raw_socket(io, Role::Server, Some(config)).await;
    let (mut is_first, mut received_at) = (true, Instant::now());
    let max_silence = reader.heartbeat_interval() * MAX_MISSED;
    loop {
        tokio::select! {
            item = reader.next() => {
                let Some(item) = item else { return };
                if matches!(item, Item::Heartbeat) && received_at.elapsed() > max_silence {
                    return;
                }
                if send(&mut socket, &reader, item).await.is_err() {
                    return;
                }
            },
            received = socket.next() => {
                let Some(Ok(message)) = received else { return };
                received_at = Instant::now();
                if let Message::Text(text) = message && std::mem::take(&mut is_first) {
                    resume(&mut reader, &text).await;
                }
            },
        }
    }
}

/// Goes on where the client left off, if that is what its first message says.
async fn resume(reader: &mut Reader, text: &str) {
    let Ok(Start { last_event_id }) = serde_json::from_str(text) else { return };
    if let Err(error) = reader.resume(&last_event_id).await {
        tracing::debug!(%error, "stored events cannot be read");
        reader.end(StreamEnd::StoreUnavailable);
    }
}

async fn send(socket: &mut Socket, reader: &Reader, item: Item) -> Result<(), Lost> {
    match item {
        Item::Event(event) => write_text(socket, reader, event.socket_message()).await,
        Item::Position(id) => {
            let data = serde_json::json!({ "lastEventId": id });
            write_text(socket, reader, live::control("open", &data, true)).await
        },
        Item::Gap(data) => write_text(socket, reader, live::control("gap", &data, true)).await,
        Item::Heartbeat => write(socket, reader, Message::Ping(Bytes::new())).await,
        Item::End(end) => {
            write_text(socket, reader, live::control("end", &ending(end), true)).await?;
            close(socket, reader, end).await
        },
    }
}

/// Sends a text message, in several frames if it is long.
async fn write_text(socket: &mut Socket, reader: &Reader, mut text: Bytes) -> Result<(), Lost> {
    let mut code = OpCode::Data(Data::Text);
    loop {
        let part = text.split_to(text.len().min(MAX_FRAME));
        let frame = Frame::message(part, code, text.is_empty());
        write(socket, reader, Message::Frame(frame)).await?;
        if text.is_empty() {
            return Ok(());
        }
        code = OpCode::Data(Data::Continue);
    }
}

async fn write(socket: &mut Socket, reader: &Reader, message: Message) -> Result<(), Lost> {
    match timeout(reader.write_timeout(), socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(Lost),
        Err(_) => {
            reader.count_dropped();
            Err(Lost)
        },
    }
}

/// Closes the connection, and waits for the client's side, because a socket that is closed with
/// unread data is reset, and the client may then never see our frame.
async fn close(socket: &mut Socket, reader: &Reader, end: StreamEnd) -> Result<(), Lost> {
    let frame = CloseFrame { code: end.close_code().into(), reason: end.reason().into() };
    write(socket, reader, Message::Close(Some(frame))).await?;
    let rest = async { while let Some(Ok(_)) = socket.next().await {} };
    timeout(CLOSE_TIMEOUT, rest).await.map_err(|_| Lost)
}
