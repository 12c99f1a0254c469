//! Endpoints.

mod action;
mod event_types;
pub(super) mod headers;
mod notify;
pub(super) mod secret;
mod trusted;
mod url;

pub(super) use self::action::enabled;
use self::notify::Change;

use http::Method;
use postrider::{
    EndpointId,
    api::{
        Capability, EndpointIn, EndpointOrdering, EndpointOut, EndpointPatch, EndpointUpdate,
        ListResponse, Ordering, Patch,
        endpoint::{CHANNEL_MARKS, MAX_CHANNEL, MAX_CHANNELS},
    },
};
use postrider_core::catalog::{self, Application, Endpoint};
use postrider_engine::Entry;
use postrider_store::{IdOrUid, Key, Record};

use crate::{
    api::{
        body::Json,
        error::ApiError,
        operation::{Operation, operation},
        page::Page,
        problems::{Problems, Words},
        query::{Limit, query},
        reply::{Created, NoContent, Shown, Upserted},
    },
    auth::Access,
    operations::{
        call::Call,
        custom_headers::{self, Owner},
        render, secrets,
    },
    quota,
};

const TAG: &str = "Endpoint";

const CHANNELS: Words = Words {
    field: "channels",
    least: 1,
    most: MAX_CHANNELS,
    length: MAX_CHANNEL,
    marks: CHANNEL_MARKS,
};

pub(super) fn operations() -> Vec<Operation> {
    let all = "/api/v1/app/{app_id}/endpoint";
    let one = "/api/v1/app/{app_id}/endpoint/{endpoint_id}";
    let read = Access::Application(Capability::ViewBase);
    let manage = Access::Application(Capability::ManageEndpoint);
    let mut operations = vec![
        operation(Method::GET, all, "v1.endpoint.list", TAG, "List endpoints").by(read).run(list),
        operation(Method::POST, all, "v1.endpoint.create", TAG, "Create an endpoint")
            .by(manage)
            .run(create),
        operation(Method::GET, one, "v1.endpoint.get", TAG, "Get an endpoint").by(read).run(get),
        operation(Method::PUT, one, "v1.endpoint.update", TAG, "Replace or create an endpoint")
            .by(manage)
            .run(put),
        operation(Method::PATCH, one, "v1.endpoint.patch", TAG, "Change an endpoint")
            .by(manage)
            .run(patch),
        operation(Method::DELETE, one, "v1.endpoint.delete", TAG, "Delete an endpoint")
            .by(manage)
            .run(delete),
    ];
    operations.extend(headers::operations());
    operations.extend(secret::operations());
    operations.extend(action::operations());
    operations
}

query! {
    ListQuery {
        /// Most items on the page.
        limit: Limit,
        /// The `iterator` or `prevIterator` of the page to go on from.
        iterator: Option<String>,
        /// Which way to walk; descending, newest first, if absent.
        order: Option<Ordering>,
    }
}

pub(super) async fn list(
    call: Call,
    query: ListQuery,
    (): (),
) -> Result<Shown<ListResponse<EndpointOut>>, ApiError> {
    let application = call.application().await?.application.id;
    let order = query.order.unwrap_or(Ordering::Descending);
    let mut page = Page::<EndpointId>::new(&call, query.limit, query.iterator.as_deref(), order)?;
    let found = page.fill(|scan| call.store().endpoints(application, scan)).await?;
    Ok(Shown(page.list(found, |it| it.id, |it| render::endpoint(&it))))
}

pub(super) async fn create(
    call: Call,
    (): (),
    Json(body): Json<EndpointIn>,
) -> Result<Created<EndpointOut>, ApiError> {
    let entry = call.application().await?;
    let _turn = call.context.exclusive(entry.application.id).await;
    quota::check_room(&call, entry.application.id).await?;
    let endpoint = build(&call, &entry.application, body)?;
    quota::check_endpoint(&call, None, &endpoint)?;
    event_types::check(&call, &entry.application, endpoint.event_types.as_deref(), &[]).await?;
    save(&call, &endpoint, true).await?;
    notify::tell(&call, &entry.application, &endpoint, Change::Created).await;
    Ok(Created(render::endpoint(&endpoint)))
}

pub(super) async fn get(call: Call, (): (), (): ()) -> Result<Shown<EndpointOut>, ApiError> {
    let entry = call.application().await?;
    Ok(Shown(render::endpoint(&*call.endpoint(&entry)?)))
}

