//! The WebSocket connection to the server.

use std::time::Duration;

use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use http::{HeaderValue, Request, StatusCode, header};
use postrider::listen::{
    ClientMessage, CloseCode, HEARTBEAT_TIMEOUT, LISTEN_PATH, MAX_MESSAGE_BYTES, ServerMessage,
    Start, Started,
};
use tokio::time::timeout;
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        self, Message,
        client::IntoClientRequest,
        protocol::{CloseFrame, WebSocketConfig},
    },
};
use url::Url;

use crate::{
    exchange::{self, Connection},
    failure::Advice,
};

/// How long connecting, and sending one message, may take.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Where to look for an API token.
const TOKEN_HINT: &str =
    "create a token with `postrider token create` and set POSTRIDER_TOKEN to it";

/// Why connecting failed, or why a connection ended.
#[derive(Debug)]
pub(super) enum Failure {
    /// A reconnect would fail too.
    Permanent(anyhow::Error),
    /// A reconnect may succeed.
    Transient(anyhow::Error),
}

type Socket = WebSocketStream<Box<dyn Connection>>;

/// The receiving half of the connection.
#[derive(Debug)]
pub(super) struct WsReader(SplitStream<Socket>);

/// The sending half of the connection.
#[derive(Debug)]
pub(super) struct WsWriter(SplitSink<Socket, Message>);

/// Connects, and sends the first message.
pub(super) async fn connect(
    server: &Url,
    token: Option<&str>,
    start: Start,
) -> Result<(WsReader, WsWriter, Started), Failure> {
    let begin = async {
        let (writer, reader) = open(server, token).await?.split();
        let (mut writer, mut reader) = (WsWriter(writer), WsReader(reader));
        writer.send(&ClientMessage::Start(start)).await?;
        loop {
            if let ServerMessage::Start(started) = reader.next().await? {
                return Ok((reader, writer, started));
            }
        }
    };
    let late = |_| Failure::Transient(anyhow::anyhow!("{server} did not respond in time"));
    timeout(TIMEOUT, Box::pin(begin)).await.map_err(late)?
}

async fn open(server: &Url, token: Option<&str>) -> Result<Socket, Failure> {
    let stream = exchange::open(server).await.map_err(|error| unreachable(server, error))?;
    let request = request(server, token).map_err(Failure::Permanent)?;
    let mut config = WebSocketConfig::default();
    config.max_message_size = Some(MAX_MESSAGE_BYTES);
    config.max_frame_size = Some(MAX_MESSAGE_BYTES);
    match client_async_with_config(request, stream, Some(config)).await {
        Ok((socket, _)) => Ok(socket),
        Err(tungstenite::Error::Http(response)) => {
            let (parts, body) = response.into_parts();
            Err(rejected(parts.status, &body.unwrap_or_default()))
        },
        Err(error) => Err(Failure::Transient(error.into())),
    }
}

fn request(server: &Url, token: Option<&str>) -> anyhow::Result<Request<()>> {
    let mut url = server.clone();
    let invalid = |()| anyhow::anyhow!("{server} is not a server's URL");
    url.path_segments_mut()
        .map_err(invalid)?
        .pop_if_empty()
        .extend(LISTEN_PATH.split('/').skip(1).chain([""]));
    let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
    url.set_scheme(scheme).map_err(invalid)?;
    let mut request = url.as_str().into_client_request()?;
    if let Some(token) = token {
        let value = HeaderValue::try_from(format!("Bearer {token}"))?;
        request.headers_mut().insert(header::AUTHORIZATION, value);
    }
    Ok(request)
}

fn unreachable(server: &Url, error: exchange::CallError) -> Failure {
    let is_wrong = matches!(error, exchange::CallError::Url(_));
    let source = if let exchange::CallError::Unreachable { source, .. } = error {
        source.into()
    } else {
        error.into()
    };
    let advice = Advice {
        message: format!("{server} cannot be reached"),
        hint: "start a server with `postrider serve`, or set --server or POSTRIDER_URL".to_owned(),
        source: Some(source),
    };
    if is_wrong { Failure::Permanent(advice.into()) } else { Failure::Transient(advice.into()) }
}

/// The server rejected the upgrade to WebSocket.
fn rejected(status: StatusCode, body: &[u8]) -> Failure {
    let detail = serde_json::from_slice::<serde_json::Value>(body).ok();
    let detail = detail.and_then(|it| it["detail"].as_str().map(str::to_owned));
    let message = detail
        .map_or_else(|| format!("the server responded {status}"), |it| format!("{it} ({status})"));
    let hint = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => TOKEN_HINT,
        StatusCode::NOT_FOUND => "check the URL: it leads to another server, or an older version",
        _ => "try again in a moment",
    };
    let advice = Advice { message, hint: hint.to_owned(), source: None };
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        Failure::Transient(advice.into())
    } else {
        Failure::Permanent(advice.into())
    }
}

impl WsReader {
    pub(super) async fn next(&mut self) -> Result<ServerMessage, Failure> {
        loop {
            let silent = |_| Failure::Transient(anyhow::anyhow!("no heartbeat from the server"));
            let message = timeout(HEARTBEAT_TIMEOUT, self.0.next()).await.map_err(silent)?;
            let message = message.ok_or_else(gone)?.map_err(|it| Failure::Transient(it.into()))?;
            let parsed = match message {
                Message::Text(text) => serde_json::from_str(&text),
                Message::Binary(bytes) => serde_json::from_slice(&bytes),
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
                Message::Close(frame) => return Err(closed(frame)),
            };
            return parsed.map_err(|error| {
                Failure::Transient(
                    anyhow::Error::from(error).context("a message from the server is malformed"),
                )
            });
        }
    }
}

impl WsWriter {
    pub(super) async fn send(&mut self, message: &ClientMessage) -> Result<(), Failure> {
        let late = |_| Failure::Transient(anyhow::anyhow!("the server does not read any more"));
        let text = message.to_json().into();
        let sent = timeout(TIMEOUT, self.0.send(Message::Text(text))).await;
        sent.map_err(late)?.map_err(|it| Failure::Transient(it.into()))
    }
}

fn gone() -> Failure {
    Failure::Transient(anyhow::anyhow!("the server closed the connection"))
}

/// How to react to the server's close code.
fn closed(frame: Option<CloseFrame>) -> Failure {
    let Some(CloseFrame { code, reason }) = frame else { return gone() };
    let hint = match CloseCode::from_code(code.into()) {
        Some(CloseCode::Unauthenticated) => TOKEN_HINT,
        Some(CloseCode::SourceNotFound) => "`postrider source list` lists the sources",
        Some(CloseCode::TokenInUse) => {
            "stop the other `postrider listen`, or give this one another --state"
        },
        Some(CloseCode::InvalidToken) => {
            "use another --state; the key in this one does not match its token"
        },
        Some(CloseCode::TryAgainLater) | None => {
            let error = anyhow::anyhow!("the server closed the connection: {reason}");
            return Failure::Transient(error);
        },
    };
    let message = format!("the server closed the connection: {reason}");
    Failure::Permanent(Advice { message, hint: hint.to_owned(), source: None }.into())
}
