//! Publishing: from the JSON of a message to the message that the engine has accepted.

use std::{borrow::Cow, sync::Arc, time::Duration};

use bytes::Bytes;
use jiff::Timestamp as WireTime;
use postrider::{
    ApplicationId, EventTypeName, MessageId, Uid,
    api::{
        ApplicationIn, MessageIn, SchemaValidation, TransformationsParams,
        endpoint::{CHANNEL_MARKS, MAX_CHANNEL},
        message::{MAX_CHANNELS, MAX_TAG, MAX_TAGS, RETENTION_DAYS, RETENTION_HOURS, TAG_MARKS},
    },
};
use postrider_core::{
    message::{Format, Message},
    time::Timestamp,
};
use postrider_engine::{Submission, Submitted};
use postrider_store::IdOrUid;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    api::{
        body,
        convert::{from_wire, to_wire},
        error::ApiError,
        problems::{Problems, WordRule},
        shape::Shape,
    },
    idempotency,
    operations::{
        application,
        call::Call,
        custom_headers::{self, Owner},
        event_type::validation::{PublishedPayload, check_payload},
        message::payload,
        render,
    },
};

pub(super) const CHANNELS: WordRule = WordRule {
    field: "channels",
    min_items: 1,
    max_items: MAX_CHANNELS,
    max_length: MAX_CHANNEL,
    marks: CHANNEL_MARKS,
};
pub(super) const TAGS: WordRule = WordRule {
    field: "tags",
    min_items: 0,
    max_items: MAX_TAGS,
    max_length: MAX_TAG,
    marks: TAG_MARKS,
};

/// Why a message with the event id of another one is refused.
pub(super) const EVENT_ID_TAKEN: &str = "another message of the application has this eventId";

/// How far ahead the first attempt can be.
pub(super) const MAX_AHEAD: Duration = Duration::from_secs(366 * 24 * 60 * 60);

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A [`MessageIn`] that borrows from the request. A test checks that the two have the same fields.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct IncomingMessage<'a> {
    #[serde(borrow)]
    event_type: Cow<'a, str>,
    #[serde(borrow)]
    payload: &'a RawValue,
    #[serde(default)]
    event_id: Option<Cow<'a, str>>,
    #[serde(default)]
    channels: Option<Vec<String>>,
    #[serde(default)]
    tags: Option<Vec<String>>,
    #[serde(default)]
    application: Option<ApplicationIn>,
    #[serde(default)]
    transformations_params: Option<TransformationsParams>,
    #[serde(default, deserialize_with = "postrider::api::time::deserialize_optional")]
    deliver_at: Option<WireTime>,
    #[serde(default)]
    payload_retention_period: Option<i64>,
    #[serde(default)]
    payload_retention_hours: Option<i64>,
}

/// The parts of a message after validation.
struct ValidMessage {
    event_type: EventTypeName,
    event_id: Option<Uid>,
    channels: Vec<String>,
    tags: Vec<String>,
    deliver_at: Option<Timestamp>,
    body_until: Timestamp,
}

impl<'a> IncomingMessage<'a> {
    pub(super) fn parse(bytes: &'a [u8], shape: &Shape) -> Result<Self, ApiError> {
        let parsed: Self = serde_json::from_slice(bytes)
            .map_err(|_| body::parse_error::<MessageIn>(bytes, shape))?;
        if parsed.application.is_some() {
            // `deny_unknown_fields` covers the message's own fields, but not the application's.
            body::refuse_unknown(bytes, shape)?;
        }
        Ok(parsed)
    }

