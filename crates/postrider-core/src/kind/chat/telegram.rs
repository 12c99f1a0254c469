//! Telegram, through a bot.

use std::{borrow::Cow, time::Duration};

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{Value, json};
use url::Url;

use super::{
    Chat, ChatRequest, ChatResponse, Judgement, request, response::seconds, secret_url::check_url,
    shortened,
};
use crate::{
    kind::{Credential, KindConfig, MASK, Problem},
    outcome::{Failure, Outcome},
    retry::RETRY_AFTER_CAP,
    template::{Event, Html, RenderError, Template},
};

const MAX_TEXT: usize = 4_096;

/// Descriptions of errors with status 400 that have nothing to do with the message.
const DEAD: [&str; 8] = [
    "chat not found",
    "peer_id_invalid",
    "not enough rights",
    "have no rights",
    "write_forbidden",
    "group is deactivated",
    "message thread not found",
    "need administrator rights",
];

/// A Telegram chat, group or channel.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Telegram {
    /// The bot's token.
    token: Credential,
    chat_id: ChatId,
    text: Option<Texts>,
    parse_mode: Option<ParseMode>,
    /// A topic of a group.
    message_thread_id: Option<u64>,
    /// No sound.
    #[serde(default)]
    disable_notification: bool,
    /// Another server of the bot API.
    #[serde(default = "official")]
    api_url: Url,
    #[serde(skip, default)]
    default_texts: DefaultTexts,
}

/// The number of a chat, or the name of a public channel with an `@`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
enum ChatId {
    Number(i64),
    Name(String),
}

impl ChatId {
    fn text(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Name(name) => name.clone(),
        }
    }
}

/// How Telegram reads the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum ParseMode {
    #[serde(rename = "HTML")]
    Html,
}

/// One template for both modes: the values that it inserts are escaped only in HTML.
#[derive(Debug)]
struct Texts {
    plain: Template,
    html: Template<Html>,
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let source = String::deserialize(deserializer)?;
        let plain = Template::new(&source).map_err(D::Error::custom)?;
        Ok(Self { plain, html: Template::new(&source).map_err(D::Error::custom)? })
    }
}

#[derive(Debug)]
struct DefaultTexts(Texts);

impl Default for DefaultTexts {
    fn default() -> Self {
        let plain = Template::new("{{ type }}\n\n{{ payload | pretty(3500) }}");
        let html = Template::new("<b>{{ type }}</b>\n<pre>{{ payload | pretty(3500) }}</pre>");
        let expected = "the default templates compile";
        Self(Texts { plain: plain.expect(expected), html: html.expect(expected) })
    }
}

fn official() -> Url {
    Url::parse("https://api.telegram.org").expect("a valid URL")
}

impl Telegram {
    /// The URL of a method. It contains the token.
    fn method(&self, name: &str) -> Url {
        self.method_with(self.token.reveal(), name)
    }

    fn method_with(&self, token: &str, name: &str) -> Url {
        let mut url = self.api_url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push(&format!("bot{token}")).push(name);
        }
        url
    }

    fn text(&self, event: &Event) -> Result<String, RenderError> {
        let Texts { plain, html } = self.text.as_ref().unwrap_or(&self.default_texts.0);
        match self.parse_mode {
            // The limit counts what is shown, and a cut could leave an element open.
            Some(ParseMode::Html) => html.render_field("text", event),
            None => Ok(shortened(plain.render_field("text", event)?, MAX_TEXT)),
        }
    }

    fn is_token(&self) -> bool {
        let token = self.token.reveal();
        let is_plain = |it: char| it.is_ascii_alphanumeric() || matches!(it, ':' | '_' | '-');
        token.contains(':') && token.chars().all(is_plain)
    }
}

