//! Posts messages to chat services, over HTTP.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use http::{HeaderMap, HeaderValue, Method, header};
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
use tokio::time::Instant;

use super::{
    Call, Clients, Guard, GuardError, HttpClient, Report, Sender, ServiceRequest, http::wait,
};

/// Most bytes of a response. Services repeat the message in it.
const MAX_RESPONSE: usize = 16 << 10;

/// Endpoints whose chats are known to have moved.
const MAX_CHATS: usize = 1_000;

/// How long that is remembered after the last message.
const IDLE_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

/// Posts messages to chat services.
#[derive(Debug)]
pub struct ChatSender {
    http: HttpClient,
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
    pub fn new(guard: &Guard) -> Self {
        Self { http: guard.http().clone(), chats: Clients::new(MAX_CHATS, IDLE_TIMEOUT) }
    }

    /// The sender, for each kind of chat service.
    pub(super) fn for_kinds(guard: &Guard) -> [(EndpointKind, Arc<dyn Sender>); 4] {
        use EndpointKind::{Discord, Slack, Teams, Telegram};
        let sender: Arc<dyn Sender> = Arc::new(Self::new(guard));
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
            return match self.http.reach(chat.url(), target).await {
                Ok(address) => {
                    let done = format!("connected to {address}; nothing was posted");
                    Report::delivered(done).at(Some(address))
                },
                Err(error) => unposted(chat, error),
            };
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
        let began = Instant::now();
        let posted = self.sender.http.request_status(&post(request), self.target).await;
        let posted = match posted {
            Ok(posted) => posted,
            Err(error) => return (unposted(self.chat, error), None),
        };
        let status = posted.status.as_u16();
        let retry_after = wait(&posted.headers, self.at + began.elapsed());
        let response = ChatResponse { status, retry_after, body: &posted.body };
        let Judgement { outcome, text, moved_to } = self.chat.judge(&response);
        let report = Report { outcome, ..Report::delivered(self.chat.hide_credentials(&text)) };
        (report.at(Some(posted.address)), moved_to)
    }
}

fn post(request: &ChatRequest) -> ServiceRequest {
    ServiceRequest {
        method: Method::POST,
        url: request.url.clone(),
        headers: HeaderMap::from_iter([
            (header::USER_AGENT, HeaderValue::from_static("Postrider")),
            (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        ]),
        body: request.body.clone(),
        trusted: None,
        max_response: MAX_RESPONSE,
    }
}

/// The report if there was no response.
fn unposted(chat: &impl Chat, error: GuardError) -> Report {
    let GuardError { failure, reason, address } = error;
    Report::failed(failure, chat.hide_credentials(&reason)).at(address)
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
        with_chat!(call.target, chat => self.deliver(&**chat, &call).await)
    }

    async fn check(&self, target: Arc<Target>) -> Report {
        with_chat!(target, chat => self.probe(&**chat, &target).await)
    }
}
