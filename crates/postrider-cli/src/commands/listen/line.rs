//! The connection to the server.

use std::time::Duration;

use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use http::{HeaderValue, Request, StatusCode, header};
use tokio::time::timeout;
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        self, Message,
        client::IntoClientRequest,
        protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode},
    },
};
use url::Url;

use super::wire::{Incoming, Start, Started};
use crate::{
    exchange::{self, Connection},
    failure::Advice,
};

/// How long connecting may take, and a message may take to be sent.
const PATIENCE: Duration = Duration::from_secs(15);

/// The server gives a sign of life every twenty seconds; more than two of them are missing.
const SILENCE: Duration = Duration::from_secs(50);

/// Largest message that is taken from a server.
const MAX_MESSAGE: usize = 64 << 20;

/// Why a connection is none, or is no more.
#[derive(Debug)]
pub(super) enum Failure {
    /// It will not be otherwise at the next try.
    Final(anyhow::Error),
    Passing(anyhow::Error),
}

type Socket = WebSocketStream<Box<dyn Connection>>;

/// The end that listens.
#[derive(Debug)]
pub(super) struct Ear(SplitStream<Socket>);

/// The end that speaks.
#[derive(Debug)]
pub(super) struct Mouth(SplitSink<Socket, Message>);

/// Connects, and says who we are.
pub(super) async fn connect(
    server: &Url,
    token: Option<&str>,
    start: &Start<'_>,
) -> Result<(Ear, Mouth, Started), Failure> {
    let begin = async {
        let (mouth, ear) = open(server, token).await?.split();
        let (mut mouth, mut ear) = (Mouth(mouth), Ear(ear));
        mouth.say(start.to_json()).await?;
        loop {
            if let Incoming::Start(started) = ear.next().await? {
                return Ok((ear, mouth, started));
            }
        }
    };
    let late = |_| Failure::Passing(anyhow::anyhow!("{server} did not answer in time"));
    timeout(PATIENCE, Box::pin(begin)).await.map_err(late)?
}

async fn open(server: &Url, token: Option<&str>) -> Result<Socket, Failure> {
    let stream = exchange::open(server).await.map_err(|error| unreachable(server, error))?;
    let request = request(server, token).map_err(Failure::Final)?;
    let mut config = WebSocketConfig::default();
    config.max_message_size = Some(MAX_MESSAGE);
    config.max_frame_size = Some(MAX_MESSAGE);
    match client_async_with_config(request, stream, Some(config)).await {
        Ok((socket, _)) => Ok(socket),
        Err(tungstenite::Error::Http(answer)) => {
            let (parts, body) = answer.into_parts();
            Err(refused(parts.status, &body.unwrap_or_default()))
        },
        Err(error) => Err(Failure::Passing(error.into())),
    }
}

fn request(server: &Url, token: Option<&str>) -> anyhow::Result<Request<()>> {
    let mut url = server.clone();
    url.path_segments_mut()
        .map_err(|()| anyhow::anyhow!("{server} is not a server's URL"))?
        .pop_if_empty()
        .extend(["api", "v1", "listen", ""]);
    let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
    let url = url.to_string();
    let rest = url.split_once(':').map_or("", |(_, rest)| rest);
    let mut request = format!("{scheme}:{rest}").into_client_request()?;
    if let Some(token) = token {
        let value = HeaderValue::try_from(format!("Bearer {token}"))?;
        request.headers_mut().insert(header::AUTHORIZATION, value);
    }
    Ok(request)
}

fn unreachable(server: &Url, error: exchange::NoAnswer) -> Failure {
    let is_wrong = matches!(error, exchange::NoAnswer::Url(_));
    let source = if let exchange::NoAnswer::Unreachable { source, .. } = error {
        source.into()
    } else {
        error.into()
    };
    let advice = Advice {
        message: format!("{server} cannot be reached"),
        hint: "start a server with `postrider serve`, or name it with --server or POSTRIDER_URL"
            .to_owned(),
        source: Some(source),
    };
    if is_wrong { Failure::Final(advice.into()) } else { Failure::Passing(advice.into()) }
}

/// What to make of a server that does not want to speak with us.
fn refused(status: StatusCode, body: &[u8]) -> Failure {
    let detail = serde_json::from_slice::<serde_json::Value>(body).ok();
    let detail = detail.and_then(|it| it["detail"].as_str().map(str::to_owned));
    let words = detail
        .map_or_else(|| format!("the server answered {status}"), |it| format!("{it} ({status})"));
    let hint = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            "make a token with `postrider token create`, and set POSTRIDER_TOKEN to it"
        },
        StatusCode::NOT_FOUND => "the server is none of Postrider's, or an older one",
        _ => "try again in a moment",
    };
    let advice = Advice { message: words, hint: hint.to_owned(), source: None };
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        Failure::Passing(advice.into())
    } else {
        Failure::Final(advice.into())
    }
}

impl Ear {
    pub(super) async fn next(&mut self) -> Result<Incoming, Failure> {
        loop {
            let silent = |_| Failure::Passing(anyhow::anyhow!("the server fell silent"));
            let message = timeout(SILENCE, self.0.next()).await.map_err(silent)?;
            let message = message.ok_or_else(gone)?.map_err(|it| Failure::Passing(it.into()))?;
            let parsed = match message {
                Message::Text(text) => serde_json::from_str(&text),
                Message::Binary(bytes) => serde_json::from_slice(&bytes),
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
                Message::Close(frame) => return Err(closed(frame)),
            };
            return parsed.map_err(|it| {
                Failure::Passing(anyhow::Error::from(it).context("the server is not understood"))
            });
        }
    }
}

impl Mouth {
    pub(super) async fn say(&mut self, text: String) -> Result<(), Failure> {
        let late = |_| Failure::Passing(anyhow::anyhow!("the server takes nothing any more"));
        let sent = timeout(PATIENCE, self.0.send(Message::Text(text.into()))).await;
        sent.map_err(late)?.map_err(|it| Failure::Passing(it.into()))
    }
}

fn gone() -> Failure {
    Failure::Passing(anyhow::anyhow!("the server closed the connection"))
}

fn closed(frame: Option<CloseFrame>) -> Failure {
    let Some(CloseFrame { code, reason }) = frame else { return gone() };
    if code != CloseCode::Policy {
        return Failure::Passing(anyhow::anyhow!("the server closed the connection: {reason}"));
    }
    let hint = if reason.contains("source") {
        "`postrider source list` shows what there is"
    } else if reason.contains("token of the organization") {
        "make one with `postrider token create`, and set POSTRIDER_TOKEN to it"
    } else {
        "end the other `postrider listen`, or give this one another --state"
    };
    let message = format!("the server refused: {reason}");
    Failure::Final(Advice { message, hint: hint.to_owned(), source: None }.into())
}
