//! Consumers and dead letters as responses show them.

use base64::{Engine, prelude::BASE64_STANDARD};
use postrider::api::{
    ConsumerConfig, ConsumerMapping, ConsumerOut, ConsumerStateOut, DeadLetterContentOut,
    DeadLetterOut, ingest::PayloadEncoding,
};
use postrider_core::{
    catalog::{Consumer, DeadBody, DeadLetter},
    kind,
    queue::{QueueConfig, mapping::MappingTexts},
};

use crate::{
    api::{convert::to_wire, error::ApiError},
    consumer::Snapshot,
    operations::{call::Call, secrets},
};

/// Most bytes of a dead letter's body that a response shows.
const MAX_SHOWN: usize = 64 << 10;

pub(super) fn consumer(call: &Call, it: Consumer) -> Result<ConsumerOut, ApiError> {
    let config = secrets::open_at_rest(call, &it.config)?;
    Ok(ConsumerOut {
        managed_by: it.managed_by,
        id: it.id,
        uid: it.uid,
        description: it.description,
        kind: it.kind,
        config: ConsumerConfig(kind::mask_fields(QueueConfig::secret_fields(it.kind), &config)),
        address: it.address,
        mapping: it.mapping.map(mapping),
        disabled: it.disabled,
        max_attempts: it.max_attempts,
        max_in_flight: it.max_in_flight,
        created_at: to_wire(it.created_at),
        updated_at: to_wire(it.updated_at),
    })
}

pub(super) fn mapping(texts: MappingTexts) -> ConsumerMapping {
    let MappingTexts { application, event_type, event_id, channels, payload } = texts;
    ConsumerMapping { application, event_type, event_id, channels, payload }
}

pub(super) fn state(it: Snapshot) -> ConsumerStateOut {
    ConsumerStateOut {
        status: it.status,
        since: to_wire(it.since),
        reason: it.reason,
        last_message_at: it.last_message_at.map(to_wire),
        accepted: it.accepted,
        duplicates: it.duplicates,
        dead_letters: it.dead_letters,
        in_flight: it.in_flight,
    }
}

pub(super) fn dead_letter(it: DeadLetter) -> DeadLetterOut {
    DeadLetterOut {
        created_at: to_wire(it.created_at()),
        id: it.id,
        message_id: it.message,
        cause: it.cause,
        reason: it.reason,
        attempts: it.attempts,
        subject: it.subject,
        size: it.body.as_bytes().len() as u64,
        truncated: it.is_truncated,
    }
}

pub(super) fn content(it: DeadLetter) -> DeadLetterContentOut {
    let (body, body_encoding) = match &it.body {
        DeadBody::Text(text) => {
            let end = (0..=MAX_SHOWN.min(text.len())).rev().find(|it| text.is_char_boundary(*it));
            let shown = text.get(..end.unwrap_or_default()).unwrap_or_default();
            (shown.to_owned(), PayloadEncoding::Text)
        },
        DeadBody::Binary(bytes) => {
            let shown = bytes.get(..MAX_SHOWN).unwrap_or(bytes);
            (BASE64_STANDARD.encode(shown), PayloadEncoding::Base64)
        },
    };
    let headers = it.headers.clone();
    DeadLetterContentOut { letter: dead_letter(it), headers, body, body_encoding }
}
