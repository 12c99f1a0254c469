//! Messages to operators about their customers' endpoints and deliveries.
//!
//! These are ordinary messages of applications that listen to an organization. So they are
//! signed, retried and logged like all others, and the server does not call itself.

mod listeners;

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp as WireTime;
use postrider::{
    Uid,
    api::event::{
        DisabledTrigger, EndpointDisabledData, LastAttempt, MessageAttemptData, OperationalEvent,
    },
};
use postrider_core::{
    dispatch,
    health::Notice,
    message::{Format, Message},
    time::Timestamp,
};
use postrider_store::{Hold, IdOrUid, NewMessage, Store, StoreError, Target};

pub(crate) use self::listeners::OperationalListeners;
use crate::{
    clock::Clock,
    directory::{Directory, Entry, Route},
    store_errors::StoreErrors,
};

/// How long the body of an operational message is kept.
const BODY_RETENTION: std::time::Duration = std::time::Duration::from_secs(30 * 24 * 60 * 60);

/// A notice with the route of its endpoint.
pub(crate) type NoticeContext = dispatch::NoticeContext<Route>;

/// Writes messages to operators.
#[derive(Debug)]
pub(crate) struct OperationalMessages {
    pub listeners: Arc<OperationalListeners>,
    pub store: Arc<dyn Store>,
    pub directory: Arc<Directory>,
    pub clock: Arc<Clock>,
    pub errors: Arc<StoreErrors>,
}

impl OperationalMessages {
    /// The messages for these notices; none if there is no application to receive them. If the
    /// store fails, the messages are lost, but not the settlements that they come with.
    pub(crate) async fn write(&self, notices: &[NoticeContext]) -> Vec<NewMessage> {
        let mut messages = Vec::new();
        for context in notices {
            match self.write_one(context).await {
                Ok(written) => messages.extend(written),
                Err(error) => self.errors.report("operational message", &error),
            }
        }
        messages
    }

    async fn write_one(&self, context: &NoticeContext) -> Result<Vec<NewMessage>, StoreError> {
        let application = context.route.endpoint.application;
        let Some(about) = self.directory.entry(application).await? else { return Ok(Vec::new()) };
        let listeners = self.listeners.of(&about.application.organization).await?;
        if listeners.is_empty() {
            return Ok(Vec::new());
        }
        let named = IdOrUid::Id(context.attempt.delivery.message);
        let message = self.store.message(application, &named).await?;
        let event = event(context, &about, message.and_then(|it| it.event_id));
        Ok(listeners.iter().map(|listener| self.message(listener, &event)).collect())
    }

    fn message(&self, listener: &Entry, event: &OperationalEvent) -> NewMessage {
        let now = self.clock.now();
        let body = serde_json::to_vec(event).expect("the event is plain data");
        let message = Message {
            id: self.clock.message_id(),
            application: listener.application.id,
            event_type: event.name().parse().expect("the names of operational events are valid"),
            event_id: None,
            channels: Vec::new(),
            tags: Vec::new(),
            body: Some(Bytes::from(body)),
            format: Format::Json,
            deliver_at: None,
            body_until: now + BODY_RETENTION,
            trace: None,
        };
        let targets = listener
            .targets(&message)
            .into_iter()
            .map(|it| Target {
                endpoint: it.id,
                hold: Hold::Free(now),
                order: it.delivery_order(None, self.store.is_shared()),
            })
            .collect();
        NewMessage { message: Arc::new(message), targets, idempotency: None }
    }
}

fn event(context: &NoticeContext, about: &Entry, event_id: Option<Uid>) -> OperationalEvent {
    match context.notice {
        Notice::Failing => OperationalEvent::MessageAttemptFailing(data(context, about, event_id)),
        Notice::Exhausted => {
            OperationalEvent::MessageAttemptExhausted(data(context, about, event_id))
        },
        Notice::Recovered => {
            OperationalEvent::MessageAttemptRecovered(data(context, about, event_id))
        },
        Notice::Disabled { failing_since } => {
            OperationalEvent::EndpointDisabled(EndpointDisabledData {
                app_id: about.application.id,
                app_uid: about.application.uid.clone(),
                endpoint_id: context.route.endpoint.id,
                endpoint_uid: context.route.endpoint.uid.clone(),
                fail_since: wire_time(failing_since),
                trigger: DisabledTrigger::Automatic,
            })
        },
    }
}

fn data(context: &NoticeContext, about: &Entry, msg_event_id: Option<Uid>) -> MessageAttemptData {
    MessageAttemptData {
        app_id: about.application.id,
        app_uid: about.application.uid.clone(),
        endpoint_id: context.route.endpoint.id,
        endpoint_uid: context.route.endpoint.uid.clone(),
        msg_id: context.attempt.delivery.message,
        msg_event_id,
        last_attempt: LastAttempt {
            id: context.attempt.id,
            response_status_code: context.attempt.outcome.status().unwrap_or(0).cast_signed(),
            timestamp: wire_time(context.attempt.at),
        },
    }
}

fn wire_time(at: Timestamp) -> WireTime {
    i64::try_from(at.as_millis())
        .ok()
        .and_then(|millis| WireTime::from_millisecond(millis).ok())
        .unwrap_or(WireTime::MAX)
}
