//! Destinations: endpoints as the hosted API shows those that are queues, buckets, tables, or called
//! in order.

pub(super) mod attempt;
mod config;
mod location;
pub(super) mod position;
mod render;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use postrider::{
    ApplicationId, EndpointId,
    api::{
        Capability, EndpointHeadersOut, EndpointHeadersPatchIn, EndpointIn, EndpointOrdering,
        EndpointPatch, EndpointSecretOut, EndpointSecretRotateIn, EndpointUpdate, EventTypes,
        ListResponse, Patch as FieldPatch, Permission, ThrottleRate,
        destination::{
            DestinationId, DestinationIn, DestinationOut, DestinationPatch, DestinationStatusIn,
            DestinationType,
        },
        transformation::{
            DestinationTransformationIn, DestinationTransformationOut, EmptyResponse,
            EndpointTransformationOut, EndpointTransformationPatch,
        },
    },
};
use postrider_core::{catalog::Endpoint, kind::Fields, transformation::Form};
use postrider_store::{IdOrUid, Records};

pub use self::{
    attempt::{AttemptQuery, GetAttempt, ListAttempts},
    position::{ForceRetry, LastAckedEvent, NextEvent, Skip, SkipQuery},
};
use self::{
    config::Batching,
    location::Location,
    render::{Head, NOT_FOUND},
};
use crate::{
    api::{
        access::Access,
        body::Json,
        error::ApiError,
        operation::operations,
        path::new_uid,
        problems::Problems,
        reply::{Created, Done, NoContent, Upserted},
    },
    operations::{
        call::{self, Call},
        endpoint::{self, headers, secret, transformation},
        page::{Page, PageQuery},
    },
};

