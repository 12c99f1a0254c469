//! Discord, through a webhook.

use std::{borrow::Cow, time::Duration};

use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::Url;

use super::{
    Chat, ChatRequest, ChatResponse, Judgement, SecretUrl, rejected, rendered_json, request,
    response::seconds, shortened,
};
use crate::{
    kind::{KindConfig, Problem},
    outcome::Outcome,
    retry::RETRY_AFTER_CAP,
    template::{Event, Json, RenderError, Template},
};

const MAX_CONTENT: usize = 2_000;

/// Most embeds of a message.
const MAX_EMBEDS: usize = 10;

/// A Discord channel.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Discord {
    /// The URL of the webhook.
    pub url: SecretUrl,
    content: Option<Template>,
    /// Embeds: a list.
    embeds: Option<Template<Json>>,
    /// The name that the message is from, instead of the webhook's.
    username: Option<Template>,
    /// Whom mentions notify, in Discord's form; by default no one.
    allowed_mentions: Option<Map<String, Value>>,
    #[serde(skip, default = "default_content")]
    default_content: Template,
}

fn default_content() -> Template {
    let source = "**{{ type }}**\n```json\n{{ payload | pretty(1800) }}\n```";
    Template::new(source).expect("the default template compiles")
}

impl Discord {
    fn content(&self) -> Option<&Template> {
        self.content.as_ref().or(self.embeds.is_none().then_some(&self.default_content))
    }

    /// Without `wait`, Discord responds before it has stored the message.
    fn waiting_url(&self) -> Url {
        let mut url = self.url.reveal().clone();
        if !url.query_pairs().any(|(name, _)| name == "wait") {
            url.query_pairs_mut().append_pair("wait", "true");
        }
        url
    }
}

impl KindConfig for Discord {
    const SECRETS: &'static [&'static str] = &["url"];

    fn check(&self, problems: &mut Vec<Problem>) {
        self.url.check("url", problems);
    }

    fn address(&self) -> String {
        self.url.address()
    }

    /// One after the other, so that a wait that Discord asks for comes in time for the next.
    fn max_in_flight(&self, limit: usize) -> usize {
        limit.min(1)
    }

    fn max_rest(&self) -> Duration {
        RETRY_AFTER_CAP
    }
}

impl Chat for Discord {
    fn request(&self, event: &Event, _moved_to: Option<&str>) -> Result<ChatRequest, RenderError> {
        let mentions =
            self.allowed_mentions.as_ref().map_or_else(|| json!({ "parse": [] }), |it| json!(it));
        let mut body = Map::new();
        body.insert("allowed_mentions".to_owned(), mentions);
        if let Some(content) = self.content() {
            let content = shortened(content.render_field("content", event)?, MAX_CONTENT);
            body.insert("content".to_owned(), content.into());
        }
        if let Some(embeds) = &self.embeds {
            body.insert("embeds".to_owned(), checked(rendered_json("embeds", embeds, event)?)?);
        }
        if let Some(username) = &self.username {
            body.insert("username".to_owned(), username.render_field("username", event)?.into());
        }
        Ok(request(&self.waiting_url(), &json!(body)))
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "all others stay as they are")]
    fn judge(&self, response: &ChatResponse<'_>) -> Judgement {
        let body: Value = serde_json::from_slice(response.body).unwrap_or_default();
        let asked = body.get("retry_after").and_then(Value::as_f64).and_then(seconds);
        let outcome = match response.outcome() {
            // The header has whole seconds, the body is exact.
            Outcome::Answered { status: 429, retry_after } => {
                Outcome::Answered { status: 429, retry_after: asked.or(retry_after) }
            },
            outcome => outcome,
        };
        if outcome.delivered() {
            let id = body.get("id").and_then(Value::as_str).unwrap_or("without an id");
            let text = format!("Discord accepted the message: {id}");
            return Judgement { outcome, text, moved_to: None };
        }
        let remedy = "create a new webhook in Discord and change `url`";
        response.judge("Discord", outcome, remedy)
    }

    fn url(&self) -> &Url {
        self.url.reveal()
    }

    fn hide_credentials<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.url.hide_in(text)
    }
}

fn checked(embeds: Value) -> Result<Value, RenderError> {
    let Value::Array(items) = &embeds else {
        return Err(rejected("`embeds` is not a list for this message".to_owned()));
    };
    if items.len() > MAX_EMBEDS {
        let reason = format!("`embeds` has {} items; at most {MAX_EMBEDS} fit", items.len());
        return Err(rejected(reason));
    }
    Ok(embeds)
}
