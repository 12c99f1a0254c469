//! Consumers as files declare them.

use postrider::api::{
    ConsumerConfig, ConsumerIn,
    consumer::{DEFAULT_ATTEMPTS, DEFAULT_IN_FLIGHT},
    declaration::DeclaredConsumer,
};
use postrider_core::{catalog::Consumer, declaration::Document, kind, queue::QueueConfig};

use super::{MAX_CONSUMERS, declared::DeclaredConsumer as Configured, fields, render};
use crate::{
    api::error::ApiError,
    operations::{call::Call, environment::secret_document, limit::require_room, secrets},
};

/// The consumer after it was applied. `created` is the number of those that are created with it.
pub(in crate::operations) async fn declared(
    call: &Call,
    old: Option<&Consumer>,
    body: DeclaredConsumer,
    created: usize,
) -> Result<Consumer, ApiError> {
    let DeclaredConsumer { consumer, disabled } = body;
    let consumer = ConsumerIn { disabled: disabled.unwrap_or_default(), ..consumer };
    let new = fields::build(call, consumer.clone())?;
    let Some(old) = old else {
        let most = MAX_CONSUMERS.saturating_sub(created);
        require_room::<Consumer>(call, most, "consumers").await?;
        return Ok(new);
    };
    let uid = new.uid.clone().ok_or_else(|| ApiError::invalid(&["body", "uid"], "is missing"))?;
    let organization = call.organization().clone();
    let configured = Configured { organization, uid, disabled, consumer };
    let merged = super::declared::merged(call, &configured, old, new)?;
    Ok(Consumer { updated_at: call.now, ..merged })
}

/// The consumer as a file contains it.
pub(in crate::operations) fn document(call: &Call, it: &Consumer) -> Result<Document, ApiError> {
    let config = secrets::open_at_rest(call, &it.config)?;
    let masked = kind::mask_fields(QueueConfig::secret_fields(it.kind), &config);
    let of = |config| ConsumerIn {
        uid: it.uid.as_ref().map(ToString::to_string),
        description: it.description.clone(),
        kind: it.kind,
        config: ConsumerConfig(config),
        mapping: it.mapping.clone().map(render::mapping),
        disabled: it.disabled,
        max_attempts: Some(it.max_attempts).filter(|it| *it != DEFAULT_ATTEMPTS),
        max_in_flight: Some(it.max_in_flight).filter(|it| *it != DEFAULT_IN_FLIGHT),
    };
    secret_document(&of(config), &of(masked))
}