    /// Makes the message durable and starts its deliveries. `place` is its location in the request.
    pub(super) async fn accept(
        self,
        call: &Call,
        app_id: &IdOrUid<ApplicationId>,
        idempotency: Option<[u8; 32]>,
        place: &[&str],
    ) -> Result<AcceptedMessage<'a>, ApiError> {
        self.prepare(call, app_id, idempotency, place).await?.submit(call).await
    }

    /// Everything but the submission itself.
    pub(super) async fn prepare(
        mut self,
        call: &Call,
        app_id: &IdOrUid<ApplicationId>,
        idempotency: Option<[u8; 32]>,
        place: &[&str],
    ) -> Result<PreparedMessage<'a>, ApiError> {
        let valid = self.validate(call, place)?;
        let validation = refuse_archived(call, &valid.event_type, place).await?;
        let (body, format) = self.body(call)?;
        if !validation.is_off() && self.sends_payload() {
            let event_id = valid.event_id.as_ref().map(Uid::as_str);
            let published = PublishedPayload {
                event_type: &valid.event_type,
                application: &named(app_id),
                event_id,
                json: self.payload.get(),
            };
            // In a box, because it is large, and every published message comes here.
            Box::pin(check_payload(call, published, validation, place)).await?;
        }
        let inline = self.application.take();
        let entry = application::find_or_create(call, app_id.into(), inline, place).await?;
        call.quotas().count_message(call.reader(), &entry, call.now).await?;
        let ValidMessage { event_type, event_id, channels, tags, deliver_at, body_until } = valid;
        let submission = Submission {
            entry,
            event_type,
            event_id,
            channels,
            tags,
            body,
            format,
            deliver_at,
            body_until,
            trace: call.trace.as_ref().map(|it| Box::new(it.context())),
            idempotency,
            only: None,
            history: None,
        };
        Ok(PreparedMessage { submission: Box::new(submission), payload: self.payload })
    }

    fn validate(&mut self, call: &Call, place: &[&str]) -> Result<ValidMessage, ApiError> {
        let mut problems = Problems::within(place);
        let event_type = problems.parse(&["eventType"], &self.event_type);
        problems.require(payload::is_object(self.payload.get()), "payload", payload::OBJECT);
        let event_id = problems.uid::<MessageId>("eventId", self.event_id.as_deref());
        let channels = self.channels.take().map(|it| problems.words(&CHANNELS, it));
        let tags = self.tags.take().map(|it| problems.words(&TAGS, it));
        let deliver_at =
            self.deliver_at.map(|it| deliver_at(from_wire(it), call.now, &mut problems));
        let retention = self.retention(&mut problems).unwrap_or(call.settings().payload_retention);
        if let Some(headers) =
            self.transformations_params.as_ref().and_then(|it| it.headers.as_ref())
        {
            custom_headers::check(
                headers,
                &["transformationsParams", "headers"],
                Owner::Body,
                &mut problems,
            );
        }
        problems.finish()?;
        Ok(ValidMessage {
            event_type: event_type.expect("a name that does not parse is a problem"),
            event_id,
            channels: channels.unwrap_or_default(),
            tags: tags.unwrap_or_default(),
            deliver_at,
            body_until: deliver_at.unwrap_or(call.now) + retention,
        })
    }

    /// How long the payload is kept, if the message specifies it.
    fn retention(&self, problems: &mut Problems<'_>) -> Option<Duration> {
        let (count, bounds, unit, field) =
            match (self.payload_retention_period, self.payload_retention_hours) {
                (None, None) => return None,
                (Some(days), None) => (days, RETENTION_DAYS, DAY, "payloadRetentionPeriod"),
                (None, Some(hours)) => (hours, RETENTION_HOURS, HOUR, "payloadRetentionHours"),
                (Some(_), Some(_)) => {
                    let message = "cannot be combined with payloadRetentionPeriod";
                    problems.add(&["payloadRetentionHours"], message);
                    return None;
                },
            };
        if !bounds.contains(&count) {
            let message = format!("must be a number from {} to {}", bounds.start(), bounds.end());
            problems.add(&[field], message);
            return None;
        }
        u32::try_from(count).ok().map(|count| unit * count)
    }

    /// Whether the payload is what endpoints receive.
    fn sends_payload(&self) -> bool {
        self.transformations_params.as_ref().is_none_or(|it| it.raw_payload.is_none())
    }

    /// The body of the requests to endpoints, and its format.
    fn body(&self, call: &Call) -> Result<(Bytes, Format), ApiError> {
        let payload = self.payload.get();
        let (text, format) = match &self.transformations_params {
            None => (payload, Format::Json),
            Some(TransformationsParams { raw_payload: None, headers: None }) => {
                (payload, Format::Json)
            },
            Some(TransformationsParams { raw_payload, headers }) => {
                let headers = headers.clone().unwrap_or_default().into_iter().collect();
                (raw_payload.as_deref().unwrap_or(payload), Format::Raw { headers })
            },
        };
        payload::check_length(text, &call.settings().limits)?;
        // A copy, because the message may wait long and must not keep the request's buffer.
        Ok((Bytes::copy_from_slice(text.as_bytes()), format))
    }
}

fn deliver_at(at: Timestamp, now: Timestamp, problems: &mut Problems<'_>) -> Timestamp {
    let fits = now + MINUTE <= at && at <= now + MAX_AHEAD;
    problems.require(fits, "deliverAt", "must be one minute to one year ahead");
    at
}

/// A message that only has to be submitted.
pub(super) struct PreparedMessage<'a> {
    submission: Box<Submission>,
    payload: &'a RawValue,
}

impl<'a> PreparedMessage<'a> {
    pub(super) async fn submit(self, call: &Call) -> Result<AcceptedMessage<'a>, ApiError> {
        submit(call, *self.submission, self.payload).await
    }
}