impl KindConfig for Telegram {
    const SECRETS: &'static [&'static str] = &["token"];

    fn check(&self, problems: &mut Vec<Problem>) {
        check_url(&self.api_url, "apiUrl", problems);
        if !self.is_token() {
            problems.push(Problem::of("token", "must be a bot's token, such as 123456:ABC-DEF"));
        }
        let chat = self.chat_id.text();
        if chat.parse::<i64>().is_err() && !chat.starts_with('@') {
            let message = "must be a number, or the name of a public channel that begins with @";
            problems.push(Problem::of("chatId", message));
        }
    }

    fn address(&self) -> String {
        let mut url = self.method_with(MASK, "sendMessage");
        url.query_pairs_mut().append_pair("chat_id", &self.chat_id.text());
        url.to_string()
    }

    /// One after the other, so that a wait that Telegram asks for comes in time for the next.
    fn max_in_flight(&self, limit: usize) -> usize {
        limit.min(1)
    }

    fn max_rest(&self) -> Duration {
        RETRY_AFTER_CAP
    }
}

impl Chat for Telegram {
    fn request(&self, event: &Event, moved_to: Option<&str>) -> Result<ChatRequest, RenderError> {
        let chat = moved_to.map_or_else(|| self.chat_id.text(), str::to_owned);
        let mut body = json!({ "chat_id": chat, "text": self.text(event)? });
        if self.parse_mode == Some(ParseMode::Html) {
            body["parse_mode"] = "HTML".into();
        }
        if let Some(thread) = self.message_thread_id {
            body["message_thread_id"] = thread.into();
        }
        if self.disable_notification {
            body["disable_notification"] = true.into();
        }
        Ok(request(&self.method("sendMessage"), &body))
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "all others are numbers")]
    fn judge(&self, response: &ChatResponse<'_>) -> Judgement {
        let body: Value = serde_json::from_slice(response.body).unwrap_or_default();
        let parameter = |name| body.get("parameters").and_then(|it| it.get(name));
        let asked = parameter("retry_after").and_then(Value::as_f64).and_then(seconds);
        let outcome = outcome(response, &body, asked);
        if outcome.delivered() {
            let id = body.pointer("/result/message_id").map(Value::to_string).unwrap_or_default();
            let text = format!("Telegram accepted the message: {id}");
            return Judgement { outcome, text: text.trim_end().to_owned(), moved_to: None };
        }
        let moved_to = parameter("migrate_to_chat_id").map(|it| match it {
            Value::String(id) => id.clone(),
            other => other.to_string(),
        });
        let remedy = "check `token` and `chatId`, and whether the bot may write in the chat";
        Judgement { moved_to, ..response.judge("Telegram", outcome, remedy) }
    }

    /// The bot's own data.
    fn probe(&self) -> Option<ChatRequest> {
        Some(request(&self.method("getMe"), &json!({})))
    }

    fn url(&self) -> &Url {
        &self.api_url
    }

    fn hide_credentials<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.token.hide_in(text).into()
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "all others stay as they are")]
fn outcome(response: &ChatResponse<'_>, body: &Value, asked: Option<Duration>) -> Outcome {
    let code = body.get("error_code").and_then(Value::as_u64);
    let is_refused = body.get("ok") == Some(&Value::Bool(false));
    // Proxies of the API respond with 200 to everything.
    let status = code.filter(|_| is_refused).and_then(|code| u16::try_from(code).ok());
    let status = status.unwrap_or(response.status);
    let description = body.get("description").and_then(Value::as_str).unwrap_or_default();
    let description = description.to_ascii_lowercase();
    let retry_after = asked.or(response.retry_after);
    match (ChatResponse { status, retry_after, ..*response }).outcome() {
        outcome if is_refused && outcome.delivered() => Outcome::Unanswered(Failure::Rejected),
        Outcome::Unanswered(Failure::Rejected)
            if DEAD.iter().any(|it| description.contains(it)) =>
        {
            Outcome::Unanswered(Failure::Misconfigured)
        },
        outcome => outcome,
    }
}