operations! {
    tag "Destination";

    /// List destinations
    List "v1.destination.list" = GET "/api/v1/app/{app_id}/destination"
        path { app_id: IdOrUid<ApplicationId> }
        query { PageQuery }
        -> Done<ListResponse<DestinationOut>> = list,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);

    /// Create a destination
    Create "v1.destination.create" = POST "/api/v1/app/{app_id}/destination"
        path { app_id: IdOrUid<ApplicationId> }
        body { Json<DestinationIn> }
        -> Created<DestinationOut> = create,
        access(Access::Application(Capability::ManageEndpoint)),
        needs(Permission::Operate);

    /// Get a destination
    Get "v1.destination.get" = GET "/api/v1/app/{app_id}/destination/{destination_id}"
        path { app_id: IdOrUid<ApplicationId>, destination_id: IdOrUid<DestinationId> }
        -> Done<DestinationOut> = get,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);

    /// Replace or create a destination
    Upsert "v1.destination.upsert" = PUT "/api/v1/app/{app_id}/destination/{destination_id}"
        path { app_id: IdOrUid<ApplicationId>, destination_id: IdOrUid<DestinationId> }
        body { Json<DestinationIn> }
        -> Upserted<DestinationOut> = upsert,
        access(Access::Application(Capability::ManageEndpoint)),
        needs(Permission::Operate);

    /// Change a destination
    Patch "v1.destination.patch" = PATCH "/api/v1/app/{app_id}/destination/{destination_id}"
        path { app_id: IdOrUid<ApplicationId>, destination_id: IdOrUid<DestinationId> }
        body { Json<DestinationPatch> }
        -> Done<DestinationOut> = patch,
        access(Access::Application(Capability::ManageEndpoint)),
        needs(Permission::Operate);

    /// Delete a destination
    Delete "v1.destination.delete" = DELETE "/api/v1/app/{app_id}/destination/{destination_id}"
        path { app_id: IdOrUid<ApplicationId>, destination_id: IdOrUid<DestinationId> }
        -> NoContent = delete,
        access(Access::Application(Capability::ManageEndpoint)),
        needs(Permission::Operate);

    /// Get the headers of a destination of the type `fifoEndpoint`
    GetHeaders "v1.destination.headers-get" = GET "/api/v1/app/{app_id}/destination/{destination_id}/headers"
        path { app_id: IdOrUid<ApplicationId>, destination_id: IdOrUid<DestinationId> }
        -> Done<EndpointHeadersOut> = get_headers,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);

    /// Change some of the headers of a destination of the type `fifoEndpoint`
    PatchHeaders "v1.destination.headers-patch" = PATCH "/api/v1/app/{app_id}/destination/{destination_id}/headers"
        path { app_id: IdOrUid<ApplicationId>, destination_id: IdOrUid<DestinationId> }
        body { Json<EndpointHeadersPatchIn> }
        -> Done<EndpointHeadersOut> = patch_headers,
        access(Access::Application(Capability::ManageEndpoint)),
        needs(Permission::Operate);

    /// Get the signing secret of a destination of the type `fifoEndpoint`
    GetSecret "v1.destination.get-secret" = GET "/api/v1/app/{app_id}/destination/{destination_id}/secret"
        path { app_id: IdOrUid<ApplicationId>, destination_id: IdOrUid<DestinationId> }
        -> Done<EndpointSecretOut> = get_secret,
        access(Access::Application(Capability::ViewEndpointSecret)),
        needs(Permission::ReadSecrets);

    /// Replace the signing secret of a destination of the type `fifoEndpoint`
    RotateSecret "v1.destination.rotate-secret" = POST "/api/v1/app/{app_id}/destination/{destination_id}/secret/rotate"
        path { app_id: IdOrUid<ApplicationId>, destination_id: IdOrUid<DestinationId> }
        body { Json<EndpointSecretRotateIn> }
        -> Done<EndpointSecretOut> = rotate_secret,
        access(Access::Application(Capability::ManageEndpointSecret)),
        needs(Permission::Operate);

    /// Get a destination's transformation
    GetTransformation "v1.destination.transformation.get" = GET "/api/v1/app/{app_id}/destination/{destination_id}/transformation"
        path { app_id: IdOrUid<ApplicationId>, destination_id: IdOrUid<DestinationId> }
        -> Done<DestinationTransformationOut> = get_transformation,
        access(Access::Application(Capability::ManageTransformations)),
        needs(Permission::Read);

    /// Replace a destination's transformation
    PatchTransformation "v1.destination.transformation.patch" = PATCH "/api/v1/app/{app_id}/destination/{destination_id}/transformation"
        path { app_id: IdOrUid<ApplicationId>, destination_id: IdOrUid<DestinationId> }
        body { Json<DestinationTransformationIn> }
        -> Done<EmptyResponse> = patch_transformation,
        access(Access::Application(Capability::ManageTransformations)),
        needs(Permission::Operate);
}

/// What a path names.
type Named = IdOrUid<DestinationId>;

async fn list(call: Call, input: List) -> Result<Done<ListResponse<DestinationOut>>, ApiError> {
    let application = call.application(&input.app_id).await?.application.id;
    let mut page = Page::<EndpointId>::of(&call, &input.query)?;
    let store = call.store();
    let found = page
        .fill(async |scan| {
            let mut found = store.list::<Endpoint>(&application, scan).await?;
            found.items.retain(|it| render::type_of(it).is_some());
            Ok(found)
        })
        .await?;
    let failing = failing(&call, application).await?;
    let mut heads = HashMap::new();
    for endpoint in &found.items {
        heads.insert(endpoint.id, head(&call, endpoint).await?);
    }
    let shown = |it: Endpoint| {
        let head = heads.remove(&it.id).flatten();
        render::destination(&call, &it, (&failing, head))
    };
    page.try_list(found, |it| it.id, shown).map(Done)
}

async fn failing(call: &Call, application: ApplicationId) -> Result<HashSet<EndpointId>, ApiError> {
    let failing = call.store().failing(application).await?;
    Ok(failing.into_iter().map(|(endpoint, _)| endpoint).collect())
}

