//! The receiving side: answers 204 as fast as it can, and counts what arrives.
//!
//! `/0` to `/63` are endpoints; whatever is sent to `/silent` is never answered. It prints
//! its address, then answers each line on its standard input with one line of JSON, and
//! ends with that input.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    io::BufRead,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Context;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinSet,
};

use super::{
    clock,
    console::say,
    latency::{Latencies, Summary},
    payload,
};

/// Larger numbers are counted as unknown, which bounds the bit maps.
const MOST_NUMBERS: u64 = 200_000_000;

/// What the receiver says when asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Count {
    pub(crate) at_nanos: u64,
    /// Arrivals, repeated ones too.
    pub(crate) arrivals: u64,
    /// Different payloads that arrived, by endpoint.
    pub(crate) distinct: BTreeMap<usize, u64>,
    /// Bodies that are none of ours.
    pub(crate) unknown: u64,
    /// Since the last question.
    pub(crate) latency: Summary,
}

#[derive(Debug, Default)]
struct Arrivals {
    all: u64,
    unknown: u64,
    seen: BTreeMap<usize, Seen>,
    latencies: Latencies,
}

/// Which numbers arrived at an endpoint.
#[derive(Debug, Default)]
struct Seen {
    bits: Vec<u64>,
    distinct: u64,
}

type Shared = Arc<Mutex<Arrivals>>;

pub(crate) async fn run() -> anyhow::Result<()> {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
    let shared = Shared::default();
    let (end, mut ended) = oneshot::channel();
    say(&listener.local_addr()?)?;
    let answering = Arc::clone(&shared);
    std::thread::spawn(move || {
        let result = answer(&answering);
        let _sent = end.send(result);
    });
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted.context("accept")?;
                connections.spawn(serve(stream, Arc::clone(&shared)));
            },
            Some(_) = connections.join_next() => {},
            result = &mut ended => return result?,
        }
    }
}

fn answer(shared: &Shared) -> anyhow::Result<()> {
    for line in std::io::stdin().lock().lines() {
        line?;
        let (count, latencies) = shared.lock().unwrap_or_else(PoisonError::into_inner).count();
        // Sorting takes its time, without the lock.
        say(&Count { latency: latencies.summarize(), ..count })?;
    }
    Ok(())
}

async fn serve(stream: TcpStream, shared: Shared) {
    let _set = stream.set_nodelay(true);
    let service = service_fn(|request| receive(request, &shared));
    // The other side may leave in the midst of things.
    let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn receive(
    request: Request<Incoming>,
    shared: &Shared,
) -> Result<Response<Empty<Bytes>>, hyper::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let now = clock::unix_nanos();
    if parts.uri.path() == "/silent" {
        std::future::pending::<Infallible>().await;
    }
    let endpoint = parts.uri.path().trim_start_matches('/').parse().unwrap_or(0);
    shared.lock().unwrap_or_else(PoisonError::into_inner).note(endpoint, &body, now);
    let mut response = Response::new(Empty::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

impl Arrivals {
    fn note(&mut self, endpoint: usize, body: &[u8], now: u64) {
        self.all += 1;
        match payload::read(body).filter(|(number, _)| *number < MOST_NUMBERS && endpoint < 64) {
            Some((number, sent_at)) => {
                self.latencies.note(sent_at, now);
                self.seen.entry(endpoint).or_default().note(number);
            },
            None => self.unknown += 1,
        }
    }

    fn count(&mut self) -> (Count, Latencies) {
        let distinct = self.seen.iter().map(|(endpoint, seen)| (*endpoint, seen.distinct));
        let count = Count {
            at_nanos: clock::unix_nanos(),
            arrivals: self.all,
            distinct: distinct.collect(),
            unknown: self.unknown,
            latency: Summary::default(),
        };
        (count, std::mem::take(&mut self.latencies))
    }
}

impl Seen {
    fn note(&mut self, number: u64) {
        let word = usize::try_from(number / 64).unwrap_or(0);
        if word >= self.bits.len() {
            self.bits.resize(word + 1, 0);
        }
        let bit = 1 << (number % 64);
        if self.bits[word] & bit == 0 {
            self.bits[word] |= bit;
            self.distinct += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_that_arrives_twice_is_one_payload() {
        let mut arrivals = Arrivals::default();
        let mut body = payload::template().into_bytes();
        for number in [7, 130, 7] {
            payload::stamp(&mut body, number, 1_000);
            arrivals.note(2, &body, 2_001_000);
        }
        arrivals.note(2, b"{}", 0);
        let (count, latencies) = arrivals.count();
        assert_eq!((count.arrivals, count.unknown, count.distinct[&2]), (4, 1, 2));
        assert_eq!(latencies.summarize().count, 3);
    }
}
