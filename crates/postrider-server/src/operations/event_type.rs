//! Event types.

pub(crate) mod archived;
pub(super) mod builtin;
pub(super) mod example;
mod json_schema;

use http::Method;
use postrider::{
    EventTypeName,
    api::{
        Capability, EventTypeIn, EventTypeOut, EventTypePatch, EventTypeUpdate, ListResponse,
        Ordering, Patch,
    },
    name::MAX_NAME,
};
use postrider_core::catalog::EventType;
use postrider_store::{Key, Record};
use serde_json::{Map, Value, value::RawValue};

use crate::{
    api::{
        body::Json,
        error::ApiError,
        operation::{BodySize, Operation, operation},
        page::Page,
        problems::{Problems, Words},
        query::{Limit, query},
        reply::{Created, NoContent, Shown, Upserted},
    },
    auth::Access,
    operations::{call::Call, render},
};

const TAG: &str = "Event Type";

const FLAGS: Words =
    Words { field: "featureFlags", least: 0, most: 100, length: MAX_NAME, marks: "-_." };

pub(super) fn operations() -> Vec<Operation> {
    let all = "/api/v1/event-type";
    let one = "/api/v1/event-type/{event_type_name}";
    let read = Access::Application(Capability::ViewBase);
    vec![
        operation(Method::GET, all, "v1.event-type.list", TAG, "List event types by name")
            .by(read)
            .run(list),
        operation(
            Method::POST,
            all,
            "v1.event-type.create",
            TAG,
            "Create or unarchive an event type",
        )
        .body_size(BodySize::EventType)
        .run(create),
        operation(Method::GET, one, "v1.event-type.get", TAG, "Get an event type")
            .by(read)
            .run(get),
        operation(Method::PUT, one, "v1.event-type.update", TAG, "Replace or create an event type")
            .body_size(BodySize::EventType)
            .run(put),
        operation(Method::PATCH, one, "v1.event-type.patch", TAG, "Change an event type")
            .body_size(BodySize::EventType)
            .run(patch),
        operation(
            Method::DELETE,
            one,
            "v1.event-type.delete",
            TAG,
            "Archive or remove an event type",
        )
        .run(delete),
    ]
}

query! {
    ListQuery {
        /// Most items on the page.
        limit: Limit,
        /// The `iterator` or `prevIterator` of the page to go on from.
        iterator: Option<String>,
        /// Which way to walk; ascending if absent.
        order: Option<Ordering>,
        /// Show archived event types too.
        include_archived: bool,
        /// Show schemas.
        with_content: bool,
    }

    DeleteQuery {
        /// Remove the event type instead of archiving it.
        expunge: bool,
    }
}

async fn list(
    call: Call,
    query: ListQuery,
    (): (),
) -> Result<Shown<ListResponse<EventTypeOut>>, ApiError> {
    let order = query.order.unwrap_or_default();
    let mut page =
        Page::<EventTypeName>::new(&call, query.limit, query.iterator.as_deref(), order)?;
    let (call, archived) = (&call, query.include_archived);
    let found = page
        .fill(async |scan| {
            let organization = call.organization();
            let mut found = call.store().event_types(organization, archived, scan.clone()).await?;
            builtin::add(call, &scan, &mut found).await?;
            found.items.retain(|it| shows(call, it));
            Ok(found)
        })
        .await?;
    let out = |it| render::event_type(it, query.with_content);
    Ok(Shown(page.list(found, |it| it.name.clone(), out)))
}

/// Whether the caller's token has a flag for the event type, if it needs one.
pub(super) fn shows(call: &Call, event_type: &EventType) -> bool {
    let flags = &event_type.feature_flags;
    let Some(application) = &call.caller.grant.application else { return true };
    flags.is_empty() || flags.iter().any(|it| application.feature_flags.contains(it))
}

async fn create(
    call: Call,
    (): (),
    Json(body): Json<EventTypeIn>,
) -> Result<Created<EventTypeOut>, ApiError> {
    let _turn = call.context.exclusive_event_types().await;
    let mut event_type = build(&call, body)?;
    let old = call.store().event_type(call.organization(), &event_type.name).await?;
    let is_new = match old {
        Some(old) if !old.archived => {
            return Err(ApiError::Conflict {
                code: "event_type_exists",
                detail: format!("the event type {} exists", old.name),
            });
        },
        Some(old) => {
            event_type.created_at = old.created_at;
            event_type.archived = false;
            false
        },
        None => true,
    };
    save(&call, event_type.clone(), is_new).await?;
    Ok(Created(render::event_type(event_type, true)))
}

