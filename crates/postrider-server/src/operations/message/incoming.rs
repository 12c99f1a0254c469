//! A message on its way in.

use std::{borrow::Cow, sync::Arc, time::Duration};

use bytes::Bytes;
use jiff::Timestamp as WireTime;
use postrider::{
    EventTypeName, MessageId, Uid,
    api::{
        ApplicationIn, MessageIn, TransformationsParams,
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
        problems::{Problems, Words},
        shape::Shape,
    },
    idempotency,
    operations::{
        application,
        call::Call,
        custom_headers::{self, Owner},
        message::payload,
        render,
    },
};

const CHANNELS: Words = Words {
    field: "channels",
    least: 1,
    most: MAX_CHANNELS,
    length: MAX_CHANNEL,
    marks: CHANNEL_MARKS,
};
const TAGS: Words =
    Words { field: "tags", least: 0, most: MAX_TAGS, length: MAX_TAG, marks: TAG_MARKS };

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A [`MessageIn`] that borrows from the request. A test holds the two together.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Incoming<'a> {
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

/// What of a message is ours after all was checked.
struct Checked {
    event_type: EventTypeName,
    event_id: Option<Uid>,
    channels: Vec<String>,
    tags: Vec<String>,
    deliver_at: Option<Timestamp>,
    body_until: Timestamp,
}

impl<'a> Incoming<'a> {
    pub(super) fn parse(bytes: &'a [u8], shape: &Shape) -> Result<Self, ApiError> {
        let parsed: Self =
            serde_json::from_slice(bytes).map_err(|_| body::refusal::<MessageIn>(bytes, shape))?;
        if parsed.application.is_some() {
            // Only the type of the message itself refuses fields that it does not know.
            body::refuse_unknown(bytes, shape)?;
        }
        Ok(parsed)
    }

    /// Makes the message durable and sets it going. `place` is where it lies in the request.
    pub(super) async fn accept(
        self,
        call: &Call,
        idempotency: Option<[u8; 32]>,
        place: &[&str],
    ) -> Result<Accepted<'a>, ApiError> {
        self.prepare(call, idempotency, place).await?.submit(call).await
    }

    /// Everything but the submission itself.
    pub(super) async fn prepare(
        mut self,
        call: &Call,
        idempotency: Option<[u8; 32]>,
        place: &[&str],
    ) -> Result<Ready<'a>, ApiError> {
        let checked = self.check(call, place)?;
        refuse_archived(call, &checked.event_type, place).await?;
        let (body, format) = self.body(call)?;
        let inline = self.application.take();
        let entry = application::find_or_create(call, inline, place).await?;
        call.context.accounts.message(call.store(), &entry, call.now).await?;
        let Checked { event_type, event_id, channels, tags, deliver_at, body_until } = checked;
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
            idempotency,
            only: None,
        };
        Ok(Ready { submission: Box::new(submission), payload: self.payload })
    }

    fn check(&mut self, call: &Call, place: &[&str]) -> Result<Checked, ApiError> {
        let mut problems = Problems::within(place);
        let event_type = problems.parse(&["eventType"], &self.event_type);
        problems.demand(payload::is_object(self.payload.get()), "payload", payload::OBJECT);
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
        Ok(Checked {
            event_type: event_type.expect("what does not parse is a problem"),
            event_id,
            channels: channels.unwrap_or_default(),
            tags: tags.unwrap_or_default(),
            deliver_at,
            body_until: deliver_at.unwrap_or(call.now) + retention,
        })
    }

    /// How long the payload is to be kept, if the message says so.
    fn retention(&self, problems: &mut Problems<'_>) -> Option<Duration> {
        let (count, bounds, unit, field) =
            match (self.payload_retention_period, self.payload_retention_hours) {
                (None, None) => return None,
                (Some(days), None) => (days, RETENTION_DAYS, DAY, "payloadRetentionPeriod"),
                (None, Some(hours)) => (hours, RETENTION_HOURS, HOUR, "payloadRetentionHours"),
                (Some(_), Some(_)) => {
                    let message = "cannot stand beside payloadRetentionPeriod";
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

    /// What is to be sent, and as what.
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
        // A copy: the message may wait for long, and should not keep the request's buffer.
        Ok((Bytes::copy_from_slice(text.as_bytes()), format))
    }
}

fn deliver_at(at: Timestamp, now: Timestamp, problems: &mut Problems<'_>) -> Timestamp {
    let fits = now + MINUTE <= at && at <= now + DAY;
    problems.demand(fits, "deliverAt", "must lie one minute to 24 hours ahead");
    at
}

/// An archived event type takes no messages.
/// A message that only has to be submitted.
pub(super) struct Ready<'a> {
    submission: Box<Submission>,
    payload: &'a RawValue,
}

