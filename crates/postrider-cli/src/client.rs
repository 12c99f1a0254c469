//! Calls a running server, in the words of a command line.

use bytes::Bytes;
use http::{Method, StatusCode};
use postrider::client::{self, Error};
use url::Url;

use crate::failure::{Advice, usage};

/// How the server sees us.
const AGENT: &str = concat!("postrider-cli/", env!("CARGO_PKG_VERSION"));

/// One request to the API.
#[derive(Debug)]
pub(crate) struct Call {
    pub method: Method,
    /// What the path begins with.
    pub root: &'static [&'static str],
    /// The rest of the path, in segments that are not escaped yet.
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

    /// A call to what receives.
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

/// A server and the right to call it.
#[derive(Debug)]
pub(crate) struct Client {
    pub url: Url,
    pub token: String,
}

impl Client {
    /// Makes the call, and tells status and body of the answer.
    pub(crate) async fn ask(&self, call: Call) -> anyhow::Result<(StatusCode, Bytes)> {
        let answer = self.answer(call).await?;
        Ok((answer.status, answer.body))
    }

    /// Makes the call; an answer that is no success is an error with the server's words.
    pub(crate) async fn call(&self, call: Call) -> anyhow::Result<Bytes> {
        let answer = self.answer(call).await?;
        let status = answer.status;
        let answer = answer.success().map_err(|error| refused(status, &error))?;
        Ok(answer.body)
    }

    async fn answer(&self, call: Call) -> anyhow::Result<client::Answer> {
        let client = client::Client::new(self.url.as_str(), &self.token).map_err(usage)?;
        let client = client.with_user_agent(AGENT)?;
        let client = match &call.idempotency_key {
            Some(key) => client.with_idempotency_key(key).map_err(usage)?,
            None => client,
        };
        client.ask(call.into()).await.map_err(|error| self.advice(error))
    }

    fn advice(&self, error: Error) -> anyhow::Error {
        let Error::Unreachable { source, .. } = error else { return error.into() };
        // What stands around the system's own words tells nobody more.
        let cause = anyhow::Error::from_boxed(source).root_cause().to_string();
        Advice {
            message: format!("{} cannot be reached", self.url),
            hint: "start a server with `postrider serve`, or name it with --url or POSTRIDER_URL"
                .to_owned(),
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

fn refused(status: StatusCode, error: &Error) -> Advice {
    let hint = match status {
        StatusCode::UNAUTHORIZED => {
            "make a token with `postrider token create`, and set POSTRIDER_TOKEN to it"
        },
        StatusCode::NOT_FOUND => "`list` shows what there is",
        StatusCode::SERVICE_UNAVAILABLE => "try again in a moment",
        _ => "`postrider openapi` describes what the server expects",
    };
    Advice { message: error.to_string(), hint: hint.to_owned(), source: None }
}

/// The token that was given, without blanks around it; an empty variable gives none.
pub(crate) fn token(given: Option<&str>) -> Option<String> {
    given.map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::token;

    #[test]
    fn an_empty_token_is_none() {
        for (given, expected) in
            [(None, None), (Some(""), None), (Some(" \n"), None), (Some(" t\n"), Some("t"))]
        {
            assert_eq!(token(given).as_deref(), expected, "{given:?}");
        }
    }
}
