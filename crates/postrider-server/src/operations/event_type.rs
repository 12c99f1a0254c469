//! Event types.

pub(super) mod builtin;
pub(super) mod bulk;
pub(super) mod declaration;
pub(crate) mod index;
pub(super) mod openapi;
pub(super) mod validation;

use postrider::{
    EventTypeName,
    api::{
        self, Capability, EventTypeIn, EventTypeOut, EventTypePatch, EventTypeUpdate, ListResponse,
        Ordering, Permission,
    },
    name::MAX_NAME,
};
use postrider_core::{catalog::EventType, json_schema};
use postrider_store::{Expected, IdOrUid, Records};
use serde_json::{Map, Value, value::RawValue};

pub use self::{
    openapi::{Export, Import},
    validation::{Check, Report},
};
use crate::{
    api::{
        access::Access,
        body::Json,
        error::ApiError,
        operation::{BodySize, operations},
        problems::{Problems, WordRule},
        query::{Limit, query},
        reply::{Created, Done, NoContent, Upserted},
    },
    operations::{call::Call, page::Page, render},
    race,
};

const FLAGS: WordRule = WordRule {
    field: "featureFlags",
    min_items: 0,
    max_items: 100,
    max_length: MAX_NAME,
    marks: "-_.",
};

operations! {
    tag "Event Type";

    /// List event types by name
    List "v1.event-type.list" = GET "/api/v1/event-type"
        query { ListQuery }
        -> Done<ListResponse<EventTypeOut>> = list,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);

    /// Create or unarchive an event type
    Create "v1.event-type.create" = POST "/api/v1/event-type"
        body { Json<EventTypeIn> }
        -> Created<EventTypeOut> = create,
        body_size(BodySize::EventType),
        needs(Permission::Operate);

    /// Get an event type
    Get "v1.event-type.get" = GET "/api/v1/event-type/{event_type_name}"
        path { event_type_name: EventTypeName }
        -> Done<EventTypeOut> = get,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);

    /// Replace or create an event type
    Update "v1.event-type.update" = PUT "/api/v1/event-type/{event_type_name}"
        path { event_type_name: EventTypeName }
        body { Json<EventTypeUpdate> }
        -> Upserted<EventTypeOut> = update,
        body_size(BodySize::EventType),
        needs(Permission::Operate);

    /// Change an event type
    Patch "v1.event-type.patch" = PATCH "/api/v1/event-type/{event_type_name}"
        path { event_type_name: EventTypeName }
        body { Json<EventTypePatch> }
        -> Done<EventTypeOut> = patch,
        body_size(BodySize::EventType),
        needs(Permission::Operate);

    /// Archive or delete an event type
    Delete "v1.event-type.delete" = DELETE "/api/v1/event-type/{event_type_name}"
        path { event_type_name: EventTypeName }
        query { DeleteQuery }
        -> NoContent = delete,
        needs(Permission::Operate);
}

query! {
    ListQuery {
        /// Maximum number of items on the page.
        limit: Limit,
        /// The `iterator` or `prevIterator` of another page.
        iterator: Option<String>,
        /// The order of the items; ascending if absent.
        order: Option<Ordering>,
        /// Include archived event types.
        include_archived: bool,
        /// Include schemas.
        with_content: bool,
    }

    DeleteQuery {
        /// Delete the event type instead of archiving it.
        expunge: bool,
    }
}

async fn list(
    call: Call,
    List { query }: List,
) -> Result<Done<ListResponse<EventTypeOut>>, ApiError> {
    let order = query.order.unwrap_or_default();
    let iterator = query.iterator.as_deref();
    let mut page = Page::<EventTypeName>::new(&call, query.limit, iterator, order)?;
    let (call, archived) = (&call, query.include_archived);
    let found = page
        .fill(async |scan| {
            let organization = call.organization();
            let mut found = if archived {
                call.store().list_with_hidden::<EventType>(organization, scan.clone()).await?
            } else {
                call.store().list::<EventType>(organization, scan.clone()).await?
            };
            builtin::add(call, &scan, &mut found).await?;
            found.items.retain(|it| shows(call, it));
            Ok(found)
        })
        .await?;
    let out = |it| render::event_type(it, query.with_content);
    Ok(Done(page.list(found, |it| it.name.clone(), out)))
}

