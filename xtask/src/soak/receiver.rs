//! The receivers of all endpoints, which check what arrives.
//!
//! `/e/{number}` is an endpoint of the model, `/v/{visit}` one that is created and deleted, and
//! `/l` what listeners forward to.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, bail};
use bytes::Bytes;
use http::{Request, Response, StatusCode, request::Parts};
use http_body_util::{BodyExt, Empty};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::sleep,
};

use super::{
    behavior::{self, Reply},
    model::{Message, Role},
    run::Run,
    visits::Visits,
};
use crate::bench::clock;

/// The listening socket, before the run is known.
#[derive(Debug)]
pub(crate) struct Receivers {
    listener: TcpListener,
    pub(crate) address: SocketAddr,
}

/// What connections share.
#[derive(Debug)]
struct Shared {
    run: Arc<Run>,
    visits: Arc<Visits>,
    /// Failed requests by endpoint and first message.
    failures: Mutex<HashMap<(usize, u64), u32>>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Body {
    Batch { events: Vec<Event> },
    Single(Message),
}

#[derive(Debug, Deserialize)]
struct Event {
    id: String,
    payload: Message,
}

impl Receivers {
    pub(crate) async fn bind() -> anyhow::Result<Self> {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Serves until it is dropped.
    pub(crate) async fn serve(self, run: Arc<Run>, visits: Arc<Visits>) -> anyhow::Result<()> {
        let shared = Arc::new(Shared { run, visits, failures: Mutex::default() });
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => {
                    let (stream, _) = accepted.context("accept")?;
                    connections.spawn(serve(stream, Arc::clone(&shared)));
                },
                Some(_) = connections.join_next() => {},
            }
        }
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let _set = stream.set_nodelay(true);
    let service = service_fn(|request| respond(request, &shared));
    // The server may close the connection at any time, or be killed.
    let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn respond(
    request: Request<Incoming>,
    shared: &Shared,
) -> anyhow::Result<Response<Empty<Bytes>>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let reply = match parts.uri.path().split('/').skip(1).collect::<Vec<_>>()[..] {
        ["e", index] => shared.receive(index.parse()?, &parts, &body).await,
        ["v", visit] => {
            shared.visit(visit, &body);
            Reply::Accept
        },
        _ => {
            shared.run.activity().forwarded += 1;
            Reply::Accept
        },
    };
    let mut response = Response::new(Empty::new());
    *response.status_mut() = match reply {
        Reply::Accept => StatusCode::NO_CONTENT,
        Reply::Fail(status) => StatusCode::from_u16(status)?,
        Reply::Busy(seconds) => {
            response.headers_mut().insert("retry-after", seconds.into());
            StatusCode::TOO_MANY_REQUESTS
        },
        Reply::Hang => bail!("closes the connection"),
    };
    Ok(response)
}

impl Shared {
    async fn receive(&self, index: usize, parts: &Parts, body: &[u8]) -> Reply {
        let Some(endpoint) = self.run.record().endpoint(index) else {
            return self.unreadable(index, body);
        };
        let Some((ids, messages)) = read(parts, body) else {
            return self.unreadable(index, body);
        };
        {
            let now = self.run.now();
            let mut record = self.run.record();
            record.begin(index, &messages, now);
            for (message, id) in messages.iter().zip(&ids) {
                record.check_id(message.number, id);
            }
        }
        let Some(first) = messages.first() else { return Reply::Fail(400) };
        let key = (index, first.number);
        let failures = self.failures().get(&key).copied().unwrap_or(0);
        let second = self.run.now() as u64;
        let response = behavior::respond(endpoint.role, first.number, failures, second);
        sleep(response.after).await;
        if response.reply == Reply::Accept {
            if endpoint.role == Role::Fast {
                self.run.latencies().note(first.sent_at, clock::unix_nanos());
            }
            self.failures().remove(&key);
            self.run.record().arrive(index, &messages, self.run.now());
        } else {
            *self.failures().entry(key).or_default() += 1;
        }
        response.reply
    }

    fn visit(&self, visit: &str, body: &[u8]) {
        match (visit.parse(), serde_json::from_slice::<Message>(body)) {
            (Ok(visit), Ok(message)) => {
                if let Err(fault) = self.visits.arrive(visit, message.sequence) {
                    self.run.record().violate(fault);
                }
            },
            _ => self.run.record().violate(format!("visit {visit} got an unknown payload")),
        }
    }

    fn unreadable(&self, index: usize, body: &[u8]) -> Reply {
        let text = String::from_utf8_lossy(body);
        self.run.record().violate(format!("endpoint {index} got an unknown payload: {text}"));
        Reply::Accept
    }

    fn failures(&self) -> std::sync::MutexGuard<'_, HashMap<(usize, u64), u32>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The messages of a request, with their ids.
fn read(parts: &Parts, body: &[u8]) -> Option<(Vec<String>, Vec<Message>)> {
    match serde_json::from_slice(body).ok()? {
        Body::Single(message) => {
            let id = parts.headers.get("webhook-id")?.to_str().ok()?;
            Some((vec![id.to_owned()], vec![message]))
        },
        Body::Batch { events } => Some(events.into_iter().map(|it| (it.id, it.payload)).unzip()),
    }
}
