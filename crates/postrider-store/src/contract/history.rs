//! What happened: messages, attempts and the state of deliveries, as readers ask for them.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use postrider::{ApplicationId, AttemptId, EndpointId, EventTypeName, MessageId};
pub(crate) use postrider_core::delivery::StatusKind;
use postrider_core::{
    delivery::{Attempt, DeliveryId, Status},
    message::Message,
    outcome::Outcome,
    time::Timestamp,
};

use crate::{
    contract::catalog::IdOrUid,
    error::StoreError,
    page::{Scan, ScanPage},
    weight::Weight,
};

/// Conditions on messages; all of them must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageFilter {
    /// The message's id was created before this time.
    pub before: Option<Timestamp>,
    /// The message's id was created at this time or later.
    pub after: Option<Timestamp>,
    pub channel: Option<String>,
    pub tag: Option<String>,
    /// The first attempts are to be made after this time.
    pub scheduled_after: Option<Timestamp>,
    /// One of these; any if empty.
    pub event_types: Vec<EventTypeName>,
    /// Fetch the bodies too.
    pub with_body: bool,
}

/// Selects attempts by what they belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptsOf {
    Endpoint(ApplicationId, EndpointId),
    /// Attempts for one message, only those to the endpoint if there is one.
    Message(ApplicationId, MessageId, Option<EndpointId>),
}

impl AttemptsOf {
    pub(crate) const fn application(self) -> ApplicationId {
        match self {
            Self::Endpoint(application, _) | Self::Message(application, _, _) => application,
        }
    }
}

/// Conditions on attempts; all of them must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttemptFilter {
    pub delivered: Option<bool>,
    /// 100 to 500: the class of the response's status. 0: there was no response.
    pub status_class: Option<u16>,
    /// Conditions on the message; `before` and `after` apply to the attempt.
    pub message: MessageFilter,
}

/// Selects deliveries by what they belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveriesOf {
    Endpoint(ApplicationId, EndpointId),
    Message(ApplicationId, MessageId),
}

/// Conditions on deliveries; all of them must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    pub status: Option<StatusFilter>,
    pub message: MessageFilter,
}

/// The statuses that a filter admits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusFilter {
    Is(StatusKind),
    /// Pending or sending: stores keep these together.
    Unfinished,
}

impl From<StatusKind> for StatusFilter {
    fn from(kind: StatusKind) -> Self {
        Self::Is(kind)
    }
}

impl StatusFilter {
    /// Whether the filter admits this status.
    pub fn admits(self, kind: StatusKind) -> bool {
        match self {
            Self::Is(only) => only == kind,
            Self::Unfinished => matches!(kind, StatusKind::Pending | StatusKind::Sending),
        }
    }
}

/// A delivery and its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRow {
    pub id: DeliveryId,
    /// Without its body unless the filter asked for it.
    pub message: Arc<Message>,
    pub status: Status,
    /// The number of attempts made so far.
    pub attempts: u16,
}

/// The number of deliveries of an endpoint in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    pub delivered: u64,
    pub pending: u64,
    pub sending: u64,
    pub failed: u64,
    pub cancelled: u64,
}

