//! Posts messages to chat services, over HTTP.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use postrider::api::EndpointKind;
use postrider_core::{
    kind::{
        Destination,
        chat::{Chat, ChatRequest, ChatResponse, Judgement},
    },
    outcome::Failure,
    target::Target,
    template::Event,
    time::Timestamp,
};

use super::{Call, Clients, HttpSender, Report, Sender, error::CallError};

/// Endpoints whose chats are known to have moved.
const MAX_CHATS: usize = 1_000;

/// How long that is remembered after the last message.
const IDLE_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

/// Posts messages to chat services.
#[derive(Debug)]
pub struct ChatSender {
    http: Arc<HttpSender>,
    chats: Clients<ChatState>,
}

/// What was learned about a chat since the endpoint was last changed.
#[derive(Debug, Default)]
struct ChatState {
    /// The chat that replaces the configured one.
    moved_to: Mutex<Option<String>>,
}

impl ChatState {
    fn moved_to(&self) -> Option<String> {
        self.moved_to.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn move_to(&self, chat: &str) {
        let mut moved_to = self.moved_to.lock().unwrap_or_else(PoisonError::into_inner);
        *moved_to = Some(chat.to_owned());
    }
}

impl ChatSender {
    pub fn new(http: Arc<HttpSender>) -> Self {
        Self { http, chats: Clients::new(MAX_CHATS, IDLE_TIMEOUT) }
    }

    /// The sender, for each kind of chat service.
    pub fn for_kinds(http: &Arc<HttpSender>) -> [(EndpointKind, Arc<dyn Sender>); 4] {
        use EndpointKind::{Discord, Slack, Teams, Telegram};
        let sender: Arc<dyn Sender> = Arc::new(Self::new(Arc::clone(http)));
        [Slack, Discord, Teams, Telegram].map(|kind| (kind, Arc::clone(&sender)))
    }

    async fn deliver(&self, chat: &impl Chat, call: &Call) -> Report {
        let event = Event::new(&call.message, &call.body);
        let state = self.chats.get(&call.target, ChatState::default);
        let posting = Posting { sender: self, chat, target: &call.target, at: call.at };
        let moved_to = state.moved_to();
        let (report, moved_to) = posting.post(&event, moved_to.as_deref()).await;
        let Some(moved_to) = moved_to else { return report };
        state.move_to(&moved_to);
        let (report, _) = posting.post(&event, Some(&moved_to)).await;
        let said = String::from_utf8_lossy(&report.response.body);
        let text = format!("{said}; the chat has moved to {moved_to}: change `chatId`");
        Report { outcome: report.outcome, ..Report::delivered(text).at(report.address) }
    }

    async fn probe(&self, chat: &impl Chat, target: &Arc<Target>) -> Report {
        let Some(request) = chat.probe() else {
            return self.http.check_host(target, chat.url()).await;
        };
        let at = Timestamp::default();
        let posting = Posting { sender: self, chat, target, at };
        let (report, _) = posting.request(&request).await;
        if !report.outcome.delivered() {
            return report;
        }
        Report::delivered("the credentials are right; nothing was posted").at(report.address)
    }
}

/// Requests to a chat service on behalf of an endpoint.
struct Posting<'a, C> {
    sender: &'a ChatSender,
    chat: &'a C,
    target: &'a Target,
    at: Timestamp,
}

impl<C: Chat> Posting<'_, C> {
    /// Posts the message; with the chat that has to be used instead, if the service names one.
    async fn post(&self, event: &Event, moved_to: Option<&str>) -> (Report, Option<String>) {
        match self.chat.request(event, moved_to) {
            Ok(request) => self.request(&request).await,
            Err(error) => (Report::failed(error.failure, error.reason), None),
        }
    }

    async fn request(&self, request: &ChatRequest) -> (Report, Option<String>) {
        let posted = self.sender.http.post(self.target, &request.url, &request.body, self.at).await;
        let posted = match posted {
            Ok(posted) => posted,
            Err(CallError { failure, reason, address }) => {
                let reason = self.chat.hide_credentials(&reason);
                return (Report::failed(failure, reason).at(address), None);
            },
        };
        let (status, retry_after) = (posted.status, posted.retry_after);
        let response = ChatResponse { status, retry_after, body: &posted.body };
        let Judgement { outcome, text, moved_to } = self.chat.judge(&response);
        let report = Report { outcome, ..Report::delivered(self.chat.hide_credentials(&text)) };
        (report.at(posted.address), moved_to)
    }
}

/// Does the same for each service.
macro_rules! with_chat {
    ($target:expr, $chat:ident => $done:expr) => {
        match &$target.destination {
            Destination::Slack($chat) => $done,
            Destination::Discord($chat) => $done,
            Destination::Teams($chat) => $done,
            Destination::Telegram($chat) => $done,
            _ => Report::failed(Failure::Protocol, "internal error: this is not a chat service"),
        }
    };
}

#[async_trait]
impl Sender for ChatSender {
    async fn send(&self, call: Call) -> Report {
        with_chat!(call.target, chat => self.deliver(chat, &call).await)
    }

    async fn check(&self, target: Arc<Target>) -> Report {
        with_chat!(target, chat => self.probe(chat, &target).await)
    }
}