pub(super) async fn put(
    call: Call,
    (): (),
    Json(body): Json<EndpointUpdate>,
) -> Result<Upserted<EndpointOut>, ApiError> {
    let entry = call.application().await?;
    let _turn = call.context.exclusive(entry.application.id).await;
    let Some(old) = find(&call, &entry).await? else {
        return put_new(&call, &entry.application, body).await.map(Upserted::Created);
    };
    let (order, strict_rate) = (body.ordering, body.strict_rate);
    let is_pinned = body.trusted_certificates.is_some();
    let new = build(&call, &entry.application, body.into())?;
    let endpoint = Endpoint {
        id: old.id,
        ordering: order.map_or(old.ordering, ordering),
        strict_rate: strict_rate.unwrap_or(old.strict_rate),
        trusted_certificates: if is_pinned {
            new.trusted_certificates.clone()
        } else {
            old.trusted_certificates.clone()
        },
        headers: old.headers.clone(),
        secret: old.secret.clone(),
        retired_secrets: old.retired_secrets.clone(),
        created_at: old.created_at,
        ..new
    };
    replace(&call, &entry.application, &old, &endpoint).await?;
    Ok(Upserted::Existing(render::endpoint(&endpoint)))
}

/// Creates the endpoint that the path names by the uid that it is to have.
async fn put_new(
    call: &Call,
    application: &Application,
    body: EndpointUpdate,
) -> Result<EndpointOut, ApiError> {
    let IdOrUid::Uid(uid) = call.named::<EndpointId>("endpoint_id")? else {
        return Err(ApiError::NotFound("endpoint"));
    };
    quota::check_room(call, application.id).await?;
    let endpoint = build(call, application, body.into())?;
    quota::check_endpoint(call, None, &endpoint)?;
    if endpoint.uid.as_ref().is_some_and(|it| *it != uid) {
        return Err(ApiError::invalid(&["body", "uid"], "must be the uid of the path"));
    }
    let endpoint = Endpoint { uid: Some(uid), ..endpoint };
    event_types::check(call, application, endpoint.event_types.as_deref(), &[]).await?;
    save(call, &endpoint, true).await?;
    notify::tell(call, application, &endpoint, Change::Created).await;
    Ok(render::endpoint(&endpoint))
}

async fn patch(
    call: Call,
    (): (),
    Json(body): Json<EndpointPatch>,
) -> Result<Shown<EndpointOut>, ApiError> {
    let entry = call.application().await?;
    let _turn = call.context.exclusive(entry.application.id).await;
    let old = current(&call, &entry).await?;
    let mut endpoint = old.clone();
    apply(&call, &mut endpoint, body)?;
    endpoint.updated_at = call.now;
    replace(&call, &entry.application, &old, &endpoint).await?;
    Ok(Shown(render::endpoint(&endpoint)))
}

fn apply(call: &Call, endpoint: &mut Endpoint, patch: EndpointPatch) -> Result<(), ApiError> {
    let mut problems = Problems::within(&["body"]);
    if let Some(text) = patch.url {
        url::check(call.settings(), &text, &mut problems);
        endpoint.url = text;
    }
    match patch.uid {
        Patch::Keep => {},
        Patch::Clear => endpoint.uid = None,
        Patch::Set(uid) => endpoint.uid = problems.uid::<EndpointId>("uid", Some(&uid)),
    }
    if let Some(description) = patch.description {
        problems.plain_text("description", &description);
        endpoint.description = description;
    }
    endpoint.disabled = patch.disabled.unwrap_or(endpoint.disabled);
    match patch.event_types.0 {
        Patch::Keep => {},
        Patch::Clear => endpoint.event_types = None,
        Patch::Set(names) => endpoint.event_types = Some(problems.event_types(names)),
    }
    match patch.channels {
        Patch::Keep => {},
        Patch::Clear => endpoint.channels = None,
        Patch::Set(words) => endpoint.channels = Some(problems.words(&CHANNELS, words)),
    }
    match patch.throttle_rate.0 {
        Patch::Keep => {},
        Patch::Clear => endpoint.throttle_rate = None,
        Patch::Set(rate) => endpoint.throttle_rate = problems.throttle_rate(Some(rate)),
    }
    endpoint.ordering = patch.ordering.map_or(endpoint.ordering, ordering);
    endpoint.strict_rate = patch.strict_rate.unwrap_or(endpoint.strict_rate);
    match patch.trusted_certificates {
        Patch::Keep => {},
        Patch::Clear => endpoint.trusted_certificates = None,
        Patch::Set(pem) => {
            endpoint.trusted_certificates = trusted::checked(Some(pem), &mut problems);
        },
    }
    if let Some(metadata) = patch.metadata {
        problems.metadata(&metadata);
        endpoint.metadata = metadata;
    }
    if let Some(secret) = patch.secret.and_then(|it| secrets::parse(&it, "secret", &mut problems)) {
        endpoint.secret = secrets::seal(call, &secret);
    }
    problems.finish()
}

