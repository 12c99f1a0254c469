//! Calls to the APIs of both systems, repeated as long as that may help.

use std::fmt;

use http::StatusCode;
use postrider::client::{Call, Client, Error, Response};
use serde_json::Value;
use url::Url;

use super::retry;
use crate::failure::{Advice, usage};

/// Records on a page of a list.
const PAGE: &str = "250";

/// Which system is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Source,
    Target,
}

impl Side {
    const fn token_hint(self) -> &'static str {
        match self {
            Self::Source => {
                "set --from-token to a token of the system that you import from, with access to all \
                 of its applications"
            },
            Self::Target => {
                "create a token with `postrider token create`, and set POSTRIDER_TOKEN or --token"
            },
        }
    }

    const fn url_hint(self) -> &'static str {
        match self {
            Self::Source => "correct --from",
            Self::Target => "start the server, or correct --url",
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Source => "source",
            Self::Target => "target",
        })
    }
}

/// The API of one system.
#[derive(Debug)]
pub(crate) struct Api {
    client: Client,
    url: Url,
    side: Side,
}

impl Api {
    pub(crate) fn new(side: Side, url: &Url, token: &str) -> anyhow::Result<Self> {
        let client = Client::new(url.as_str(), token).map_err(usage)?;
        let client = client.with_user_agent(crate::client::USER_AGENT)?;
        Ok(Self { client, url: url.clone(), side })
    }

    pub(crate) const fn url(&self) -> &Url {
        &self.url
    }

    /// Makes the call, repeatedly if it fails in a way that may pass. Returns any other response,
    /// unless the token was rejected.
    pub(crate) async fn send(&self, call: &Call) -> anyhow::Result<Response> {
        let mut failed = 0;
        loop {
            let result = self.client.send(call.clone()).await;
            let requested = match &result {
                Ok(response) if retry::is_transient(response.status.as_u16()) => {
                    response.retry_after
                },
                Ok(_) | Err(Error::Path(_)) => return self.finish(result),
                Err(_) => None,
            };
            failed += 1;
            let Some(wait) = retry::wait(failed, requested) else { return self.finish(result) };
            tokio::time::sleep(wait).await;
        }
    }

    fn finish(&self, result: Result<Response, Error>) -> anyhow::Result<Response> {
        let (side, url) = (self.side, &self.url);
        let response = result.map_err(|error| Advice {
            message: format!("the {side} {url} cannot be reached"),
            hint: format!("{}; then run the same command again to continue", side.url_hint()),
            source: Some(root_cause(error)),
        })?;
        if response.status == StatusCode::UNAUTHORIZED {
            let message = format!("the {side} {url} rejected the token");
            let hint = side.token_hint().to_owned();
            return Err(Advice { message, hint, source: None }.into());
        }
        if retry::is_transient(response.status.as_u16()) {
            let message = format!("the {side} {url} kept responding with {}", response.status);
            let hint = "run the same command again later to continue".to_owned();
            return Err(Advice { message, hint, source: None }.into());
        }
        Ok(response)
    }

    /// Makes the call and returns the body, `null` if there is none; any status but 2xx is an
    /// error.
    pub(crate) async fn required(&self, call: &Call) -> anyhow::Result<Value> {
        let response = self.send(call).await?;
        let status = response.status;
        match response.success() {
            Ok(response) => value(&response),
            Err(error) => Err(self.refused(status, &error)),
        }
    }

    fn refused(&self, status: StatusCode, error: &Error) -> anyhow::Error {
        let Self { side, url, .. } = self;
        let hint = match status {
            StatusCode::FORBIDDEN => side.token_hint(),
            _ => side.url_hint(),
        };
        let message = format!("the {side} {url} refused a request: {error}");
        Advice { message, hint: hint.to_owned(), source: None }.into()
    }

    /// Reads something that may not exist, or that the system may not have or not show. `None`
    /// then.
    pub(crate) async fn optional(&self, path: &[&str]) -> anyhow::Result<Option<Value>> {
        self.optional_call(&Call::get(path)).await
    }

    async fn optional_call(&self, call: &Call) -> anyhow::Result<Option<Value>> {
        let response = self.send(call).await?;
        match response.status {
            StatusCode::NO_CONTENT
            | StatusCode::FORBIDDEN
            | StatusCode::NOT_FOUND
            | StatusCode::METHOD_NOT_ALLOWED
            | StatusCode::NOT_IMPLEMENTED => Ok(None),
            status => match response.success() {
                Ok(response) => value(&response).map(Some),
                Err(error) => Err(self.refused(status, &error)),
            },
        }
    }

    /// Reads all pages of a list. `None` if the system does not have it.
    pub(crate) async fn optional_list(
        &self,
        path: &[&str],
        query: &[(&'static str, &str)],
    ) -> anyhow::Result<Option<Vec<Value>>> {
        match self.optional_call(&page(path, query, None)).await? {
            Some(first) => self.rest(path, query, first).await.map(Some),
            None => Ok(None),
        }
    }

    /// Reads all pages of a list.
    pub(crate) async fn list(
        &self,
        path: &[&str],
        query: &[(&'static str, &str)],
    ) -> anyhow::Result<Vec<Value>> {
        let first = self.required(&page(path, query, None)).await?;
        self.rest(path, query, first).await
    }

    /// The items of the first page and of those that follow.
    async fn rest(
        &self,
        path: &[&str],
        query: &[(&'static str, &str)],
        first: Value,
    ) -> anyhow::Result<Vec<Value>> {
        let (mut items, mut current) = (Vec::new(), first);
        loop {
            if let Some(Value::Array(data)) = current.get_mut("data").map(Value::take) {
                items.extend(data);
            }
            let Some(iterator) = next(&current) else { return Ok(items) };
            current = self.required(&page(path, query, Some(iterator))).await?;
        }
    }
}

/// The call that reads a page of a list.
fn page(path: &[&str], query: &[(&'static str, &str)], iterator: Option<String>) -> Call {
    let call = Call::get(path).pair("limit", PAGE);
    let call = query.iter().fold(call, |call, (name, value)| call.pair(name, *value));
    match iterator {
        Some(iterator) => call.pair("iterator", iterator),
        None => call,
    }
}

/// The cursor of the next page, unless this is the last one.
fn next(page: &Value) -> Option<String> {
    if page["done"].as_bool() == Some(true) {
        return None;
    }
    page["iterator"].as_str().map(str::to_owned)
}

fn value(response: &Response) -> anyhow::Result<Value> {
    if response.body.is_empty() {
        return Ok(Value::Null);
    }
    Ok(response.json()?)
}

/// The errors around the system's own message add nothing.
fn root_cause(error: Error) -> anyhow::Error {
    let text = anyhow::Error::new(error).root_cause().to_string();
    anyhow::Error::msg(text)
}
