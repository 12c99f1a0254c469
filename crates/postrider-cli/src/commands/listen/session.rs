//! One connection, from its start to its end.

use std::collections::VecDeque;

use tokio::{
    sync::mpsc,
    task::{JoinError, JoinSet},
};
use url::{Host, Url};

use super::{
    desk::{ANSWER_BYTES, Desk},
    line::{self, Ear, Failure, Mouth},
    shown,
    state::State,
    wire::{Answer, Event, Incoming, Start, Started},
};
use crate::output;

/// Requests that are passed on at the same time; those of a source keep their order.
const AT_ONCE: usize = 16;

/// Requests that wait for that; a server that sends more has lost count.
const WAITING: usize = 256;

/// What every connection has in common.
#[derive(Debug)]
pub(super) struct Session {
    pub server: Url,
    pub token: Option<String>,
    pub source: Option<String>,
    pub desk: Desk,
}

impl Session {
    /// Connects and listens, until that fails.
    pub(super) async fn run(&self, state: &mut State, was_connected: &mut bool) -> Failure {
        match self.connect(state, was_connected).await {
            Ok((ear, mouth, answer_bytes)) => self.listen(state, ear, mouth, answer_bytes).await,
            Err(failure) => failure,
        }
    }

    async fn connect(
        &self,
        state: &mut State,
        was_connected: &mut bool,
    ) -> Result<(Ear, Mouth, usize), Failure> {
        let name = state.token();
        let start = Start {
            token: &name,
            key: state.key(),
            source: self.source.as_deref(),
            after: state.after().filter(|_| self.source.is_some()),
        };
        let (ear, mouth, started) =
            line::connect(&self.server, self.token.as_deref(), &start).await?;
        let answer_bytes = started.answer_bytes.unwrap_or(ANSWER_BYTES);
        self.welcome(&started, *was_connected).map_err(Failure::Final)?;
        if let Some(after) = started.after {
            state.begin(after).map_err(Failure::Final)?;
        }
        *was_connected = true;
        Ok((ear, mouth, answer_bytes))
    }

    fn welcome(&self, started: &Started, was_connected: bool) -> anyhow::Result<()> {
        if was_connected {
            let time = shown::time(super::super::now()?);
            return output::line(format_args!("{time}  connected again"));
        }
        let url = public(&self.server, started);
        let forward = &self.desk.forward;
        match &self.source {
            Some(source) => output::line(format_args!(
                "Following the source {} at {url}\nEvery webhook is passed on to {forward}\n",
                shown::plain(source)
            )),
            None => output::line(format_args!(
                "Listening at {url}\nEvery request is passed on to {forward}\n"
            )),
        }
    }

    async fn listen(
        &self,
        state: &mut State,
        mut ear: Ear,
        mouth: Mouth,
        answer_bytes: usize,
    ) -> Failure {
        let is_source = self.source.is_some();
        let at_once = if is_source { 1 } else { AT_ONCE };
        let (answers, outbox) = mpsc::channel(WAITING);
        let mut waiting: VecDeque<Event> = VecDeque::new();
        let mut running = JoinSet::new();
        let speaking = speak(mouth, outbox);
        tokio::pin!(speaking);
        loop {
            while running.len() < at_once
                && let Some(event) = waiting.pop_front()
            {
                if is_source && state.has_seen(&event.id) {
                    drop(answers.try_send(Answer {
                        id: event.id,
                        status: 200,
                        ..Answer::default()
                    }));
                    continue;
                }
                let desk = self.desk.clone();
                let source = self.source.clone();
                running.spawn(
                    async move { desk.handle(event, source.as_deref(), answer_bytes).await },
                );
            }
            tokio::select! {
                heard = ear.next() => match heard {
                    Ok(Incoming::Event(_)) if waiting.len() >= WAITING => {
                        return Failure::Passing(anyhow::anyhow!("the server sent too much"));
                    },
                    Ok(Incoming::Event(event)) => waiting.push_back(event),
                    Ok(Incoming::Start(_)) => {},
                    Err(failure) => return self.finish(state, running, failure).await,
                },
                Some(done) = running.join_next() => match self.note(state, done) {
                    Ok(answer) => drop(answers.try_send(answer)),
                    Err(error) => return Failure::Final(error),
                },
                failure = &mut speaking => return self.finish(state, running, failure).await,
            }
        }
    }

    /// Lets what has begun come to its end, so that it is noted and not done twice.
    async fn finish(
        &self,
        state: &mut State,
        mut running: JoinSet<anyhow::Result<Answer>>,
        failure: Failure,
    ) -> Failure {
        while let Some(done) = running.join_next().await {
            if let Err(error) = self.note(state, done) {
                return Failure::Final(error);
            }
        }
        failure
    }

    fn note(
        &self,
        state: &mut State,
        done: Result<anyhow::Result<Answer>, JoinError>,
    ) -> anyhow::Result<Answer> {
        let answer = done??;
        if self.source.is_some() {
            state.pass(&answer.id)?;
        }
        Ok(answer)
    }
}

async fn speak(mut mouth: Mouth, mut outbox: mpsc::Receiver<Answer>) -> Failure {
    while let Some(answer) = outbox.recv().await {
        if let Err(failure) = mouth.say(answer.to_json()).await {
            return failure;
        }
    }
    Failure::Passing(anyhow::anyhow!("there is nothing left to say"))
}

/// Where providers post to. A server that was not told its public name gives its own
/// machine's, of which only that machine has any use.
fn public(server: &Url, started: &Started) -> String {
    let path = format!("api/v1/receive/{}/", started.token);
    let ours = || server.join(&path).map_or_else(|_| path.clone(), |it| it.to_string());
    let Some(told) = started.url.as_deref().and_then(|it| it.parse::<Url>().ok()) else {
        return ours();
    };
    let is_local = match told.host() {
        Some(Host::Ipv4(it)) => it.is_loopback() || it.is_unspecified(),
        Some(Host::Ipv6(it)) => it.is_loopback() || it.is_unspecified(),
        Some(Host::Domain(_)) | None => false,
    };
    if !is_local {
        return told.to_string();
    }
    server.join(told.path()).map_or_else(|_| ours(), |it| it.to_string())
}
