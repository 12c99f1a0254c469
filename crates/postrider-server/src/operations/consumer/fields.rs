//! The fields of a consumer: from a request to the record.

use postrider::{
    ConsumerId,
    api::{
        self, ConsumerConfig, ConsumerIn, ConsumerMapping, ConsumerPatch, QueueKind,
        consumer::{DEFAULT_ATTEMPTS, DEFAULT_IN_FLIGHT, MAX_ATTEMPTS, MAX_IN_FLIGHT},
    },
};
use postrider_core::{
    catalog::Consumer,
    kind::{self, Fields, MAX_CONFIG},
    queue::{
        QueueConfig,
        mapping::{Mapping, MappingTexts},
    },
};

use crate::{
    api::{error::ApiError, problems::Problems},
    operations::{call::Call, secrets},
};

/// A new consumer.
pub(super) fn build(call: &Call, body: ConsumerIn) -> Result<Consumer, ApiError> {
    let ConsumerIn { uid, description, kind, config, mapping, disabled, .. } = body;
    let mut problems = Problems::within(&["body"]);
    if call.resources.consumers.connector(kind).is_none() {
        let message =
            format!("`{kind}` is not part of this build of the server; install one with all kinds");
        problems.add(&["kind"], message);
    }
    problems.plain_text("description", &description);
    let uid = problems.uid::<ConsumerId>("uid", uid.as_deref());
    let address = address(kind, &config.0, &mut problems);
    let mapping = mapping.map(|it| checked_mapping(it, &mut problems));
    let max_attempts = attempts(body.max_attempts, &mut problems);
    let max_in_flight = in_flight(body.max_in_flight, &mut problems);
    problems.finish()?;
    Ok(Consumer {
        managed_by: None,
        id: call.engine().clock().consumer_id(),
        organization: call.organization().clone(),
        uid,
        description,
        kind,
        config: secrets::seal_at_rest(call, &config.0),
        address,
        mapping,
        disabled,
        max_attempts,
        max_in_flight,
        created_at: call.now,
        updated_at: call.now,
    })
}

/// The consumer that replaces `old`. What is masked in its configuration stays as it is.
pub(super) fn replace(
    call: &Call,
    old: &Consumer,
    mut body: ConsumerIn,
) -> Result<Consumer, ApiError> {
    if body.kind == old.kind {
        body.config = ConsumerConfig(unmasked(call, old, body.config.0)?);
    }
    let new = build(call, body)?;
    Ok(Consumer {
        id: old.id,
        managed_by: old.managed_by.clone(),
        created_at: old.created_at,
        ..new
    })
}

/// Changes the given fields.
pub(super) fn apply(
    call: &Call,
    consumer: &mut Consumer,
    patch: ConsumerPatch,
) -> Result<(), ApiError> {
    let mut problems = Problems::within(&["body"]);
    match patch.uid {
        api::Patch::Keep => {},
        api::Patch::Clear => consumer.uid = None,
        api::Patch::Set(uid) => consumer.uid = problems.uid::<ConsumerId>("uid", Some(&uid)),
    }
    if let Some(description) = patch.description {
        problems.plain_text("description", &description);
        consumer.description = description;
    }
    if let Some(config) = patch.config {
        let config = unmasked(call, consumer, config.0)?;
        consumer.address = address(consumer.kind, &config, &mut problems);
        consumer.config = secrets::seal_at_rest(call, &config);
    }
    match patch.mapping {
        api::Patch::Keep => {},
        api::Patch::Clear => consumer.mapping = None,
        api::Patch::Set(mapping) => {
            consumer.mapping = Some(checked_mapping(mapping, &mut problems));
        },
    }
    consumer.disabled = patch.disabled.unwrap_or(consumer.disabled);
    if patch.max_attempts.is_some() {
        consumer.max_attempts = attempts(patch.max_attempts, &mut problems);
    }
    if patch.max_in_flight.is_some() {
        consumer.max_in_flight = in_flight(patch.max_in_flight, &mut problems);
    }
    consumer.updated_at = call.now;
    problems.finish()
}

fn unmasked(call: &Call, old: &Consumer, config: Fields) -> Result<Fields, ApiError> {
    let known = secrets::open_at_rest(call, &old.config)?;
    Ok(kind::unmask_fields(QueueConfig::secret_fields(old.kind), config, &known))
}

/// Checks a configuration, and returns where it leads.
fn address(kind: QueueKind, config: &Fields, problems: &mut Problems<'_>) -> String {
    let size = serde_json::to_string(config).map_or(0, |it| it.len());
    if size > MAX_CONFIG {
        problems.add(&["config"], format!("is longer than {MAX_CONFIG} bytes"));
    }
    match QueueConfig::parse(kind, config) {
        Ok(config) => config.address(),
        Err(found) => {
            problems.add_all("config", found);
            String::new()
        },
    }
}

fn checked_mapping(mapping: ConsumerMapping, problems: &mut Problems<'_>) -> MappingTexts {
    let ConsumerMapping { application, event_type, event_id, channels, payload } = mapping;
    let texts = MappingTexts { application, event_type, event_id, channels, payload };
    problems.add_all("mapping", Mapping::new(&texts).err().unwrap_or_default());
    texts
}

fn attempts(given: Option<u32>, problems: &mut Problems<'_>) -> u32 {
    within("maxAttempts", given.unwrap_or(DEFAULT_ATTEMPTS), MAX_ATTEMPTS, problems)
}

fn in_flight(given: Option<u32>, problems: &mut Problems<'_>) -> u32 {
    within("maxInFlight", given.unwrap_or(DEFAULT_IN_FLIGHT), MAX_IN_FLIGHT, problems)
}

fn within(field: &str, number: u32, most: u32, problems: &mut Problems<'_>) -> u32 {
    if !(1..=most).contains(&number) {
        problems.add(&[field], format!("must be a number from 1 to {most}"));
    }
    number
}
