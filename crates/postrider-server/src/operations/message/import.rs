//! Messages of another system, which are added to the history without deliveries.
//!
//! A repeated import changes nothing: a message is known by its id if this is an id of ours, and by
//! its event id otherwise.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future;
use postrider::{
    ApplicationId, EventTypeName, MessageId, Uid,
    api::{
        Permission, ValidationItem,
        message::{self, MAX_BATCH},
        message_import::{ImportedMessageIn, MessageImportIn, MessageImportOut, RefusedMessageOut},
    },
};
use postrider_core::{message::Format, time::Timestamp};
use postrider_engine::{Entry, Submission, SubmitError, Submitted};
use postrider_store::IdOrUid;

use super::{
    incoming::{CHANNELS, TAGS},
    payload,
};
use crate::{
    api::{
        body::Json,
        convert::from_wire,
        error::ApiError,
        operation::{BodySize, operations},
        problems::{Problems, WordRule},
        reply::Done,
    },
    operations::{audited::of_application, call::Call},
};

operations! {
    tag "Message";

    /// Add messages of another system to the history without delivering them
    Import "v1.message.import" = POST "/api/v1/app/{app_id}/msg/import"
        path { app_id: IdOrUid<ApplicationId> }
        body { Json<MessageImportIn> }
        -> Done<MessageImportOut> = import,
        body_size(BodySize::Batch),
        needs(Permission::Administer);
}

/// How far the other system's clock may be ahead of ours.
const CLOCK_SKEW: Duration = Duration::from_secs(10 * 60);

/// How often another id is drawn for a message whose id is taken.
const MAX_DRAWS: usize = 16;

/// What happened to one message.
enum Outcome {
    Created,
    Existing,
    Refused(RefusedMessageOut),
}

/// A message after validation.
struct ValidImport {
    /// Its id here, if that is also its id in the other system.
    id: Option<MessageId>,
    created_at: Timestamp,
    event_type: EventTypeName,
    event_id: Option<Uid>,
    channels: Vec<String>,
    tags: Vec<String>,
    body: Bytes,
    body_until: Timestamp,
}

async fn import(call: Call, input: Import) -> Result<Done<MessageImportOut>, ApiError> {
    let Import { app_id, body } = input;
    let count = body.messages.len();
    let most = call.settings().limits.batch_messages.min(MAX_BATCH);
    if !(1..=most).contains(&count) {
        let message = format!("must have 1 to {most} messages");
        return Err(ApiError::invalid(&["body", "messages"], message));
    }
    let entry = call.application(&app_id).await?;
    let imports = body.messages.into_iter().map(|message| import_one(&call, &entry, message));
    let outcomes = future::try_join_all(imports).await?;
    let report = report(outcomes);
    if report.created > 0 {
        let id = entry.application.id;
        let record = of_application("application", id, id);
        call.store().record(record, [("importedMessages", report.created.into())]).await?;
    }
    Ok(Done(report))
}

fn report(outcomes: Vec<Outcome>) -> MessageImportOut {
    let mut report = MessageImportOut::default();
    for outcome in outcomes {
        match outcome {
            Outcome::Created => report.created += 1,
            Outcome::Existing => report.existing += 1,
            Outcome::Refused(refused) => report.refused.push(refused),
        }
    }
    report
}

async fn import_one(
    call: &Call,
    entry: &Arc<Entry>,
    message: ImportedMessageIn,
) -> Result<Outcome, ApiError> {
    let name = message.id.clone();
    let valid = match validate(call, message) {
        Ok(valid) => valid,
        Err(error) => return refused(name, "invalid", error),
    };
    if valid.body_until <= call.now {
        let detail = "the message is older than the retention of payloads".to_owned();
        let code = "expired".to_owned();
        return Ok(Outcome::Refused(RefusedMessageOut { id: name, code, detail }));
    }
    store(call, entry, valid).await
}

fn refused(id: String, code: &str, error: ApiError) -> Result<Outcome, ApiError> {
    let detail = if let ApiError::Invalid(items) = &error {
        let sentence = |it: &ValidationItem| format!("{}: {}", it.loc.join("."), it.msg);
        items.iter().map(sentence).collect::<Vec<_>>().join("; ")
    } else if matches!(error, ApiError::TooLarge { .. }) {
        error.to_string()
    } else {
        return Err(error);
    };
    Ok(Outcome::Refused(RefusedMessageOut { id, code: code.to_owned(), detail }))
}

