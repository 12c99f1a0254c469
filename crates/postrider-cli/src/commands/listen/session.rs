//! One connection: forwards the requests that arrive over it, until it ends.

use std::collections::VecDeque;

use postrider::listen::{
    ClientMessage, DEFAULT_RESPONSE_BYTES, RECEIVE_PATH, RelayedRequest, RelayedResponse,
    ServerMessage, Start, Started,
};
use tokio::{
    sync::mpsc,
    task::{JoinError, JoinSet},
};
use url::{Host, Url};

use super::{
    connection::{self, Failure, WsReader, WsWriter},
    forwarder::Forwarder,
    render,
    state::State,
};
use crate::output;

/// Requests that are forwarded at the same time. Those of a source are forwarded one by one, to
/// keep their order.
const MAX_CONCURRENT: usize = 16;

/// Requests that wait to be forwarded. A server that sends more ignores its own limit of requests
/// without a response.
const MAX_QUEUED: usize = 256;

/// What all connections of one run have in common.
#[derive(Debug)]
pub(super) struct Session {
    pub server: Url,
    pub token: Option<String>,
    pub source: Option<String>,
    pub forwarder: Forwarder,
}

impl Session {
    /// Connects and listens until the connection fails.
    pub(super) async fn run(&self, state: &mut State, was_connected: &mut bool) -> Failure {
        match self.connect(state, was_connected).await {
            Ok((reader, writer, limit)) => self.listen(state, reader, writer, limit).await,
            Err(failure) => failure,
        }
    }

    async fn connect(
        &self,
        state: &mut State,
        was_connected: &mut bool,
    ) -> Result<(WsReader, WsWriter, usize), Failure> {
        let after = state.after().filter(|_| self.source.is_some());
        let start = Start {
            token: state.token(),
            key: Some(state.key().to_owned()),
            source: self.source.clone(),
            after: after.map(ToOwned::to_owned),
        };
        let (reader, writer, started) =
            connection::connect(&self.server, self.token.as_deref(), start).await?;
        let response_bytes = started.response_bytes.unwrap_or(DEFAULT_RESPONSE_BYTES);
        self.report(&started, *was_connected).map_err(Failure::Permanent)?;
        if let Some(after) = started.after {
            state.set_first_position(after).map_err(Failure::Permanent)?;
        }
        *was_connected = true;
        Ok((reader, writer, response_bytes))
    }

    /// Tells the user that the client listens, and where.
    fn report(&self, started: &Started, was_connected: bool) -> anyhow::Result<()> {
        if was_connected {
            let time = render::time(super::super::now()?);
            return output::line(format_args!("{time}  reconnected"));
        }
        let url = public_url(&self.server, started);
        let forward = &self.forwarder.forward;
        match &self.source {
            Some(source) => output::line(format_args!(
                "Following source {} at {url}\nForwarding its webhooks to {forward}\n",
                render::plain(source)
            )),
            None => {
                output::line(format_args!("Listening at {url}\nForwarding requests to {forward}\n"))
            },
        }
    }

    async fn listen(
        &self,
        state: &mut State,
        mut reader: WsReader,
        writer: WsWriter,
        response_bytes: usize,
    ) -> Failure {
        let is_source = self.source.is_some();
        let max_concurrent = if is_source { 1 } else { MAX_CONCURRENT };
        let (responses, outbox) = mpsc::channel(MAX_QUEUED);
        let mut queue: VecDeque<RelayedRequest> = VecDeque::new();
        let mut running = JoinSet::new();
        let sending = send_all(writer, outbox);
        tokio::pin!(sending);
        loop {
            while running.len() < max_concurrent
                && let Some(request) = queue.pop_front()
            {
                // The server repeats the messages of the last seconds after a reconnect.
                if is_source && state.has_seen(&request.id) {
                    drop(responses.try_send(RelayedResponse {
                        id: request.id,
                        status: 200,
                        ..RelayedResponse::default()
                    }));
                    continue;
                }
                let forwarder = self.forwarder.clone();
                let source = self.source.clone();
                running.spawn(async move {
                    forwarder.handle(request, source.as_deref(), response_bytes).await
                });
            }
            tokio::select! {
                message = reader.next() => match message {
                    Ok(ServerMessage::Event(_)) if queue.len() >= MAX_QUEUED => {
                        let error = anyhow::anyhow!("the server sent too many requests");
                        return Failure::Transient(error);
                    },
                    Ok(ServerMessage::Event(request)) => queue.push_back(request),
                    Ok(ServerMessage::Start(_)) => {},
                    Err(failure) => return self.finish(state, running, failure).await,
                },
                Some(done) = running.join_next() => match self.complete(state, done) {
                    // There is room: no more requests are accepted than the channel holds.
                    Ok(response) => drop(responses.try_send(response)),
                    Err(error) => return Failure::Permanent(error),
                },
                failure = &mut sending => return self.finish(state, running, failure).await,
            }
        }
    }

    /// Waits for the requests in progress, so that their messages are recorded as forwarded and
    /// not forwarded again after the reconnect.
    async fn finish(
        &self,
        state: &mut State,
        mut running: JoinSet<anyhow::Result<RelayedResponse>>,
        failure: Failure,
    ) -> Failure {
        while let Some(done) = running.join_next().await {
            if let Err(error) = self.complete(state, done) {
                return Failure::Permanent(error);
            }
        }
        failure
    }

    /// Records that a message of a source was forwarded; the response to send.
    fn complete(
        &self,
        state: &mut State,
        done: Result<anyhow::Result<RelayedResponse>, JoinError>,
    ) -> anyhow::Result<RelayedResponse> {
        let response = done??;
        if self.source.is_some() {
            state.set_forwarded(&response.id)?;
        }
        Ok(response)
    }
}

async fn send_all(mut writer: WsWriter, mut outbox: mpsc::Receiver<RelayedResponse>) -> Failure {
    while let Some(response) = outbox.recv().await {
        if let Err(failure) = writer.send(&ClientMessage::Event(response)).await {
            return failure;
        }
    }
    Failure::Transient(anyhow::anyhow!("all responses are sent"))
}

/// URL for senders. A server without a configured `public_url` sends a URL with a loopback
/// address, which is only reachable on the server's machine; the host with which we reached the
/// server is better.
fn public_url(server: &Url, started: &Started) -> String {
    let path = format!("{RECEIVE_PATH}{}/", started.token);
    let ours = || server.join(&path).map_or_else(|_| path.clone(), |it| it.to_string());
    let Some(sent) = started.url.as_deref().and_then(|it| it.parse::<Url>().ok()) else {
        return ours();
    };
    let is_local = match sent.host() {
        Some(Host::Ipv4(it)) => it.is_loopback() || it.is_unspecified(),
        Some(Host::Ipv6(it)) => it.is_loopback() || it.is_unspecified(),
        Some(Host::Domain(_)) | None => false,
    };
    if !is_local {
        return sent.to_string();
    }
    server.join(sent.path()).map_or_else(|_| ours(), |it| it.to_string())
}