/// Whether the event type is visible to the principal: it has no flags, or the token has one of
/// them.
pub(super) fn shows(call: &Call, event_type: &EventType) -> bool {
    let flags = &event_type.feature_flags;
    let Some(application) = &call.principal.grant.application else { return true };
    flags.is_empty() || flags.iter().any(|it| application.feature_flags.contains(it))
}

async fn create(call: Call, Create { body }: Create) -> Result<Created<EventTypeOut>, ApiError> {
    race::retry(|| try_create(&call, body.clone())).await.map(Created)
}

async fn try_create(call: &Call, body: EventTypeIn) -> Result<EventTypeOut, ApiError> {
    let _lock = call.locks().event_types().await;
    let mut event_type = build(call, body, &["body"])?;
    let old = call
        .store()
        .get_versioned::<EventType>(call.organization(), &IdOrUid::Id(event_type.name.clone()))
        .await?;
    let expected = match old {
        Some((old, _)) if !old.archived => {
            return Err(ApiError::Conflict {
                code: "event_type_exists",
                detail: format!("the event type {} exists", old.name),
            });
        },
        Some((old, version)) => {
            event_type.created_at = old.created_at;
            event_type.managed_by = old.managed_by;
            event_type.archived = false;
            Expected::Version(version)
        },
        None => Expected::New,
    };
    save(call, event_type.clone(), expected, &["body"]).await?;
    Ok(render::event_type(event_type, true))
}

async fn get(call: Call, input: Get) -> Result<Done<EventTypeOut>, ApiError> {
    let event_type = builtin::find(&call, &input.event_type_name)
        .await?
        .filter(|it| shows(&call, it))
        .ok_or(MISSING)?;
    Ok(Done(render::event_type(event_type, true)))
}

const MISSING: ApiError = ApiError::NotFound("event type");

async fn update(call: Call, input: Update) -> Result<Upserted<EventTypeOut>, ApiError> {
    race::retry(|| try_update(&call, &input)).await
}

async fn try_update(call: &Call, input: &Update) -> Result<Upserted<EventTypeOut>, ApiError> {
    let Update { event_type_name, body } = input;
    let _lock = call.locks().event_types().await;
    let old = builtin::find_versioned(call, event_type_name).await?;
    let path = event_type_name.as_str();
    if body.name.as_ref().is_some_and(|name| name != path) {
        return Err(ApiError::invalid(&["body", "name"], "must be the name of the path"));
    }
    let validation = body.schema_validation.clone();
    let mut event_type = build(call, body.clone().named(path.to_owned()), &["body"])?;
    let is_new = old.is_none();
    let mut expected = Expected::New;
    if let Some((old, version)) = old {
        event_type.created_at = old.created_at;
        event_type.managed_by = old.managed_by;
        event_type.schema_validation = validation.apply(old.schema_validation);
        expected = version;
    }
    save(call, event_type.clone(), expected, &["body"]).await?;
    let shown = render::event_type(event_type, true);
    Ok(if is_new { Upserted::Created(shown) } else { Upserted::Existing(shown) })
}

async fn patch(call: Call, input: Patch) -> Result<Done<EventTypeOut>, ApiError> {
    race::retry(|| try_patch(&call, &input)).await.map(Done)
}

async fn try_patch(call: &Call, input: &Patch) -> Result<EventTypeOut, ApiError> {
    let _lock = call.locks().event_types().await;
    let found = builtin::find_versioned(call, &input.event_type_name).await?;
    let (mut event_type, expected) = found.ok_or(MISSING)?;
    apply(&mut event_type, input.body.clone())?;
    event_type.updated_at = call.now;
    save(call, event_type.clone(), expected, &["body"]).await?;
    Ok(render::event_type(event_type, true))
}

