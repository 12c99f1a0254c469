//! Calls the API of a running server, with errors for the command line.

use std::{io, iter, time::Duration};

use bytes::Bytes;
use http::{Method, StatusCode};
use postrider::client::{self, Error};
use url::Url;

use crate::{
    commands::target::is_near,
    failure::{Advice, usage},
};

pub(crate) const USER_AGENT: &str = concat!("postrider-cli/", env!("CARGO_PKG_VERSION"));

/// How often a call is repeated while a server nearby refuses connections: a command may follow
/// the one that starts the server, which takes a moment until it listens.
const REPETITIONS: usize = 20;

/// The wait before each repetition.
const PAUSE: Duration = Duration::from_millis(100);

/// One request to the API.
#[derive(Debug)]
pub(crate) struct Call {
    pub method: Method,
    /// The beginning of the path.
    pub root: &'static [&'static str],
    /// The rest of the path, in segments that are not percent-encoded.
    pub path: Vec<String>,
    pub query: Vec<(&'static str, String)>,
    pub body: Option<Bytes>,
    pub idempotency_key: Option<String>,
}

impl Call {
    pub(crate) fn new(method: Method, path: &[&str]) -> Self {
        Self {
            method,
            root: &["api", "v1"],
            path: path.iter().map(|it| (*it).to_owned()).collect(),
            query: Vec::new(),
            body: None,
            idempotency_key: None,
        }
    }

    /// A call to the API of sources.
    pub(crate) fn ingest(method: Method, path: &[&str]) -> Self {
        Self { root: &["ingest", "api", "v1"], ..Self::new(method, path) }
    }

    pub(crate) fn body(self, body: impl Into<Bytes>) -> Self {
        Self { body: Some(body.into()), ..self }
    }

    pub(crate) fn query(mut self, name: &'static str, value: Option<String>) -> Self {
        self.query.extend(value.map(|value| (name, value)));
        self
    }
}

/// A server and a token for it.
#[derive(Debug)]
pub(crate) struct Client {
    pub url: Url,
    pub token: String,
}

impl Client {
    /// Makes the call and returns the status and body, whatever the status.
    pub(crate) async fn ask(&self, call: Call) -> anyhow::Result<(StatusCode, Bytes)> {
        let response = self.response(call).await?;
        Ok((response.status, response.body))
    }

    /// Makes the call and returns the body; any status but 2xx is an error with the server's
    /// message.
    pub(crate) async fn call(&self, call: Call) -> anyhow::Result<Bytes> {
        let response = self.response(call).await?;
        let status = response.status;
        let response = response.success().map_err(|error| rejected(status, &error))?;
        Ok(response.body)
    }

    async fn response(&self, call: Call) -> anyhow::Result<client::Response> {
        let client = client::Client::new(self.url.as_str(), &self.token).map_err(usage)?;
        let client = client.with_user_agent(USER_AGENT)?;
        let client = match &call.idempotency_key {
            Some(key) => client.with_idempotency_key(key).map_err(usage)?,
            None => client,
        };
        let call = client::Call::from(call);
        let repetitions = if is_near(&self.url) { REPETITIONS } else { 0 };
        let response = unless_refused(repetitions, PAUSE, || client.send(call.clone()));
        response.await.map_err(|error| self.advice(error))
    }

    fn advice(&self, error: Error) -> anyhow::Error {
        let Error::Unreachable { source, .. } = error else { return error.into() };
        // The errors around the system's own message add nothing.
        let cause = anyhow::Error::from_boxed(source).root_cause().to_string();
        Advice {
            message: format!("{} cannot be reached", self.url),
            hint: "start a server with `postrider serve`, or set --url or POSTRIDER_URL".to_owned(),
            source: Some(anyhow::Error::msg(cause)),
        }
        .into()
    }
}

impl From<Call> for client::Call {
    fn from(call: Call) -> Self {
        let path: Vec<_> =
            call.root.iter().copied().chain(call.path.iter().map(String::as_str)).collect();
        let wire = Self::new(call.method, &path);
        let wire = call.query.into_iter().fold(wire, |wire, (name, value)| wire.pair(name, value));
        match call.body {
            Some(body) => wire.body(body),
            None => wire,
        }
    }
}

/// Repeats a call whose connection is refused, so that nothing has been sent.
async fn unless_refused<T, F: Future<Output = Result<T, Error>>>(
    repetitions: usize,
    pause: Duration,
    call: impl Fn() -> F,
) -> Result<T, Error> {
    for _ in 0..repetitions {
        let result = call().await;
        if !result.as_ref().is_err_and(is_refused) {
            return result;
        }
        tokio::time::sleep(pause).await;
    }
    call().await
}

fn is_refused(error: &Error) -> bool {
    let Error::Unreachable { source, .. } = error else { return false };
    let source: &(dyn std::error::Error + 'static) = &**source;
    iter::successors(Some(source), |it| it.source())
        .filter_map(|it| it.downcast_ref::<io::Error>())
        .any(|it| it.kind() == io::ErrorKind::ConnectionRefused)
}

fn rejected(status: StatusCode, error: &Error) -> Advice {
    let hint = match status {
        StatusCode::UNAUTHORIZED => {
            "create a token with `postrider token create`, and set POSTRIDER_TOKEN or --token"
        },
        StatusCode::NOT_FOUND => "`list` shows the existing records",
        StatusCode::SERVICE_UNAVAILABLE => "try again in a moment",
        _ => "`postrider openapi` describes the API",
    };
    Advice { message: error.to_string(), hint: hint.to_owned(), source: None }
}

/// The given token without surrounding whitespace; `None` if it is empty.
pub(crate) fn token(given: Option<&str>) -> Option<String> {
    given.map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// The result of a call that fails so often, and how often it was made.
    async fn call(failures: usize, kind: io::ErrorKind) -> (Result<(), Error>, usize) {
        let calls = AtomicUsize::new(0);
        let result = unless_refused(3, Duration::ZERO, || {
            let is_over = calls.fetch_add(1, Ordering::Relaxed) >= failures;
            let error = || anyhow::Error::from(io::Error::from(kind)).context("connect");
            let unreachable = || Error::Unreachable { url: String::new(), source: error().into() };
            std::future::ready(if is_over { Ok(()) } else { Err(unreachable()) })
        });
        (result.await, calls.load(Ordering::Relaxed))
    }

    #[tokio::test]
    async fn a_call_waits_for_a_server_that_is_starting() {
        let refused = io::ErrorKind::ConnectionRefused;
        for (failures, kind, is_ok, calls) in [
            (0, refused, true, 1),
            (3, refused, true, 4),
            (9, refused, false, 4),
            // Something may have been sent.
            (1, io::ErrorKind::ConnectionReset, false, 1),
        ] {
            let (result, made) = call(failures, kind).await;
            assert_eq!((result.is_ok(), made), (is_ok, calls), "{failures} × {kind}");
        }
    }

    #[test]
    fn an_empty_token_counts_as_none() {
        for (given, expected) in
            [(None, None), (Some(""), None), (Some(" \n"), None), (Some(" t\n"), Some("t"))]
        {
            assert_eq!(token(given).as_deref(), expected, "{given:?}");
        }
    }
}