pub(super) async fn delete(call: Call, (): (), (): ()) -> Result<NoContent, ApiError> {
    let entry = call.application().await?;
    let _turn = call.context.exclusive(entry.application.id).await;
    let endpoint = current(&call, &entry).await?;
    call.store().remove(Key::Endpoint(endpoint.application, endpoint.id)).await?;
    call.engine().changed(endpoint.application).await?;
    notify::tell(&call, &entry.application, &endpoint, Change::Deleted).await;
    Ok(NoContent)
}

/// The endpoint that the path names, as it is stored now.
async fn find(call: &Call, entry: &Entry) -> Result<Option<Endpoint>, ApiError> {
    let named = call.named::<EndpointId>("endpoint_id")?;
    Ok(call.store().endpoint(entry.application.id, &named).await?)
}

async fn current(call: &Call, entry: &Entry) -> Result<Endpoint, ApiError> {
    find(call, entry).await?.ok_or(ApiError::NotFound("endpoint"))
}

async fn save(call: &Call, endpoint: &Endpoint, create: bool) -> Result<(), ApiError> {
    call.store().save(Record::Endpoint(endpoint.clone()), create).await?;
    Ok(call.engine().changed(endpoint.application).await?)
}

/// Saves what an endpoint has become, and does what follows from the difference.
async fn replace(
    call: &Call,
    application: &Application,
    old: &Endpoint,
    new: &Endpoint,
) -> Result<(), ApiError> {
    quota::check_endpoint(call, Some(old), new)?;
    let known = old.event_types.as_deref().unwrap_or_default();
    event_types::check(call, application, new.event_types.as_deref(), known).await?;
    save(call, new, false).await?;
    notify::tell(call, application, new, Change::Updated).await;
    match (old.disabled, new.disabled) {
        (false, true) => notify::tell(call, application, new, Change::Disabled).await,
        (true, false) => {
            // What was kept while it was disabled goes on at once.
            call.engine().wake(new.application);
            notify::tell(call, application, new, Change::Enabled).await;
        },
        (true, true) | (false, false) => {},
    }
    Ok(())
}

const fn ordering(wire: EndpointOrdering) -> catalog::Ordering {
    match wire {
        EndpointOrdering::Any => catalog::Ordering::Any,
        EndpointOrdering::Fifo => catalog::Ordering::Fifo,
    }
}

/// A new endpoint as the body describes it.
fn build(call: &Call, application: &Application, body: EndpointIn) -> Result<Endpoint, ApiError> {
    let mut problems = Problems::within(&["body"]);
    url::check(call.settings(), &body.url, &mut problems);
    problems.plain_text("description", &body.description);
    problems.metadata(&body.metadata);
    custom_headers::check(&body.headers, &["headers"], Owner::Endpoint, &mut problems);
    quota::check_headers(call, 0, body.headers.len())?;
    let secret = secrets::given_or_new(call, body.secret.as_deref(), "secret", &mut problems);
    let endpoint = Endpoint {
        id: call.engine().clock().endpoint_id(),
        application: application.id,
        uid: problems.uid::<EndpointId>("uid", body.uid.as_deref()),
        url: body.url,
        description: body.description,
        event_types: body.event_types.0.map(|it| problems.event_types(it)),
        channels: body.channels.map(|it| problems.words(&CHANNELS, it)),
        headers: secrets::seal_at_rest(call, &body.headers),
        metadata: body.metadata,
        disabled: body.disabled,
        throttle_rate: problems.throttle_rate(body.throttle_rate.0),
        strict_rate: body.strict_rate.unwrap_or_default(),
        trusted_certificates: trusted::checked(body.trusted_certificates, &mut problems),
        ordering: ordering(body.ordering.unwrap_or_default()),
        secret: secrets::seal(call, &secret),
        retired_secrets: Vec::new(),
        created_at: call.now,
        updated_at: call.now,
    };
    problems.or(endpoint)
}
