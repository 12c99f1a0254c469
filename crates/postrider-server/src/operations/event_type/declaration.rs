//! Event types as files declare them.

use postrider::api::{EventTypeIn, FeatureFlags, Patch};
use postrider_core::{catalog::EventType, declaration::Document};
use serde_json::value::RawValue;

use super::{build, validation};
use crate::{
    api::error::ApiError,
    operations::{call::Call, environment::open_document},
};

/// The event type after it was applied.
pub(in crate::operations) async fn declared(
    call: &Call,
    old: Option<&EventType>,
    body: EventTypeIn,
    place: &[&str],
) -> Result<EventType, ApiError> {
    let mut new = build(call, body, place)?;
    if let Some(old) = old {
        new.created_at = old.created_at;
    }
    validation::check_schema(call, &new, place).await?;
    Ok(new)
}

/// The event type as a file contains it.
pub(in crate::operations) fn document(it: &EventType) -> Result<Document, ApiError> {
    let flags = Some(it.feature_flags.clone()).filter(|it| !it.is_empty());
    open_document(&EventTypeIn {
        name: it.name.to_string(),
        description: it.description.clone(),
        archived: it.archived,
        deprecated: it.deprecated,
        schemas: it.schemas.clone().and_then(|text| RawValue::from_string(text).ok()),
        schema_validation: it.schema_validation.map_or(Patch::Keep, Patch::Set),
        group_name: it.group_name.clone(),
        feature_flags: FeatureFlags(flags),
    })
}
