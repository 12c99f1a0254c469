//! Streams over WebSocket: one text message for each event.

use std::time::Duration;

use axum::{
    extract::{
        WebSocketUpgrade,
        ws::{CloseFrame, Message, Utf8Bytes, WebSocket},
    },
    response::Response,
};
use bytes::Bytes;
use postrider_core::live::{self, StreamEnd};
use serde::Deserialize;
use tokio::time::{Instant, timeout};

use super::reader::{Item, Reader, ending};

/// Largest message of a client.
const MAX_MESSAGE: usize = 4 << 10;

/// Bytes that are read at a time. Each connection has a buffer of this size.
const READ_BUFFER: usize = 1 << 10;

/// Heartbeats without any message or pong after which a connection counts as lost.
const MAX_MISSED: u32 = 3;

/// How long a client may take to close its side.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// What a client may send first.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Start {
    last_event_id: String,
}

/// The connection has failed.
#[derive(Debug)]
struct Lost;

pub(super) fn response(upgrade: WebSocketUpgrade, reader: Reader) -> Response {
    upgrade
        .max_message_size(MAX_MESSAGE)
        .max_frame_size(MAX_MESSAGE)
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .on_upgrade(move |socket| serve(socket, reader))
}

async fn serve(mut socket: WebSocket, mut reader: Reader) {
    let (mut is_first, mut received_at) = (true, Instant::now());
    let max_silence = reader.heartbeat_interval() * MAX_MISSED;
    loop {
        tokio::select! {
            item = reader.next() => {
                let Some(item) = item else { return };
                if let Item::Heartbeat = item && received_at.elapsed() > max_silence {
                    return;
                }
                if send(&mut socket, &reader, item).await.is_err() {
                    return;
                }
            },
            received = socket.recv() => {
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

async fn send(socket: &mut WebSocket, reader: &Reader, item: Item) -> Result<(), Lost> {
    match item {
        Item::Event(event) => write(socket, reader, text(event.socket_message())).await,
        Item::Position(id) => {
            let data = serde_json::json!({ "lastEventId": id });
            write(socket, reader, text(live::control("open", &data, true))).await
        },
        Item::Gap(data) => write(socket, reader, text(live::control("gap", &data, true))).await,
        Item::Heartbeat => write(socket, reader, Message::Ping(Bytes::new())).await,
        Item::End(end) => {
            let data = ending(end);
            write(socket, reader, text(live::control("end", &data, true))).await?;
            close(socket, reader, end).await
        },
    }
}

fn text(json: Bytes) -> Message {
    let text = Utf8Bytes::try_from(json);
    Message::Text(text.unwrap_or_else(|_| Utf8Bytes::from_static("{}")))
}

async fn write(socket: &mut WebSocket, reader: &Reader, message: Message) -> Result<(), Lost> {
    let limit = reader.write_timeout();
    match timeout(limit, socket.send(message)).await {
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
async fn close(socket: &mut WebSocket, reader: &Reader, end: StreamEnd) -> Result<(), Lost> {
    let frame = CloseFrame { code: end.close_code(), reason: end.reason().into() };
    write(socket, reader, Message::Close(Some(frame))).await?;
    let rest = async { while let Some(Ok(_)) = socket.recv().await {} };
    timeout(CLOSE_TIMEOUT, rest).await.map_err(|_| Lost)
}
