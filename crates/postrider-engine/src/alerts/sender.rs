//! Sends messages about alerts.

use std::{panic::AssertUnwindSafe, sync::Arc};

use bytes::Bytes;
use futures_util::{FutureExt, future::join_all};
use postrider::{ApplicationId, MessageId};
use postrider_core::{
    alert::{AlertKey, AlertKind, Channel, Notice, NoticeKind, payload},
    message::{Format, Message},
    target::Target,
    time::Timestamp,
};

use crate::{
    panic_text::panic_text,
    sender::{Call, Report, Sender},
};

/// Sends messages about alerts with the senders that deliver messages to endpoints.
#[derive(Clone, Debug)]
pub struct AlertSender {
    pub sender: Arc<dyn Sender>,
    pub targets: Vec<(Channel, Arc<Target>)>,
    /// The name of this node.
    pub node: String,
    /// The URL of the console, with a slash at its end.
    pub base_url: String,
}

/// Whether a message about alerts was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentAlert {
    pub channel: Channel,
    /// Where it was sent, without credentials.
    pub address: String,
    /// What the receiver said, or why it did not get the message.
    pub result: Result<String, String>,
}

impl AlertSender {
    pub(super) fn channels(&self) -> Vec<Channel> {
        self.targets.iter().map(|(channel, _)| *channel).collect()
    }

    /// Sends an alert that says that it is a test to all channels.
    pub async fn test(&self, id: MessageId) -> Vec<SentAlert> {
        let now = Timestamp::from_millis(id.millis());
        let notice = Notice {
            notice: NoticeKind::Firing,
            key: AlertKey { kind: AlertKind::Test, subject: self.node.clone() },
            summary: "This is a test: alerts of Postrider arrive here.".to_owned(),
            began_at: now,
            ended_at: None,
            endpoint: None,
        };
        let notices = [notice];
        let sending = self.channels().into_iter().map(|it| self.send(it, &notices, id));
        join_all(sending).await
    }

    /// Sends one message.
    pub(super) async fn send(
        &self,
        channel: Channel,
        notices: &[Notice],
        id: MessageId,
    ) -> SentAlert {
        let Some((_, target)) = self.targets.iter().find(|(it, _)| *it == channel) else {
            // It was configured when the alert was announced, and is no longer.
            let result = Err("this channel is not configured".to_owned());
            return SentAlert { channel, address: String::new(), result };
        };
        let address = match channel {
            Channel::Email => target.destination.address(),
            Channel::Slack | Channel::Webhook => origin(&target.destination.address()),
        };
        let report = self.call(Arc::clone(target), notices, id).await;
        SentAlert { channel, address, result: result(&report) }
    }

    async fn call(&self, target: Arc<Target>, notices: &[Notice], id: MessageId) -> Report {
        let at = Timestamp::from_millis(id.millis());
        let json = payload(notices, &self.base_url, &self.node, at);
        let body = Bytes::from(json.to_string());
        let message = Message {
            id,
            application: ApplicationId::from_u128(0),
            event_type: "postrider.alert".parse().expect("it is a valid event type"),
            event_id: None,
            channels: Vec::new(),
            tags: Vec::new(),
            body: Some(body.clone()),
            format: Format::Json,
            deliver_at: None,
            body_until: Timestamp::MAX,
            trace: None,
        };
        let message = Arc::new(message);
        let call = Call { target, message, batch: Vec::new(), body, at, trace: None };
        let sent = AssertUnwindSafe(self.sender.send(call)).catch_unwind().await;
        sent.unwrap_or_else(|panic| Report::panicked(&panic_text(&*panic)))
    }
}

/// A URL without path and query, which may be secret.
fn origin(url: &str) -> String {
    url::Url::parse(url).map(|it| it.origin().ascii_serialization()).unwrap_or_default()
}

fn result(report: &Report) -> Result<String, String> {
    let said: String = String::from_utf8_lossy(&report.response.body).chars().take(500).collect();
    if report.outcome.delivered() {
        return Ok(said);
    }
    Err(match report.outcome.status() {
        Some(status) => format!("the response had the status {status}: {said}"),
        None => said,
    })
}