async fn get(call: Call, (): (), (): ()) -> Result<Shown<EventTypeOut>, ApiError> {
    let event_type = find(&call).await?.filter(|it| shows(&call, it)).ok_or(MISSING)?;
    Ok(Shown(render::event_type(event_type, true)))
}

const MISSING: ApiError = ApiError::NotFound("event type");

async fn put(
    call: Call,
    (): (),
    Json(body): Json<EventTypeUpdate>,
) -> Result<Upserted<EventTypeOut>, ApiError> {
    let _turn = call.context.exclusive_event_types().await;
    let old = find(&call).await?;
    let path = call.argument("event_type_name");
    if body.name.as_ref().is_some_and(|it| it != path) {
        return Err(ApiError::invalid(&["body", "name"], "must be the name of the path"));
    }
    let mut event_type = build(&call, body.named(path.to_owned()))?;
    let is_new = old.is_none();
    if let Some(old) = old {
        event_type.created_at = old.created_at;
    }
    save(&call, event_type.clone(), is_new).await?;
    let shown = render::event_type(event_type, true);
    Ok(if is_new { Upserted::Created(shown) } else { Upserted::Existing(shown) })
}

async fn patch(
    call: Call,
    (): (),
    Json(body): Json<EventTypePatch>,
) -> Result<Shown<EventTypeOut>, ApiError> {
    let _turn = call.context.exclusive_event_types().await;
    let mut event_type = find(&call).await?.ok_or(MISSING)?;
    apply(&mut event_type, body)?;
    event_type.updated_at = call.now;
    save(&call, event_type.clone(), false).await?;
    Ok(Shown(render::event_type(event_type, true)))
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
        Patch::Keep => {},
        Patch::Clear => event_type.schemas = None,
        Patch::Set(schemas) => event_type.schemas = Some(check_schemas(&schemas, &mut problems)),
    }
    match patch.group_name {
        Patch::Keep => {},
        Patch::Clear => event_type.group_name = None,
        Patch::Set(name) => event_type.group_name = Some(check_group(name, &mut problems)),
    }
    match patch.feature_flags.0 {
        Patch::Keep => {},
        Patch::Clear => event_type.feature_flags = Vec::new(),
        Patch::Set(flags) => event_type.feature_flags = problems.words(&FLAGS, flags),
    }
    problems.finish()
}

async fn delete(call: Call, query: DeleteQuery, (): ()) -> Result<NoContent, ApiError> {
    let _turn = call.context.exclusive_event_types().await;
    let mut event_type = find(&call).await?.ok_or(MISSING)?;
    if query.expunge {
        call.store().remove(Key::EventType(event_type.organization, event_type.name)).await?;
        call.context.archived.forget(call.organization());
    } else {
        event_type.archived = true;
        event_type.updated_at = call.now;
        save(&call, event_type, false).await?;
    }
    Ok(NoContent)
}

async fn save(call: &Call, event_type: EventType, create: bool) -> Result<(), ApiError> {
    call.store().save(Record::EventType(event_type), create).await?;
    call.context.archived.forget(call.organization());
    Ok(())
}

/// The event type that the path names.
async fn find(call: &Call) -> Result<Option<EventType>, ApiError> {
    let name = call.argument("event_type_name").parse::<EventTypeName>();
    let name =
        name.map_err(|error| ApiError::invalid(&["path", "event_type_name"], error.to_string()))?;
    Ok(builtin::find(call, &name).await?)
}

fn build(call: &Call, body: EventTypeIn) -> Result<EventType, ApiError> {
    let mut problems = Problems::within(&["body"]);
    let name = problems.parse(&["name"], &body.name);
    problems.plain_text("description", &body.description);
    let schemas = body.schemas.map(|it| check_schemas(&it, &mut problems));
    let group_name = body.group_name.map(|it| check_group(it, &mut problems));
    let flags = body.feature_flags.0.unwrap_or_default();
    let feature_flags = problems.words(&FLAGS, flags);
    problems.finish()?;
    Ok(EventType {
        organization: call.organization().clone(),
        name: name.expect("what does not parse is a problem"),
        description: body.description,
        archived: body.archived,
        deprecated: body.deprecated,
        schemas,
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

/// Schemas are objects by version.
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
    json_schema::check(schema).map_err(|reason| format!("is not a valid JSON schema: {reason}"))
}
