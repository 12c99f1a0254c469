//! Tells operators what happened to their customers' endpoints and deliveries.
//!
//! The news are ordinary messages of an application of the operator's organization: the one
//! whose uid is the id of the organization that they are about. So they are signed, retried
//! and logged like all others, and no call to ourselves is made.

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
    filter,
    health::Notice,
    message::{Format, Message},
    time::Timestamp,
};
use postrider_store::{Hold, IdOrUid, NewMessage, StoreError, Target};

use crate::{Entry, driver::Told, engine::Shared};

/// How long the body of an operational message is kept.
const KEPT: std::time::Duration = std::time::Duration::from_secs(30 * 24 * 60 * 60);

impl Shared {
    /// The messages that these notices become; none where no operator listens. A store that
    /// does not answer costs the news, not the settlements that they come with.
    pub(crate) async fn operational(&self, notices: &[Told]) -> Vec<NewMessage> {
        let mut messages = Vec::new();
        for told in notices {
            match self.news(told).await {
                Ok(news) => messages.extend(news),
                Err(error) => self.store_failed("operational message", &error),
            }
        }
        messages
    }

    async fn news(&self, told: &Told) -> Result<Option<NewMessage>, StoreError> {
        let Some(operator) = &self.settings.operator else { return Ok(None) };
        let application = told.route.endpoint.application;
        let Some(about) = self.directory.entry(application).await? else { return Ok(None) };
        let Ok(uid) = about.application.organization.as_str().parse() else { return Ok(None) };
        let Some(listener) = self.directory.find(operator, &IdOrUid::Uid(uid)).await? else {
            return Ok(None);
        };
        let named = IdOrUid::Id(told.attempt.delivery.message);
        let message = self.store.message(application, &named).await?;
        let event = event(told, &about, message.and_then(|it| it.event_id));
        Ok(Some(self.message(&listener, &event)))
    }

    fn message(&self, listener: &Entry, event: &OperationalEvent) -> NewMessage {
        let now = self.clock.now();
        let body = serde_json::to_vec(event).expect("the event is plain data");
        let message = Message {
            id: self.clock.message_id(),
            application: listener.application.id,
            event_type: event.name().parse().expect("our own names are good"),
            event_id: None,
            channels: Vec::new(),
            tags: Vec::new(),
            body: Some(Bytes::from(body)),
            format: Format::Json,
            deliver_at: None,
            body_until: now + KEPT,
        };
        let wanting = listener.endpoints.iter().filter(|it| filter::wants(it, &message));
        let targets = wanting
            .map(|it| Target {
                endpoint: it.id,
                hold: Hold::Free(now),
                order: self.delivery_order(it, None),
            })
            .collect();
        NewMessage { message: Arc::new(message), targets, idempotency: None }
    }
}

fn event(told: &Told, about: &Entry, event_id: Option<Uid>) -> OperationalEvent {
    match told.notice {
        Notice::Failing => OperationalEvent::MessageAttemptFailing(data(told, about, event_id)),
        Notice::Exhausted => OperationalEvent::MessageAttemptExhausted(data(told, about, event_id)),
        Notice::Recovered => OperationalEvent::MessageAttemptRecovered(data(told, about, event_id)),
        Notice::Disabled { failing_since } => {
            OperationalEvent::EndpointDisabled(EndpointDisabledData {
                app_id: about.application.id,
                app_uid: about.application.uid.clone(),
                endpoint_id: told.route.endpoint.id,
                endpoint_uid: told.route.endpoint.uid.clone(),
                fail_since: wire_time(failing_since),
                trigger: DisabledTrigger::Automatic,
            })
        },
    }
}

fn data(told: &Told, about: &Entry, msg_event_id: Option<Uid>) -> MessageAttemptData {
    MessageAttemptData {
        app_id: about.application.id,
        app_uid: about.application.uid.clone(),
        endpoint_id: told.route.endpoint.id,
        endpoint_uid: told.route.endpoint.uid.clone(),
        msg_id: told.attempt.delivery.message,
        msg_event_id,
        last_attempt: LastAttempt {
            id: told.attempt.id,
            response_status_code: told.attempt.outcome.status().unwrap_or(0).cast_signed(),
            timestamp: wire_time(told.attempt.at),
        },
    }
}

fn wire_time(at: Timestamp) -> WireTime {
    i64::try_from(at.as_millis())
        .ok()
        .and_then(|millis| WireTime::from_millisecond(millis).ok())
        .unwrap_or(WireTime::MAX)
}
