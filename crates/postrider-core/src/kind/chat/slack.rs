//! Slack, through an incoming webhook.

use std::{borrow::Cow, time::Duration};

use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::Url;

use super::{
    Chat, ChatRequest, ChatResponse, Judgement, SecretUrl, rejected, rendered_json, request,
    shortened,
};
use crate::{
    kind::{KindConfig, Problem},
    outcome::{Failure, Outcome},
    retry::RETRY_AFTER_CAP,
    template::{Event, Json, RenderError, SlackText, Template},
};

/// Longer texts are cut by Slack, without an ellipsis.
const MAX_TEXT: usize = 40_000;

/// Most blocks of a message.
const MAX_BLOCKS: usize = 50;

/// Errors that only a change in Slack or of the endpoint ends, whatever their status.
const DEAD: [&str; 11] = [
    "invalid_token",
    "no_service",
    "no_service_id",
    "no_team",
    "no_active_hooks",
    "team_disabled",
    "channel_not_found",
    "channel_is_archived",
    "action_prohibited",
    "posting_to_general_channel_denied",
    "user_not_found",
];

/// A Slack channel.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Slack {
    /// The URL of the incoming webhook.
    pub url: SecretUrl,
    /// Inserted values are escaped.
    #[serde(default = "default_text")]
    text: Template<SlackText>,
    /// Blocks of Slack's Block Kit: a list. The text is then what notifications show.
    blocks: Option<Template<Json>>,
}

fn default_text() -> Template<SlackText> {
    let source = "*{{ type }}*\n```{{ payload | pretty(2500) }}```";
    Template::new(source).expect("the default template compiles")
}

impl KindConfig for Slack {
    const SECRETS: &'static [&'static str] = &["url"];

    fn check(&self, problems: &mut Vec<Problem>) {
        self.url.check("url", problems);
    }

    fn address(&self) -> String {
        self.url.address()
    }

    /// One after the other, so that a wait that Slack asks for comes in time for the next.
    fn max_in_flight(&self, limit: usize) -> usize {
        limit.min(1)
    }

    fn max_rest(&self) -> Duration {
        RETRY_AFTER_CAP
    }
}

impl Chat for Slack {
    fn request(&self, event: &Event, _moved_to: Option<&str>) -> Result<ChatRequest, RenderError> {
        let text = self.text.render_field("text", event)?;
        let mut body = Map::new();
        body.insert("text".to_owned(), shortened(text, MAX_TEXT).into());
        if let Some(blocks) = &self.blocks {
            body.insert("blocks".to_owned(), checked(rendered_json("blocks", blocks, event)?)?);
        }
        Ok(request(self.url.reveal(), &json!(body)))
    }

    fn judge(&self, response: &ChatResponse<'_>) -> Judgement {
        let text = response.text();
        let is_dead = DEAD.contains(&text.trim());
        let outcome = match serde_json::from_str(&text) {
            // Compatible services, and Slack's other methods.
            Ok(Value::Object(fields)) if fields.get("ok") == Some(&Value::Bool(false)) => {
                Outcome::Unanswered(Failure::Misconfigured)
            },
            _ if is_dead => Outcome::Unanswered(Failure::Misconfigured),
            _ => response.outcome(),
        };
        let remedy = "create a new webhook in Slack and change `url`";
        response.judge("Slack", outcome, remedy)
    }

    fn url(&self) -> &Url {
        self.url.reveal()
    }

    fn hide_credentials<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.url.hide_in(text)
    }
}

fn checked(blocks: Value) -> Result<Value, RenderError> {
    let Value::Array(items) = &blocks else {
        return Err(rejected("`blocks` is not a list for this message".to_owned()));
    };
    if items.len() > MAX_BLOCKS {
        let reason = format!("`blocks` has {} items; at most {MAX_BLOCKS} fit", items.len());
        return Err(rejected(reason));
    }
    Ok(blocks)
}