async fn get(call: Call, input: Get) -> Result<Done<DestinationOut>, ApiError> {
    shown(&call, &input.app_id, &input.destination_id).await.map(Done)
}

async fn shown(
    call: &Call,
    app_id: &IdOrUid<ApplicationId>,
    named: &Named,
) -> Result<DestinationOut, ApiError> {
    let (endpoint, _) = find(call, app_id, named).await?.ok_or(NOT_FOUND)?;
    let failing = failing(call, endpoint.application).await?;
    let head = head(call, &endpoint).await?;
    render::destination(call, &endpoint, (&failing, head))
}

/// The next message of an endpoint that is called in order.
async fn head(call: &Call, endpoint: &Endpoint) -> Result<Option<Head>, ApiError> {
    if render::type_of(endpoint) != Some(DestinationType::FifoEndpoint) {
        return Ok(None);
    }
    let next = endpoint::position::next_delivery(call, endpoint, false).await?;
    let Some(row) = next else { return Ok(None) };
    let (message, mut head) = (row.id.message, Head::of(&row));
    if head.next_retry_at.is_some() {
        head.failure_reason = endpoint::position::failure_reason(call, endpoint, message).await?;
    }
    Ok(Some(head))
}

/// The endpoint that the path names, if there is one and it is a destination.
async fn find(
    call: &Call,
    app_id: &IdOrUid<ApplicationId>,
    named: &Named,
) -> Result<Option<(Arc<Endpoint>, DestinationType)>, ApiError> {
    let entry = call.application(app_id).await?;
    let Ok(endpoint) = call::endpoint(&entry, &endpoint_id(named)) else { return Ok(None) };
    let destination_type = render::type_of(&endpoint);
    Ok(destination_type.map(|destination_type| (endpoint, destination_type)))
}

fn endpoint_id(named: &Named) -> IdOrUid<EndpointId> {
    match named {
        IdOrUid::Id(DestinationId(id)) => IdOrUid::Id(*id),
        IdOrUid::Uid(uid) => IdOrUid::Uid(uid.clone()),
    }
}

async fn create(call: Call, input: Create) -> Result<Created<DestinationOut>, ApiError> {
    create_in(&call, &input.app_id, input.body).await.map(Created)
}

async fn create_in(
    call: &Call,
    app_id: &IdOrUid<ApplicationId>,
    body: DestinationIn,
) -> Result<DestinationOut, ApiError> {
    let destination_type = body.destination_type;
    let endpoint = new_endpoint(body)?;
    let created = endpoint::create_in(call, app_id.into(), endpoint).await;
    let created = created.map_err(|error| location::renamed(destination_type, error))?;
    shown(call, app_id, &IdOrUid::Id(DestinationId(created.id))).await
}

/// Creates or replaces the destination with this id. The secret signs it, if it is called over
/// HTTP.
pub(super) async fn subscribe(
    call: &Call,
    app_id: &IdOrUid<ApplicationId>,
    id: EndpointId,
    body: DestinationIn,
    secret: String,
) -> Result<DestinationOut, ApiError> {
    let named = IdOrUid::Id(DestinationId(id));
    let entry = call.application(app_id).await?;
    let Ok(old) = call::endpoint(&entry, &IdOrUid::Id(id)) else {
        let destination_type = body.destination_type;
        let mut endpoint = new_endpoint(body)?;
        if endpoint.kind.is_http() {
            endpoint.secret = Some(secret);
        }
        let created = endpoint::create_as(call, app_id.into(), endpoint, Some(id)).await;
        created.map_err(|error| location::renamed(destination_type, error))?;
        return shown(call, app_id, &named).await;
    };
    if render::type_of(&old).is_none() {
        return Err(ApiError::conflict("the subscription has an endpoint, not a destination"));
    }
    replace(call, app_id, &old, body).await?;
    shown(call, app_id, &named).await
}