/// Reads what was accepted and attempted, and removes payloads and responses on request.
#[async_trait]
pub trait History: Send + Sync + fmt::Debug + 'static {
    /// Returns a message by its id or its event id.
    async fn message(
        &self,
        application: ApplicationId,
        key: &IdOrUid<MessageId>,
    ) -> Result<Option<Message>, StoreError>;

    async fn messages(
        &self,
        application: ApplicationId,
        filter: MessageFilter,
        scan: Scan<MessageId>,
    ) -> Result<ScanPage<Message, MessageId>, StoreError>;

    async fn attempt(
        &self,
        application: ApplicationId,
        message: MessageId,
        id: AttemptId,
    ) -> Result<Option<Attempt>, StoreError>;

    /// Lists attempts with their messages, which have no body unless the filter asks for it.
    async fn attempts(
        &self,
        of: AttemptsOf,
        filter: AttemptFilter,
        scan: Scan<AttemptId>,
    ) -> Result<ScanPage<(Attempt, Arc<Message>), AttemptId>, StoreError>;

    /// Lists deliveries and their states.
    async fn deliveries(
        &self,
        of: DeliveriesOf,
        filter: DeliveryFilter,
        scan: Scan<DeliveryId>,
    ) -> Result<ScanPage<DeliveryRow, DeliveryId>, StoreError>;

    /// Counts the endpoint's deliveries of messages that were accepted in `since..until`.
    async fn stats(
        &self,
        application: ApplicationId,
        endpoint: EndpointId,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Stats, StoreError>;

    /// Counts the application's deliveries that have not ended, up to `at_most`. `endpoints`
    /// are the endpoints of the application.
    async fn backlog(
        &self,
        application: ApplicationId,
        endpoints: &[EndpointId],
        at_most: u64,
    ) -> Result<u64, StoreError>;

    /// Returns the highest [`MessageId::sequence`] or [`AttemptId::sequence`] that is stored.
    /// New ids are created after it, so that they sort last even if the clock was set back.
    async fn last_sequence(&self) -> Result<u64, StoreError>;

    /// Removes the body of a message, which cancels its pending deliveries. Returns `false` if
    /// the message is unknown.
    async fn expunge_message(
        &self,
        application: ApplicationId,
        id: MessageId,
    ) -> Result<bool, StoreError>;

    /// Removes the stored response of an attempt. Returns `false` if the attempt is unknown.
    async fn expunge_attempt(
        &self,
        application: ApplicationId,
        message: MessageId,
        id: AttemptId,
    ) -> Result<bool, StoreError>;
}

impl Weight for DeliveryRow {
    fn weight(&self) -> usize {
        self.message.weight()
    }
}

impl DeliveryFilter {
    /// Whether a delivery with this status matches.
    pub(crate) fn admits(&self, status: Status) -> bool {
        self.status.is_none_or(|it| it.admits(StatusKind::from(status)))
    }
}

impl MessageFilter {
    /// Whether an id that was created at this time matches `before` and `after`.
    pub(crate) fn spans(&self, millis: u64) -> bool {
        let at = Timestamp::from_millis(millis);
        self.before.is_none_or(|before| at < before) && self.after.is_none_or(|after| at >= after)
    }

    /// Whether there are conditions on event types, channels or tags.
    pub(crate) const fn names_labels(&self) -> bool {
        !self.event_types.is_empty() || self.channel.is_some() || self.tag.is_some()
    }

    /// Whether the message matches the conditions other than those on its id.
    pub(crate) fn concerns(&self, message: &Message) -> bool {
        if let Some(after) = self.scheduled_after
            && message.deliver_at.is_none_or(|at| at <= after)
        {
            return false;
        }
        self.channel.as_ref().is_none_or(|it| message.channels.contains(it))
            && self.tag.as_ref().is_none_or(|it| message.tags.contains(it))
            && (self.event_types.is_empty() || self.event_types.contains(&message.event_type))
    }

    /// The message as a reader gets it: without its body unless the filter asks for it.
    pub(crate) fn show(&self, message: &Arc<Message>) -> Arc<Message> {
        if self.with_body || message.body.is_none() {
            return Arc::clone(message);
        }
        Arc::new(Message { body: None, ..Message::clone(message) })
    }
}

impl AttemptFilter {
    /// Whether the attempt matches the conditions on the attempt itself.
    pub(crate) fn passes(&self, attempt: &Attempt) -> bool {
        let status = match attempt.outcome {
            Outcome::Answered { status, .. } => status,
            Outcome::Unanswered(_) => 0,
        };
        self.admits(status) && self.message.spans(attempt.id.millis())
    }

    /// Whether an attempt with this status matches; 0 means that there was no response.
    pub(crate) fn admits(&self, status: u16) -> bool {
        self.delivered.is_none_or(|it| it == matches!(status, 200..=299))
            && self.status_class.is_none_or(|it| it == status / 100 * 100)
    }
}
