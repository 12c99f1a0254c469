//! Endpoints that are chat services: their configuration, their messages, their responses.

mod discord;
mod response;
mod secret_url;
mod slack;
mod teams;
mod telegram;

use std::{borrow::Cow, fmt};

use bytes::Bytes;
use serde_json::Value;
use url::Url;

use super::KindConfig;
use crate::{
    outcome::Failure,
    template::{Event, Json, RenderError, Template},
};

pub use self::{
    discord::Discord,
    response::{ChatResponse, Judgement},
    secret_url::SecretUrl,
    slack::Slack,
    teams::Teams,
    telegram::Telegram,
};

/// A request to post a message.
#[derive(Clone)]
pub struct ChatRequest {
    /// With the credentials.
    pub url: Url,
    /// JSON.
    pub body: Bytes,
}

impl fmt::Debug for ChatRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChatRequest").field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}

/// A chat service. Building messages and reading responses needs no I/O.
pub trait Chat: KindConfig {
    /// The request that posts a message. `moved_to` is the chat that the service named instead of
    /// the configured one.
    fn request(&self, event: &Event, moved_to: Option<&str>) -> Result<ChatRequest, RenderError>;

    /// What the service's response to the request means.
    fn judge(&self, response: &ChatResponse<'_>) -> Judgement;

    /// A request that posts nothing and shows whether the credentials are right, if there is one.
    fn probe(&self) -> Option<ChatRequest> {
        None
    }

    /// Where messages are posted, to connect to it.
    fn url(&self) -> &Url;

    /// The text without the endpoint's credentials.
    fn hide_credentials<'a>(&self, text: &'a str) -> Cow<'a, str>;
}

/// The JSON value that a template renders to.
fn rendered_json(
    field: &str,
    template: &Template<Json>,
    event: &Event,
) -> Result<Value, RenderError> {
    let text = template.render_field(field, event)?;
    serde_json::from_str(&text).map_err(|error| RenderError {
        failure: Failure::Rejected,
        reason: format!("`{field}` is not JSON for this message: {error}"),
    })
}

fn rejected(reason: String) -> RenderError {
    RenderError { failure: Failure::Rejected, reason }
}

fn request(url: &Url, body: &Value) -> ChatRequest {
    ChatRequest { url: url.clone(), body: Bytes::from(body.to_string()) }
}

/// The beginning of a text that is longer than so many UTF-16 code units, in which some services
/// count. An ellipsis shows that there was more.
fn shortened(text: String, units: usize) -> String {
    let mut used = 0;
    let mut kept = 0;
    for (index, it) in text.char_indices() {
        used += it.len_utf16();
        if used < units {
            kept = index + it.len_utf8();
        }
        if used > units {
            return text.get(..kept).unwrap_or_default().to_owned() + "…";
        }
    }
    text
}

#[cfg(test)]
mod tests;