/// The id of the destination that the endpoint is, if it is one.
pub(super) fn id_of(endpoint: &Endpoint) -> Option<DestinationId> {
    render::type_of(endpoint).map(|_| DestinationId(endpoint.id))
}

fn new_endpoint(body: DestinationIn) -> Result<EndpointIn, ApiError> {
    let mut problems = Problems::within(&["body"]);
    check_uid(body.uid.as_deref(), &mut problems);
    let Location { url, config, headers, key } = location::of(&body, &Fields::new(), &mut problems);
    let is_fifo = body.destination_type == DestinationType::FifoEndpoint;
    let batching = Batching { size: body.batch_size, wait_seconds: body.max_wait_secs };
    let endpoint = EndpointIn {
        url: url.unwrap_or_default(),
        kind: config::kind(body.destination_type),
        config,
        uid: body.uid,
        disabled: body.status == DestinationStatusIn::Disabled,
        event_types: EventTypes(some(body.event_types)),
        channels: some(body.channels),
        filter: body.filter,
        ordering: ordering(body.destination_type),
        batch: is_fifo.then(|| config::batch(batching, None)),
        paused: Some(body.status == DestinationStatusIn::Paused),
        // A message stops the destination until its owner skips it.
        skip_after: is_fifo.then_some(0),
        metadata: body.metadata,
        secret: key,
        headers: headers.unwrap_or_default(),
        ..EndpointIn::default()
    };
    problems.finish_with(endpoint)
}

/// A uid must not look like an id of an endpoint, nor of a destination.
fn check_uid(uid: Option<&str>, problems: &mut Problems<'_>) {
    let is_id = uid.is_some_and(|uid| uid.parse::<DestinationId>().is_ok());
    problems.require(!is_id, "uid", "must not look like an id");
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    Some(list).filter(|it| !it.is_empty())
}

fn ordering(destination_type: DestinationType) -> Option<EndpointOrdering> {
    (destination_type == DestinationType::FifoEndpoint).then_some(EndpointOrdering::Fifo)
}

async fn upsert(call: Call, input: Upsert) -> Result<Upserted<DestinationOut>, ApiError> {
    let Upsert { app_id, destination_id, body } = input;
    let entry = call.application(&app_id).await?;
    let Ok(old) = call::endpoint(&entry, &endpoint_id(&destination_id)) else {
        let uid = new_uid(&destination_id, body.uid.as_deref(), "destination")?;
        let body = DestinationIn { uid: Some(uid.to_string()), ..body };
        return create_in(&call, &app_id, body).await.map(Upserted::Created);
    };
    if render::type_of(&old).is_none() {
        return Err(ApiError::conflict("the uid is that of an endpoint that is not a destination"));
    }
    replace(&call, &app_id, &old, body).await?;
    let named = IdOrUid::Id(DestinationId(old.id));
    Ok(Upserted::Existing(shown(&call, &app_id, &named).await?))
}