impl<'a> Ready<'a> {
    pub(super) async fn submit(self, call: &Call) -> Result<Accepted<'a>, ApiError> {
        submit(call, *self.submission, self.payload).await
    }
}

async fn refuse_archived(
    call: &Call,
    event_type: &EventTypeName,
    place: &[&str],
) -> Result<(), ApiError> {
    let archived = &call.context.archived;
    if archived.holds(call.store(), call.organization(), event_type).await? {
        let place = [place, &["eventType"]].concat();
        return Err(ApiError::invalid(&place, "the event type is archived"));
    }
    Ok(())
}

async fn submit<'a>(
    call: &Call,
    submission: Submission,
    payload: &'a RawValue,
) -> Result<Accepted<'a>, ApiError> {
    // Only a repeated key needs the request again.
    let again = submission.idempotency.map(|_| Box::new(submission.clone()));
    match call.engine().submit(submission).await? {
        Submitted::Accepted(message) => Ok(Accepted::New { message, payload }),
        Submitted::EventIdTaken(_) => {
            Err(ApiError::conflict("another message of the application has this eventId"))
        },
        Submitted::Repeated(id) => {
            let again = again.expect("only a submission with a key is repeated");
            Box::pin(repeated(call, &again, id)).await.map(Accepted::Known)
        },
    }
}

/// The message that an earlier request with the same key became, if that was the same.
async fn repeated(
    call: &Call,
    again: &Submission,
    id: MessageId,
) -> Result<Arc<Message>, ApiError> {
    let application = again.entry.application.id;
    let message = call.store().message(application, &IdOrUid::Id(id)).await?;
    let message = message.ok_or_else(idempotency::different)?;
    let same = message.event_type == again.event_type
        && message.event_id == again.event_id
        && message.channels == again.channels
        && message.tags == again.tags
        && message.format == again.format
        && message.deliver_at == again.deliver_at
        && message.body.as_ref().is_none_or(|body| *body == again.body);
    if same { Ok(Arc::new(message)) } else { Err(idempotency::different()) }
}

/// A message that was taken, just now or before.
#[derive(Debug)]
pub(super) enum Accepted<'a> {
    New { message: Arc<Message>, payload: &'a RawValue },
    Known(Arc<Message>),
}

/// A [`postrider::api::MessageOut`] that borrows from the request.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outgoing<'a> {
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

impl Accepted<'_> {
    /// The message as its sender sees it, as JSON.
    pub(super) fn write(&self, with_content: bool) -> Result<Vec<u8>, ApiError> {
        let written = match self {
            Self::New { message, payload } if message.format == Format::Json => {
                write(message, if with_content { payload } else { withheld() })
            },
            Self::New { message, .. } | Self::Known(message) => {
                serde_json::to_vec(&render::message(message, with_content))
            },
        };
        written.map_err(|error| ApiError::Internal(error.into()))
    }
}

fn withheld() -> &'static RawValue {
    serde_json::from_str("{}").expect("an empty object is JSON")
}

/// Bytes that a message takes beside its payload, in most cases.
const ENVELOPE: usize = 192;

fn write(message: &Message, payload: &RawValue) -> serde_json::Result<Vec<u8>> {
    let mut json = Vec::with_capacity(ENVELOPE + payload.get().len());
    let outgoing = Outgoing {
        id: message.id,
        event_type: &message.event_type,
        event_id: message.event_id.as_ref(),
        payload,
        channels: &message.channels,
        tags: &message.tags,
        deliver_at: message.deliver_at.map(to_wire),
        timestamp: to_wire(message.created_at()),
    };
    serde_json::to_writer(&mut json, &outgoing)?;
    Ok(json)
}
