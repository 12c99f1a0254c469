//! Passes one request on to the program on this machine, shows it and keeps it.

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use tokio::time::Instant;
use url::Url;

use super::{
    record::{Kept, Record},
    shown, target,
    wire::{Answer, Event},
};
use crate::{
    exchange::{self, Bounds, NoAnswer, Outgoing},
    output,
};

/// How long the program may take; a little less than the server waits for us.
const TIME: Duration = Duration::from_secs(28);

/// Most bytes of an answer, if the server does not say.
pub(in super::super) const ANSWER_BYTES: usize = 1 << 20;

const REDIRECT: &str = "redirects are neither followed nor passed on";

/// Headers that concern one connection, and are not passed on.
const HOP_BY_HOP: [&str; 10] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What the program said.
#[derive(Debug)]
pub(in super::super) struct Reply {
    pub status: u16,
    headers: BTreeMap<String, String>,
    body: Bytes,
    /// Why there is no answer of the program's.
    fault: Option<String>,
}

/// Where requests are passed on to.
#[derive(Clone, Debug)]
pub(in super::super) struct Desk {
    pub forward: Url,
    pub record: Record,
}

impl Desk {
    /// Passes the request on, shows and keeps what came of it, and tells what to answer.
    pub(super) async fn handle(
        &self,
        event: Event,
        source: Option<&str>,
        answer_bytes: usize,
    ) -> anyhow::Result<Answer> {
        let (reply, took) = self.try_out(&event, answer_bytes).await?;
        let answer = Answer {
            id: event.id.clone(),
            status: reply.status,
            body: BASE64_STANDARD.encode(&reply.body),
            headers: reply.headers,
        };
        let kept = Kept {
            at: u64::try_from(super::super::now()?.as_millis())?,
            event_type: shown::event_type(&event),
            request: event,
            source: source.map(str::to_owned),
            forward: self.forward.to_string(),
            status: answer.status,
            duration_ms: u64::try_from(took.as_millis())?,
        };
        self.record.add(&kept)?;
        Ok(answer)
    }

    /// Passes the request on and shows what came of it.
    pub(in super::super) async fn try_out(
        &self,
        event: &Event,
        answer_bytes: usize,
    ) -> anyhow::Result<(Reply, Duration)> {
        let began = Instant::now();
        let reply = match self.outgoing(event) {
            Ok(outgoing) => reply(outgoing, answer_bytes).await,
            Err(fault) => Reply::refused(fault),
        };
        let took = began.elapsed();
        output::line(shown::line(
            super::super::now()?,
            event,
            (reply.status, took),
            reply.fault.as_deref(),
        ))?;
        Ok((reply, took))
    }

    fn outgoing(&self, event: &Event) -> Result<Outgoing, String> {
        let method = Method::try_from(event.method.as_str());
        let method = method.map_err(|_| format!("`{}` is not a method", event.method))?;
        let body = BASE64_STANDARD.decode(&event.body);
        let body = body.map_err(|_| "the body is not base 64".to_owned())?;
        let mut outgoing =
            Outgoing::new(method, target::below(&self.forward, &event.target)?).body(body);
        for (name, value) in &event.headers {
            let Ok(name) = HeaderName::try_from(name.as_str()) else { continue };
            let Ok(value) = HeaderValue::try_from(value.as_str()) else { continue };
            if !HOP_BY_HOP.contains(&name.as_str()) {
                outgoing.headers.append(name, value);
            }
        }
        Ok(outgoing)
    }
}

impl Reply {
    fn fault(status: u16, fault: String) -> Self {
        let headers = BTreeMap::from([("content-type".to_owned(), "text/plain".to_owned())]);
        // Whoever asked is not told about this machine.
        let body = Bytes::from_static(b"the listener's program did not answer");
        Self { status, headers, body, fault: Some(fault) }
    }

    /// The request was not passed on.
    fn refused(fault: String) -> Self {
        let body = Bytes::from_static(b"the request cannot be passed on to the listener's program");
        Self { body, ..Self::fault(400, fault) }
    }
}

async fn reply(outgoing: Outgoing, answer_bytes: usize) -> Reply {
    match exchange::call(outgoing, Bounds { time: TIME, answer_bytes }).await {
        Ok(answer) if !answer.is_whole => {
            let fault = format!("the answer broke off or is larger than {answer_bytes} bytes");
            Reply::fault(502, fault)
        },
        Ok(answer) => Reply {
            status: answer.status.as_u16(),
            headers: texts(&answer.headers),
            body: answer.body,
            fault: answer.status.is_redirection().then(|| REDIRECT.to_owned()),
        },
        Err(error) => {
            let status = if matches!(error, NoAnswer::TimedOut(_)) { 504 } else { 502 };
            Reply::fault(status, format!("{:#}", anyhow::Error::from(error)))
        },
    }
}

/// Each header once, as the protocol has them.
fn texts(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in headers {
        let Ok(value) = value.to_str() else { continue };
        if HOP_BY_HOP.contains(&name.as_str()) || name == http::header::SET_COOKIE {
            continue;
        }
        texts
            .entry(name.to_string())
            .and_modify(|whole| *whole = format!("{whole}, {value}"))
            .or_insert_with(|| value.to_owned());
    }
    texts
}