fn apply(event_type: &mut EventType, patch: EventTypePatch) -> Result<(), ApiError> {
    let mut problems = Problems::within(&["body"]);
    if let Some(description) = patch.description {
        problems.plain_text("description", &description);
        event_type.description = description;
    }
    event_type.archived = patch.archived.unwrap_or(event_type.archived);
    event_type.deprecated = patch.deprecated.unwrap_or(event_type.deprecated);
    match patch.schemas {
        api::Patch::Keep => {},
        api::Patch::Clear => event_type.schemas = None,
        api::Patch::Set(schemas) => {
            event_type.schemas = Some(check_schemas(&schemas, &mut problems));
        },
    }
    event_type.schema_validation = patch.schema_validation.apply(event_type.schema_validation);
    match patch.group_name {
        api::Patch::Keep => {},
        api::Patch::Clear => event_type.group_name = None,
        api::Patch::Set(name) => event_type.group_name = Some(check_group(name, &mut problems)),
    }
    match patch.feature_flags.0 {
        api::Patch::Keep => {},
        api::Patch::Clear => event_type.feature_flags = Vec::new(),
        api::Patch::Set(flags) => event_type.feature_flags = problems.words(&FLAGS, flags),
    }
    problems.finish()
}

async fn delete(call: Call, input: Delete) -> Result<NoContent, ApiError> {
    race::retry(|| try_delete(&call, &input)).await.map(|()| NoContent)
}

async fn try_delete(call: &Call, input: &Delete) -> Result<(), ApiError> {
    let _lock = call.locks().event_types().await;
    let found = builtin::find_versioned(call, &input.event_type_name).await?;
    let (mut event_type, expected) = found.ok_or(MISSING)?;
    if input.query.expunge {
        call.store().remove::<EventType>(&event_type.organization, &event_type.name).await?;
        call.engine().event_types_changed(call.organization());
    } else {
        event_type.archived = true;
        event_type.updated_at = call.now;
        store(call, event_type, expected).await?;
    }
    Ok(())
}

/// Saves the event type, unless payloads are to be checked against its newest schema and cannot
/// be. `place` is its location in the request.
async fn save(
    call: &Call,
    event_type: EventType,
    expected: Expected,
    place: &[&str],
) -> Result<(), ApiError> {
    validation::check_schema(call, &event_type, place).await?;
    store(call, event_type, expected).await
}

async fn store(call: &Call, event_type: EventType, expected: Expected) -> Result<(), ApiError> {
    call.store().save(&event_type, expected).await?;
    call.engine().event_types_changed(call.organization());
    Ok(())
}

/// A new event type from the body, whose location in the request is `within`.
pub(super) fn build(
    call: &Call,
    body: EventTypeIn,
    within: &[&str],
) -> Result<EventType, ApiError> {
    let mut problems = Problems::within(within);
    let name = problems.parse(&["name"], &body.name);
    problems.plain_text("description", &body.description);
    let schemas = body.schemas.map(|it| check_schemas(&it, &mut problems));
    let group_name = body.group_name.map(|it| check_group(it, &mut problems));
    let flags = body.feature_flags.0.unwrap_or_default();
    let feature_flags = problems.words(&FLAGS, flags);
    problems.finish()?;
    Ok(EventType {
        managed_by: None,
        organization: call.organization().clone(),
        name: name.expect("a name that does not parse is a problem"),
        description: body.description,
        archived: body.archived,
        deprecated: body.deprecated,
        schemas,
        schema_validation: body.schema_validation.apply(None),
        feature_flags,
        group_name,
        created_at: call.now,
        updated_at: call.now,
    })
}

fn check_group(name: String, problems: &mut Problems<'_>) -> String {
    problems.parse::<EventTypeName>(&["groupName"], &name);
    name
}

/// Checks schemas, which are an object by version.
fn check_schemas(schemas: &RawValue, problems: &mut Problems<'_>) -> String {
    let parsed = serde_json::from_str::<Map<String, Value>>(schemas.get());
    match parsed {
        Ok(versions) => {
            for (version, schema) in &versions {
                if let Err(message) = check_schema(schema) {
                    problems.add(&["schemas", version], message);
                }
            }
        },
        Err(_) => problems.add(&["schemas"], "must be an object of JSON schemas by version"),
    }
    schemas.get().to_owned()
}

fn check_schema(schema: &Value) -> Result<(), String> {
    if !schema.is_object() {
        return Err("must be a JSON schema, which is an object".to_owned());
    }
    json_schema::check_schema(schema)
        .map_err(|reason| format!("is not a valid JSON schema: {reason}"))
}
