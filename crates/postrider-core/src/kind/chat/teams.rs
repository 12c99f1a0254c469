//! Microsoft Teams, through a workflow that is started by a webhook.

use std::{borrow::Cow, time::Duration};

use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::{
    Chat, ChatRequest, ChatResponse, Judgement, SecretUrl, rejected, rendered_json, request,
    shortened,
};
use crate::{
    kind::{KindConfig, Problem},
    retry::RETRY_AFTER_CAP,
    template::{Event, Json, RenderError, Template},
};

/// Most bytes of a request. Teams drops larger messages after the workflow has accepted them.
const MAX_BYTES: usize = 28 << 10;

/// Most characters of a text, so that it fits even if many of them need several bytes.
const MAX_TEXT: usize = 10_000;

/// A channel or a chat of Microsoft Teams.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Teams {
    /// The URL of the workflow.
    pub url: SecretUrl,
    text: Option<Template>,
    /// An adaptive card, instead of the text.
    card: Option<Template<Json>>,
    #[serde(skip, default)]
    default_texts: DefaultTexts,
}

/// The texts of the default card.
#[derive(Debug)]
struct DefaultTexts {
    title: Template,
    details: Template,
}

impl Default for DefaultTexts {
    fn default() -> Self {
        let template = |it| Template::new(it).expect("the default templates compile");
        Self { title: template("{{ type }}"), details: template("{{ payload | pretty(8000) }}") }
    }
}

impl Teams {
    fn card(&self, event: &Event) -> Result<Value, RenderError> {
        if let Some(card) = &self.card {
            let card = rendered_json("card", card, event)?;
            if !card.is_object() {
                return Err(rejected("`card` is not an object for this message".to_owned()));
            }
            return Ok(card);
        }
        if let Some(text) = &self.text {
            let text = shortened(text.render_field("text", event)?, MAX_TEXT);
            return Ok(card(&[json!({ "type": "TextBlock", "text": text, "wrap": true })]));
        }
        let DefaultTexts { title, details } = &self.default_texts;
        let (title, details) =
            (title.render_field("text", event)?, details.render_field("text", event)?);
        Ok(card(&[
            json!({ "type": "TextBlock", "text": title, "weight": "bolder", "wrap": true }),
            json!({ "type": "TextBlock", "text": details, "fontType": "monospace", "wrap": true }),
        ]))
    }
}

fn card(body: &[Value]) -> Value {
    json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
    })
}

impl KindConfig for Teams {
    const SECRETS: &'static [&'static str] = &["url"];

    fn check(&self, problems: &mut Vec<Problem>) {
        self.url.check("url", problems);
        if self.text.is_some() && self.card.is_some() {
            problems.push(Problem::of("text", "must be absent with `card`: a card has its texts"));
        }
    }

    fn address(&self) -> String {
        self.url.address()
    }

    /// One after the other, so that a wait that Teams asks for comes in time for the next.
    fn max_in_flight(&self, limit: usize) -> usize {
        limit.min(1)
    }

    fn max_rest(&self) -> Duration {
        RETRY_AFTER_CAP
    }
}

impl Chat for Teams {
    fn request(&self, event: &Event, _moved_to: Option<&str>) -> Result<ChatRequest, RenderError> {
        let body = json!({
            "type": "message",
            "attachments": [{
                "contentType": "application/vnd.microsoft.card.adaptive",
                "contentUrl": null,
                "content": self.card(event)?,
            }],
        });
        let request = request(self.url.reveal(), &body);
        let size = request.body.len();
        if size > MAX_BYTES {
            let reason = format!(
                "the card has {size} bytes for this message, and Teams accepts {MAX_BYTES}; \
                 shorten it with the filter `truncate`"
            );
            return Err(rejected(reason));
        }
        Ok(request)
    }

    fn judge(&self, response: &ChatResponse<'_>) -> Judgement {
        let remedy = "check in Teams whether the workflow is turned on, and who may start it, or \
                      create a new one and change `url`";
        response.judge("Teams", response.outcome(), remedy)
    }

    fn url(&self) -> &Url {
        self.url.reveal()
    }

    fn hide_credentials<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.url.hide_in(text)
    }
}