fn named(app_id: &IdOrUid<ApplicationId>) -> String {
    match app_id {
        IdOrUid::Id(id) => id.to_string(),
        IdOrUid::Uid(uid) => uid.to_string(),
    }
}

/// Refuses a message of an archived event type. Returns what happens to payloads of others that
/// do not match their schema.
async fn refuse_archived(
    call: &Call,
    event_type: &EventTypeName,
    place: &[&str],
) -> Result<SchemaValidation, ApiError> {
    let index = call.resources.event_types.of(call.engine(), call.organization()).await?;
    if index.is_archived(event_type) {
        let place = [place, &["eventType"]].concat();
        return Err(ApiError::invalid(&place, "the event type is archived"));
    }
    Ok(index.validation(event_type))
}

async fn submit<'a>(
    call: &Call,
    submission: Submission,
    payload: &'a RawValue,
) -> Result<AcceptedMessage<'a>, ApiError> {
    // The submission is needed again only to compare it with the first one of its key.
    let again = submission.idempotency.map(|_| Box::new(submission.clone()));
    match call.engine().submit(submission).await? {
        Submitted::Accepted(message) => {
            if let Some(trace) = &call.trace {
                trace.note_message(message.id);
            }
            Ok(AcceptedMessage::New { message, payload })
        },
        Submitted::EventIdTaken(_) => Err(ApiError::conflict(EVENT_ID_TAKEN)),
        Submitted::Repeated(id) => {
            let again = again.expect("only a submission with a key is repeated");
            Box::pin(repeated(call, &again, id)).await.map(AcceptedMessage::Repeated)
        },
    }
}

/// The message that was accepted under the same key, if the request is the same.
async fn repeated(
    call: &Call,
    again: &Submission,
    id: MessageId,
) -> Result<Arc<Message>, ApiError> {
    let application = again.entry.application.id;
    let message = call.store().message(application, &IdOrUid::Id(id)).await?;
    let message = message.ok_or_else(idempotency::mismatch)?;
    let same = message.event_type == again.event_type
        && message.event_id == again.event_id
        && message.channels == again.channels
        && message.tags == again.tags
        && message.format == again.format
        && message.deliver_at == again.deliver_at
        && message.body.as_ref().is_none_or(|body| *body == again.body);
    if same { Ok(Arc::new(message)) } else { Err(idempotency::mismatch()) }
}

/// A message that was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Published {
    New(MessageId),
    /// It was published before, as this message, or one with the same event id was.
    Before(Option<MessageId>),
}

/// A message that the engine has accepted.
#[derive(Debug)]
pub(super) enum AcceptedMessage<'a> {
    New {
        message: Arc<Message>,
        payload: &'a RawValue,
    },
    /// An earlier request with the same idempotency key published it.
    Repeated(Arc<Message>),
}

/// A [`postrider::api::MessageOut`] that borrows from the request.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SerializedMessage<'a> {
    id: MessageId,
    event_type: &'a EventTypeName,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<&'a Uid>,
    payload: &'a RawValue,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    channels: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    tags: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    deliver_at: Option<WireTime>,
    timestamp: WireTime,
}

impl AcceptedMessage<'_> {
    pub(super) fn published(&self) -> Published {
        match self {
            Self::New { message, .. } => Published::New(message.id),
            Self::Repeated(message) => Published::Before(Some(message.id)),
        }
    }

    /// The JSON of the response.
    pub(super) fn write(&self, with_content: bool) -> Result<Vec<u8>, ApiError> {
        let written = match self {
            Self::New { message, payload } if message.format == Format::Json => {
                write(message, if with_content { payload } else { withheld() })
            },
            Self::New { message, .. } | Self::Repeated(message) => {
                serde_json::to_vec(&render::message(message, with_content))
            },
        };
        written.map_err(|error| ApiError::Internal(error.into()))
    }
}

fn withheld() -> &'static RawValue {
    serde_json::from_str("{}").expect("an empty object is JSON")
}

/// Bytes that the JSON of most messages has in addition to the payload.
const ENVELOPE: usize = 192;

fn write(message: &Message, payload: &RawValue) -> serde_json::Result<Vec<u8>> {
    let mut json = Vec::with_capacity(ENVELOPE + payload.get().len());
    let serialized = SerializedMessage {
        id: message.id,
        event_type: &message.event_type,
        event_id: message.event_id.as_ref(),
        payload,
        channels: &message.channels,
        tags: &message.tags,
        deliver_at: message.deliver_at.map(to_wire),
        timestamp: to_wire(message.created_at()),
    };
    serde_json::to_writer(&mut json, &serialized)?;
    Ok(json)
}
