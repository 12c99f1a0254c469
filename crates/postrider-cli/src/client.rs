//! Calls the API of a running server, with errors for the command line.

use bytes::Bytes;
use http::{Method, StatusCode};
use postrider::client::{self, Error};
use url::Url;

use crate::failure::{Advice, usage};

pub(crate) const USER_AGENT: &str = concat!("postrider-cli/", env!("CARGO_PKG_VERSION"));

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
        client.send(call.into()).await.map_err(|error| self.advice(error))
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
    use super::token;

    #[test]
    fn an_empty_token_counts_as_none() {
        for (given, expected) in
            [(None, None), (Some(""), None), (Some(" \n"), None), (Some(" t\n"), Some("t"))]
        {
            assert_eq!(token(given).as_deref(), expected, "{given:?}");
        }
    }
}