async fn replace(
    call: &Call,
    app_id: &IdOrUid<ApplicationId>,
    old: &Endpoint,
    body: DestinationIn,
) -> Result<(), ApiError> {
    let destination_type = body.destination_type;
    check_type(old, destination_type)?;
    let mut problems = Problems::within(&["body"]);
    check_uid(body.uid.as_deref(), &mut problems);
    let masked = masked(call, old)?;
    let Location { url, config, headers, key } = location::of(&body, &masked, &mut problems);
    problems.finish()?;
    let batching = Batching { size: body.batch_size, wait_seconds: body.max_wait_secs };
    let is_fifo = destination_type == DestinationType::FifoEndpoint;
    let update = EndpointUpdate {
        batch: is_fifo.then(|| config::batch(batching, None)),
        paused: Some(body.status == DestinationStatusIn::Paused),
        url: url.unwrap_or_default(),
        kind: Some(old.kind),
        config,
        uid: body.uid,
        // The hosted API has no field for these.
        description: old.description.clone(),
        throttle_rate: ThrottleRate(old.throttle_rate.and_then(|it| u16::try_from(it).ok())),
        disabled: body.status == DestinationStatusIn::Disabled,
        event_types: EventTypes(some(body.event_types)),
        channels: some(body.channels),
        filter: body.filter,
        metadata: body.metadata,
        ..EndpointUpdate::default()
    };
    let (path, id) = (app_id.into(), IdOrUid::Id(old.id));
    let renamed = |error| location::renamed(destination_type, error);
    endpoint::update_in(call, path, &id, update).await.map_err(renamed)?;
    if let Some(headers) = headers {
        let body = postrider::api::EndpointHeadersIn { headers };
        headers::update_in(call, path, &id, body).await.map_err(renamed)?;
    }
    if let Some(key) = key
        && secret::get_from(call, path, &id).await?.key != key
    {
        let body = EndpointSecretRotateIn { key: Some(key), grace_period_seconds: None };
        secret::rotate_in(call, path, &id, body).await.map_err(renamed)?;
    }
    Ok(())
}

/// The type of a destination stays.
fn check_type(old: &Endpoint, new: DestinationType) -> Result<(), ApiError> {
    if render::type_of(old) == Some(new) {
        return Ok(());
    }
    Err(ApiError::invalid(&["body", "type"], "cannot be changed"))
}

/// The configuration with masked credentials.
fn masked(call: &Call, endpoint: &Endpoint) -> Result<Fields, ApiError> {
    Ok(endpoint::shown(call, endpoint)?.config.unwrap_or_default().0)
}

async fn patch(call: Call, input: Patch) -> Result<Done<DestinationOut>, ApiError> {
    let Patch { app_id, destination_id, body } = input;
    let (old, _) = find(&call, &app_id, &destination_id).await?.ok_or(NOT_FOUND)?;
    let destination_type = body.destination_type;
    check_type(&old, destination_type)?;
    let body = endpoint_patch(&old, &masked(&call, &old)?, body)?;
    let input = endpoint::Patch {
        app_id: app_id.clone(),
        endpoint_id: IdOrUid::Id(old.id),
        query: endpoint::CheckQuery::default(),
        body,
    };
    let patched = endpoint::patch_in(&call, &input).await;
    patched.map_err(|error| location::renamed(destination_type, error))?;
    shown(&call, &app_id, &IdOrUid::Id(DestinationId(old.id))).await.map(Done)
}

fn endpoint_patch(
    old: &Endpoint,
    masked: &Fields,
    body: DestinationPatch,
) -> Result<EndpointPatch, ApiError> {
    let mut problems = Problems::within(&["body"]);
    check_uid(body.uid.value().map(String::as_str), &mut problems);
    let Location { url, config, .. } = location::of_patch(&body, masked, &mut problems);
    let batching = Batching { size: body.batch_size, wait_seconds: body.max_wait_secs };
    let has_batch =
        body.destination_type == DestinationType::FifoEndpoint && batching != Batching::default();
    let list = |given: Option<Vec<String>>| match given {
        None => FieldPatch::Keep,
        Some(list) if list.is_empty() => FieldPatch::Clear,
        Some(list) => FieldPatch::Set(list),
    };
    problems.finish_with(EndpointPatch {
        url,
        config,
        uid: body.uid,
        disabled: body.status.map(|it| it == DestinationStatusIn::Disabled),
        paused: body.status.map(|it| it == DestinationStatusIn::Paused),
        batch: if has_batch {
            FieldPatch::Set(config::batch(batching, old.batch))
        } else {
            FieldPatch::Keep
        },
        event_types: EventTypes(list(body.event_types)),
        channels: list(body.channels),
        filter: body.filter,
        metadata: body.metadata,
        ..EndpointPatch::default()
    })
}

