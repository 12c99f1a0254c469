//! Import and export of event types as `OpenAPI` documents.

use std::collections::HashSet;

use postrider::{
    EventTypeName,
    api::{
        EventTypeIn, FeatureFlags, Patch,
        environment::{
            EventTypeFromOpenApi, EventTypeImportOpenApiIn, EventTypeImportOpenApiOut,
            EventTypeImportOpenApiOutData,
        },
    },
};
use postrider_core::{
    catalog::EventType,
    openapi::{self, DescribedEventType, DocumentProblem},
};
use postrider_store::{IdOrUid, Records};
use serde_json::{Map, Value, value::RawValue};

use super::{build, bulk};
use crate::{
    api::{
        body::Json,
        error::ApiError,
        operation::{BodySize, Idempotency, operations},
        reply::Done,
    },
    operations::call::Call,
};
use postrider::api::Permission;

/// The version of imported schemas.
const VERSION: &str = "1";

operations! {
    tag "Event Type";

    /// Import event types from the webhooks of an OpenAPI document
    Import "v1.event-type.import-openapi" = POST "/api/v1/event-type/import/openapi"
        body { Json<EventTypeImportOpenApiIn> }
        -> Done<EventTypeImportOpenApiOut> = import,
        body_size(BodySize::Batch),
        needs(Permission::Operate);

    /// Export event types as the webhooks of an OpenAPI document
    Export "v1.event-type.export-openapi" = POST "/api/v1/event-type/export/openapi"
        -> Done<Map<String, Value>> = export,
        idempotency(Idempotency::Unkeyed),
        needs(Permission::Read);
}

async fn import(
    call: Call,
    Import { body }: Import,
) -> Result<Done<EventTypeImportOpenApiOut>, ApiError> {
    let (document, place) = document(&body)?;
    let described = described(&call, &document, place)?;
    let mut event_types = Vec::with_capacity(described.len());
    for it in described {
        event_types.push(event_type(&call, it, place)?);
    }
    if body.replace_all {
        let absent = absent(&call, &event_types).await?;
        event_types.extend(absent);
    }
    let data = if body.dry_run {
        let to_modify = different(&call, &event_types).await?;
        EventTypeImportOpenApiOutData { modified: Vec::new(), to_modify: Some(to_modify) }
    } else {
        let modified = bulk::save(&call, &event_types, &["body", place]).await?;
        EventTypeImportOpenApiOutData { modified, to_modify: None }
    };
    Ok(Done(EventTypeImportOpenApiOut { data }))
}

/// The document of the body, and the name of its field.
fn document(
    body: &EventTypeImportOpenApiIn,
) -> Result<(Map<String, Value>, &'static str), ApiError> {
    match (&body.spec, &body.spec_raw) {
        (Some(spec), None) => Ok((spec.clone(), "spec")),
        (None, Some(text)) => {
            let parsed = serde_saphyr::from_str(text).map_err(|error| {
                let message = format!("is neither YAML nor JSON of an object: {error}");
                ApiError::invalid(&["body", "specRaw"], message)
            });
            Ok((parsed?, "specRaw"))
        },
        (None, None) | (Some(_), Some(_)) => Err(ApiError::Bad {
            code: "invalid_spec",
            detail: "either `spec` or `specRaw` must be given".to_owned(),
        }),
    }
}

fn described(
    call: &Call,
    document: &Map<String, Value>,
    field: &str,
) -> Result<Vec<DescribedEventType>, ApiError> {
    let max_bytes = call.settings().limits.batch_bytes;
    let refused = |DocumentProblem { place, message }| {
        let place = place.iter().map(String::as_str);
        let place: Vec<_> = ["body", field].into_iter().chain(place).collect();
        ApiError::invalid(&place, message)
    };
    let described = openapi::import(document, max_bytes).map_err(refused)?;
    bulk::check_count(described.len(), &["body", field])?;
    let mut names = HashSet::new();
    match described.iter().find(|it| !names.insert(&it.name)) {
        Some(twice) => {
            let message = format!("describes the event type {} twice", twice.name);
            Err(ApiError::invalid(&["body", field], message))
        },
        None => Ok(described),
    }
}

fn event_type(call: &Call, it: DescribedEventType, field: &str) -> Result<EventType, ApiError> {
    let limit = call.settings().limits.event_type_body;
    let place = ["body", field, "webhooks", &it.name];
    let schemas = it.schema.map(|schema| {
        let schemas = Map::from_iter([(VERSION.to_owned(), schema)]);
        let text = Value::Object(schemas).to_string();
        if text.len() > limit {
            let message = format!(
                "has a schema of more than {limit} bytes with all that it refers to \
                 (limits.event_type_body)"
            );
            return Err(ApiError::invalid(&place, message));
        }
        RawValue::from_string(text).map_err(|error| ApiError::Internal(error.into()))
    });
    let body = EventTypeIn {
        name: it.name.clone(),
        description: it.description,
        archived: false,
        deprecated: it.deprecated,
        schemas: schemas.transpose()?,
        schema_validation: Patch::Keep,
        group_name: it.group_name,
        feature_flags: FeatureFlags(Some(it.feature_flags).filter(|it| !it.is_empty())),
    };
    build(call, body, &place)
}

/// The event types that are neither archived nor in the list, archived.
async fn absent(call: &Call, present: &[EventType]) -> Result<Vec<EventType>, ApiError> {
    let present: HashSet<_> = present.iter().map(|it| &it.name).collect();
    let all = bulk::all(call).await?.into_iter();
    let absent = all.filter(|it| !it.archived && !present.contains(&it.name));
    Ok(absent.map(|it| EventType { archived: true, updated_at: call.now, ..it }).collect())
}

/// The event types that an import would change.
async fn different(
    call: &Call,
    event_types: &[EventType],
) -> Result<Vec<EventTypeFromOpenApi>, ApiError> {
    let mut different = Vec::new();
    for new in event_types {
        let key = IdOrUid::<EventTypeName>::Id(new.name.clone());
        let old = call.store().get::<EventType>(call.organization(), &key).await?;
        if old.is_none_or(|old| bulk::differs(&old, new)) {
            different.push(shown(new));
        }
    }
    Ok(different)
}

fn shown(it: &EventType) -> EventTypeFromOpenApi {
    EventTypeFromOpenApi {
        name: it.name.clone(),
        description: it.description.clone(),
        schemas: it.schemas.as_deref().and_then(|it| serde_json::from_str(it).ok()),
        deprecated: it.deprecated,
        archived: it.archived,
        group_name: it.group_name.clone(),
        feature_flags: Some(it.feature_flags.clone()).filter(|it| !it.is_empty()),
    }
}

async fn export(call: Call, _: Export) -> Result<Done<Map<String, Value>>, ApiError> {
    let event_types = bulk::all(&call).await?;
    Ok(Done(openapi::export(event_types.iter().filter(|it| !it.archived))))
}