fn validate(call: &Call, message: ImportedMessageIn) -> Result<ValidImport, ApiError> {
    let ImportedMessageIn { id, event_type, payload, timestamp, event_id, channels, tags } =
        message;
    let mut problems = Problems::within(&[]);
    let event_type = problems.parse(&["eventType"], &event_type);
    problems.require(payload::is_object(payload.get()), "payload", payload::OBJECT);
    let own_id: Option<MessageId> = id.parse().ok();
    // An id of another system is the name by which the message is known there.
    let event_id = event_id.or_else(|| own_id.is_none().then_some(id));
    let event_id = problems.uid::<MessageId>("eventId", event_id.as_deref());
    let created_at =
        own_id.map_or_else(|| from_wire(timestamp), |id| Timestamp::from_millis(id.millis()));
    let is_past = created_at <= call.now + CLOCK_SKEW;
    problems.require(is_past, "timestamp", "must not be in the future");
    let channels = words(&mut problems, &CHANNELS, channels);
    let tags = words(&mut problems, &TAGS, tags);
    problems.finish()?;
    payload::check_length(payload.get(), &call.settings().limits)?;
    let is_deleted = payload.get() == message::expired().get();
    let retention =
        if is_deleted { Duration::from_millis(1) } else { call.settings().payload_retention };
    let kept_since = if is_deleted { call.now } else { created_at };
    Ok(ValidImport {
        id: own_id,
        created_at,
        event_type: event_type.expect("a name that does not parse is a problem"),
        event_id,
        channels,
        tags,
        body: Bytes::copy_from_slice(payload.get().as_bytes()),
        body_until: kept_since + retention,
    })
}

/// Some systems return an empty list for a message without words.
fn words(problems: &mut Problems<'_>, rule: &WordRule, given: Option<Vec<String>>) -> Vec<String> {
    let given = given.filter(|it| !it.is_empty());
    given.map(|it| problems.words(rule, it)).unwrap_or_default()
}

async fn store(
    call: &Call,
    entry: &Arc<Entry>,
    mut valid: ValidImport,
) -> Result<Outcome, ApiError> {
    if let Some(id) = valid.id
        && is_stored(call, entry, id).await?
    {
        return Ok(Outcome::Existing);
    }
    let mut id = valid.id.unwrap_or_else(|| draw_id(call, valid.created_at));
    for _ in 0..MAX_DRAWS {
        match call.engine().submit(submission(entry, &valid, id)).await {
            Ok(Submitted::EventIdTaken(_) | Submitted::Repeated(_)) => {
                return Ok(Outcome::Existing);
            },
            // A repeated message is accepted without being added, also one of another application.
            Ok(Submitted::Accepted(_)) if is_stored(call, entry, id).await? => {
                return Ok(Outcome::Created);
            },
            Ok(Submitted::Accepted(_)) | Err(SubmitError::IdTaken) => {
                id = draw_id(call, valid.created_at);
                valid.name_by_event_id();
            },
            Err(error) => return Err(error.into()),
        }
    }
    let detail = "too many messages of the same millisecond".to_owned();
    Err(ApiError::Bad { code: "too_many", detail })
}

impl ValidImport {
    /// The message cannot keep its id, so a repeated import has to know it by its event id.
    fn name_by_event_id(&mut self) {
        let name = || self.id.and_then(|id| format!("imported-{id}").parse().ok());
        self.event_id = self.event_id.take().or_else(name);
    }
}

async fn is_stored(call: &Call, entry: &Entry, id: MessageId) -> Result<bool, ApiError> {
    let found = call.store().message(entry.application.id, &IdOrUid::Id(id)).await?;
    Ok(found.is_some())
}

/// An id with this time, whose other bits are random.
fn draw_id(call: &Call, created_at: Timestamp) -> MessageId {
    let mut random = [0; 16];
    call.engine().clock().random(&mut random);
    let [high, low] = [&random[..8], &random[8..]]
        .map(|it| u64::from_le_bytes(it.try_into().expect("it has 8 bytes")));
    MessageId::from_parts(created_at.as_millis() << 12 | (high & 0xfff), low)
}

fn submission(entry: &Arc<Entry>, valid: &ValidImport, id: MessageId) -> Submission {
    Submission {
        entry: Arc::clone(entry),
        event_type: valid.event_type.clone(),
        event_id: valid.event_id.clone(),
        channels: valid.channels.clone(),
        tags: valid.tags.clone(),
        body: valid.body.clone(),
        format: Format::Json,
        deliver_at: None,
        body_until: valid.body_until,
        idempotency: None,
        only: None,
        history: Some(id),
        trace: None,
    }
}