async fn delete(call: Call, input: Delete) -> Result<NoContent, ApiError> {
    let Delete { app_id, destination_id } = input;
    let (old, _) = find(&call, &app_id, &destination_id).await?.ok_or(NOT_FOUND)?;
    endpoint::delete_from(&call, (&app_id).into(), &IdOrUid::Id(old.id)).await.map(|()| NoContent)
}

/// The id of a destination that is called over HTTP. Others have no headers and no signatures.
async fn http_id(
    call: &Call,
    app_id: &IdOrUid<ApplicationId>,
    named: &Named,
) -> Result<IdOrUid<EndpointId>, ApiError> {
    let (endpoint, destination_type) = find(call, app_id, named).await?.ok_or(NOT_FOUND)?;
    if destination_type == DestinationType::FifoEndpoint {
        return Ok(IdOrUid::Id(endpoint.id));
    }
    let detail = "only destinations of the type `fifoEndpoint` have headers and a secret";
    Err(ApiError::Bad { code: "not_supported", detail: detail.to_owned() })
}

async fn get_headers(call: Call, input: GetHeaders) -> Result<Done<EndpointHeadersOut>, ApiError> {
    let GetHeaders { app_id, destination_id } = input;
    let id = http_id(&call, &app_id, &destination_id).await?;
    headers::get_from(&call, (&app_id).into(), &id).await.map(Done)
}

async fn patch_headers(
    call: Call,
    input: PatchHeaders,
) -> Result<Done<EndpointHeadersOut>, ApiError> {
    let PatchHeaders { app_id, destination_id, body } = input;
    let id = http_id(&call, &app_id, &destination_id).await?;
    headers::patch_in(&call, (&app_id).into(), &id, body).await?;
    headers::get_from(&call, (&app_id).into(), &id).await.map(Done)
}

async fn get_secret(call: Call, input: GetSecret) -> Result<Done<EndpointSecretOut>, ApiError> {
    let GetSecret { app_id, destination_id } = input;
    let id = http_id(&call, &app_id, &destination_id).await?;
    secret::get_from(&call, (&app_id).into(), &id).await.map(Done)
}

async fn get_transformation(
    call: Call,
    input: GetTransformation,
) -> Result<Done<DestinationTransformationOut>, ApiError> {
    let GetTransformation { app_id, destination_id } = input;
    find(&call, &app_id, &destination_id).await?.ok_or(NOT_FOUND)?;
    let id = endpoint_id(&destination_id);
    let found = transformation::get_from(&call, (&app_id).into(), &id).await?;
    let EndpointTransformationOut { code, enabled, .. } = found;
    Ok(Done(DestinationTransformationOut { code, enabled }))
}

/// The code gets lists of events, as the hosted API gives them to destinations.
async fn patch_transformation(
    call: Call,
    input: PatchTransformation,
) -> Result<Done<EmptyResponse>, ApiError> {
    let PatchTransformation { app_id, destination_id, body } = input;
    find(&call, &app_id, &destination_id).await?.ok_or(NOT_FOUND)?;
    let id = endpoint_id(&destination_id);
    let enabled = Some(body.code.is_some());
    let code = body.code.map_or(FieldPatch::Clear, FieldPatch::Set);
    let change =
        EndpointTransformationPatch { code, enabled, variables: FieldPatch::Keep, connector: None };
    let change = (change, Form::Batch);
    transformation::patch_in(&call, (&app_id).into(), &id, change).await?;
    Ok(Done(EmptyResponse {}))
}

async fn rotate_secret(
    call: Call,
    input: RotateSecret,
) -> Result<Done<EndpointSecretOut>, ApiError> {
    let RotateSecret { app_id, destination_id, body } = input;
    let id = http_id(&call, &app_id, &destination_id).await?;
    secret::rotate_in(&call, (&app_id).into(), &id, body).await.map(Done)
}
