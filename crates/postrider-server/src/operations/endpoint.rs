//! Endpoints.

pub(super) mod action;
mod authentication;
mod change;
mod credential;
pub(super) mod declaration;
pub(crate) mod declared;
mod disablement;
mod event_types;
pub(super) mod explanation;
pub(super) mod filter;
mod flow;
pub(super) mod headers;
mod kind;
pub(super) mod live_token;
pub(super) mod mtls;
mod notify;
pub(super) mod oauth;
pub(super) mod position;
pub(super) mod secret;
pub(super) mod server_ca;
pub(super) mod signing;
pub(super) mod transformation;
pub(super) mod trial;
mod trusted;
pub(super) mod url;

use postrider::{
    ApplicationId, EndpointId,
    api::{
        self, Capability, EndpointIn, EndpointOrdering, EndpointOut, EndpointPatch, EndpointUpdate,
        ListResponse, Permission,
        endpoint::{CHANNEL_MARKS, MAX_CHANNEL, MAX_CHANNELS},
    },
};
use postrider_core::{
    catalog::{self, Application, Endpoint},
    retry::AttemptLimit,
};
use postrider_engine::Entry;
use postrider_store::{Expected, IdOrUid, Records, Version};

pub(super) use self::kind::shown;
pub use self::{
    action::{GetStats, Recover, SendExample},
    explanation::Explain,
    filter::TestFilter,
    headers::{GetHeaders, PatchHeaders, UpdateHeaders},
    live_token::CreateLiveToken,
    mtls::{DeleteMtls, GetMtls, GetMtlsState, SetMtls},
    oauth::{DeleteOauth, GetOauth, GetOauthState, SetOauth},
    position::{ForceRetry, LastAckedEvent, NextEvent, Skip},
    secret::{GetSecret, RotateSecret},
    server_ca::{GetServerCa, SetServerCa},
    transformation::{
        GetConnector, GetTransformation, PatchTransformation, SimulateTransformation,
    },
    trial::{Check, CheckQuery, Test},
};
use self::{flow::Flow, kind::Location, notify::Change};
use crate::{
    api::{
        access::Access,
        body::Json,
        error::ApiError,
        operation::operations,
        path::new_uid,
        problems::{Problems, WordRule},
        reply::{Created, Done, NoContent, Upserted},
    },
    operations::{
        call::{self, ApplicationPath, Call},
        custom_headers::{self, Owner},
        environment,
        page::{Page, PageQuery},
        secrets,
    },
    race,
};

const CHANNELS: WordRule = WordRule {
    field: "channels",
    min_items: 1,
    max_items: MAX_CHANNELS,
    max_length: MAX_CHANNEL,
    marks: CHANNEL_MARKS,
};

operations! {
    tag "Endpoint";

    /// List endpoints
    List "v1.endpoint.list" = GET "/api/v1/app/{app_id}/endpoint"
        path { app_id: IdOrUid<ApplicationId> }
        query { PageQuery }
        -> Done<ListResponse<EndpointOut>> = list,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);

    /// Create an endpoint
    Create "v1.endpoint.create" = POST "/api/v1/app/{app_id}/endpoint"
        path { app_id: IdOrUid<ApplicationId> }
        query { CheckQuery }
        body { Json<EndpointIn> }
        -> Created<EndpointOut> = create,
        access(Access::Application(Capability::ManageEndpoint)),
        needs(Permission::Operate);

    /// Get an endpoint
    Get "v1.endpoint.get" = GET "/api/v1/app/{app_id}/endpoint/{endpoint_id}"
        path { app_id: IdOrUid<ApplicationId>, endpoint_id: IdOrUid<EndpointId> }
        -> Done<EndpointOut> = get,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);

    /// Replace or create an endpoint
    Update "v1.endpoint.update" = PUT "/api/v1/app/{app_id}/endpoint/{endpoint_id}"
        path { app_id: IdOrUid<ApplicationId>, endpoint_id: IdOrUid<EndpointId> }
        query { CheckQuery }
        body { Json<EndpointUpdate> }
        -> Upserted<EndpointOut> = update,
        access(Access::Application(Capability::ManageEndpoint)),
        needs(Permission::Operate);

    /// Change an endpoint
    Patch "v1.endpoint.patch" = PATCH "/api/v1/app/{app_id}/endpoint/{endpoint_id}"
        path { app_id: IdOrUid<ApplicationId>, endpoint_id: IdOrUid<EndpointId> }
        query { CheckQuery }
        body { Json<EndpointPatch> }
        -> Done<EndpointOut> = patch,
        access(Access::Application(Capability::ManageEndpoint)),
        needs(Permission::Operate);

    /// Delete an endpoint
    Delete "v1.endpoint.delete" = DELETE "/api/v1/app/{app_id}/endpoint/{endpoint_id}"
        path { app_id: IdOrUid<ApplicationId>, endpoint_id: IdOrUid<EndpointId> }
        -> NoContent = delete,
        access(Access::Application(Capability::ManageEndpoint)),
        needs(Permission::Operate);
}

async fn list(call: Call, input: List) -> Result<Done<ListResponse<EndpointOut>>, ApiError> {
    list_of(&call, (&input.app_id).into(), &input.query).await.map(Done)
}

/// Lists the endpoints of the application that a path names.
pub(super) async fn list_of(
    call: &Call,
    path: ApplicationPath<'_>,
    query: &PageQuery,
) -> Result<ListResponse<EndpointOut>, ApiError> {
    let application = call.application(path).await?.application.id;
    let mut page = Page::<EndpointId>::of(call, query)?;
    let found = page.fill(|scan| call.store().list::<Endpoint>(&application, scan)).await?;
    page.try_list(found, |endpoint| endpoint.id, |endpoint| shown(call, &endpoint))
}

async fn create(call: Call, input: Create) -> Result<Created<EndpointOut>, ApiError> {
    if input.query.check {
        let entry = call.application(&input.app_id).await?;
        let endpoint = build(&call, &entry.application, input.body.clone(), kind::of_new)?;
        trial::require_reachable(&call, &endpoint).await?;
    }
    create_in(&call, (&input.app_id).into(), input.body).await.map(Created)
}

/// Creates an endpoint of the application that a path names.
pub(super) async fn create_in(
    call: &Call,
    path: ApplicationPath<'_>,
    body: EndpointIn,
) -> Result<EndpointOut, ApiError> {
    create_as(call, path, body, None).await
}

/// The same with this id, if it is given.
pub(super) async fn create_as(
    call: &Call,
    path: ApplicationPath<'_>,
    body: EndpointIn,
    id: Option<EndpointId>,
) -> Result<EndpointOut, ApiError> {
    let entry = call.application(path).await?;
    let _lock = call.locks().application(entry.application.id).await;
    insert(call, path, &entry.application, body, id).await
}

async fn insert(
    call: &Call,
    path: ApplicationPath<'_>,
    application: &Application,
    body: EndpointIn,
    id: Option<EndpointId>,
) -> Result<EndpointOut, ApiError> {
    call.quotas().check_endpoint_count(call.engine().directory(), application.id).await?;
    let built = build(call, application, body, kind::of_new)?;
    let endpoint = Endpoint { id: id.unwrap_or(built.id), ..built };
    call.quotas().check_endpoint(None, &endpoint)?;
    if !path.is_operational() {
        environment::check_endpoint(call, None, &endpoint).await?;
    }
    event_types::check(call, application, path, endpoint.event_types.as_deref(), &[]).await?;
    save(call, &endpoint, Expected::New).await?;
    notify::send(call, application, &endpoint, Change::Created).await;
    shown(call, &endpoint)
}

async fn get(call: Call, input: Get) -> Result<Done<EndpointOut>, ApiError> {
    get_from(&call, (&input.app_id).into(), &input.endpoint_id).await.map(Done)
}

/// An endpoint of the application that a path names.
pub(super) async fn get_from(
    call: &Call,
    path: ApplicationPath<'_>,
    endpoint_id: &IdOrUid<EndpointId>,
) -> Result<EndpointOut, ApiError> {
    let entry = call.application(path).await?;
    shown(call, &*call::endpoint(&entry, endpoint_id)?)
}

async fn update(call: Call, input: Update) -> Result<Upserted<EndpointOut>, ApiError> {
    if input.query.check {
        let entry = call.application(&input.app_id).await?;
        let old = find(&call, &entry, &input.endpoint_id).await?;
        let endpoint = match old {
            Some((old, _)) => replaced(&call, &entry.application, &old, input.body.clone())?,
            None => build(&call, &entry.application, input.body.clone().into(), kind::of_new)?,
        };
        trial::require_reachable(&call, &endpoint).await?;
    }
    update_in(&call, (&input.app_id).into(), &input.endpoint_id, input.body).await
}

/// Replaces or creates an endpoint of the application that a path names.
pub(super) async fn update_in(
    call: &Call,
    path: ApplicationPath<'_>,
    endpoint_id: &IdOrUid<EndpointId>,
    body: EndpointUpdate,
) -> Result<Upserted<EndpointOut>, ApiError> {
    race::retry(|| try_update(call, path, endpoint_id, body.clone())).await
}

async fn try_update(
    call: &Call,
    path: ApplicationPath<'_>,
    endpoint_id: &IdOrUid<EndpointId>,
    body: EndpointUpdate,
) -> Result<Upserted<EndpointOut>, ApiError> {
    let entry = call.application(path).await?;
    let application = &entry.application;
    let _lock = call.locks().application(application.id).await;
    let Some(old) = find(call, &entry, endpoint_id).await? else {
        let uid = new_uid(endpoint_id, body.uid.as_deref(), "endpoint")?;
        let body = EndpointIn { uid: Some(uid.to_string()), ..body.into() };
        return insert(call, path, application, body, None).await.map(Upserted::Created);
    };
    let endpoint = replaced(call, application, &old.0, body)?;
    replace(call, path, application, &old, &endpoint).await?;
    Ok(Upserted::Existing(shown(call, &endpoint)?))
}

/// The endpoint after a `PUT`.
fn replaced(
    call: &Call,
    application: &Application,
    old: &Endpoint,
    mut body: EndpointUpdate,
) -> Result<Endpoint, ApiError> {
    let authentication = body.authentication.take().map_or(api::Patch::Keep, api::Patch::Set);
    let signing = body.signing.take().map_or(api::Patch::Keep, api::Patch::Set);
    let (order, strict_rate) = (body.ordering, body.strict_rate);
    let flow = Flow::given(body.batch.take(), body.paused.take(), body.skip_after.take());
    let is_pinned = body.trusted_certificates.is_some();
    let forwards_trace = body.forward_trace_context;
    let has_filter = body.filter.is_some();
    let given_kind = body.kind;
    let new = build(call, application, body.into(), |call, body, problems| {
        kind::of_replaced(call, old, body, given_kind, problems)
    })?;
    let mut problems = Problems::within(&["body"]);
    let authentication =
        authentication::changed(call, old, &new.url, authentication, &mut problems)?;
    let signing = signing::changed(call, old.signing.as_deref(), signing, &mut problems)?;
    // A client that does not know these fields does not lose them.
    let mut endpoint = Endpoint {
        id: old.id,
        managed_by: old.managed_by.clone(),
        ordering: order.map_or(old.ordering, ordering),
        strict_rate: strict_rate.unwrap_or(old.strict_rate),
        filter: if has_filter { new.filter.clone() } else { old.filter.clone() },
        trusted_certificates: if is_pinned {
            new.trusted_certificates.clone()
        } else {
            old.trusted_certificates.clone()
        },
        forward_trace_context: forwards_trace.unwrap_or(old.forward_trace_context),
        authentication,
        signing,
        headers: old.headers.clone(),
        batch: old.batch,
        attempt_limit: old.attempt_limit,
        paused: old.paused,
        retry_requested_at: old.retry_requested_at,
        transformation: old.transformation.clone(),
        polling_tokens: old.polling_tokens.clone(),
        secret: old.secret.clone(),
        retired_secrets: old.retired_secrets.clone(),
        created_at: old.created_at,
        ..new
    };
    flow.apply(&mut endpoint, &mut problems);
    signing::check(&endpoint, &mut problems);
    problems.finish_with(endpoint)
}

async fn patch(call: Call, input: Patch) -> Result<Done<EndpointOut>, ApiError> {
    if input.query.check {
        let entry = call.application(&input.app_id).await?;
        let (mut endpoint, _) = current(&call, &entry, &input.endpoint_id).await?;
        apply(&call, &mut endpoint, input.body.clone())?;
        trial::require_reachable(&call, &endpoint).await?;
    }
    patch_in(&call, &input).await.map(Done)
}

/// Changes an endpoint, without checking whether it can be reached.
pub(super) async fn patch_in(call: &Call, input: &Patch) -> Result<EndpointOut, ApiError> {
    race::retry(|| try_patch(call, input)).await
}

async fn try_patch(call: &Call, input: &Patch) -> Result<EndpointOut, ApiError> {
    let entry = call.application(&input.app_id).await?;
    let _lock = call.locks().application(entry.application.id).await;
    let old = current(call, &entry, &input.endpoint_id).await?;
    let mut endpoint = old.0.clone();
    apply(call, &mut endpoint, input.body.clone())?;
    endpoint.updated_at = call.now;
    replace(call, (&input.app_id).into(), &entry.application, &old, &endpoint).await?;
    shown(call, &endpoint)
}

fn apply(call: &Call, endpoint: &mut Endpoint, patch: EndpointPatch) -> Result<(), ApiError> {
    let (mut problems, old) = (Problems::within(&["body"]), endpoint.clone());
    kind::check_unchanged(endpoint.kind, patch.kind, &mut problems);
    kind::check_http_only_patch(endpoint.kind, &patch, &mut problems);
    if let Some(config) = &patch.config {
        let Location { config, url, .. } = kind::changed(call, endpoint, config, &mut problems)?;
        (endpoint.config, endpoint.url) = (config, url);
    }
    if let Some(text) = patch.url {
        change_url(call, endpoint, text, &mut problems);
    }
    match patch.uid {
        api::Patch::Keep => {},
        api::Patch::Clear => endpoint.uid = None,
        api::Patch::Set(uid) => endpoint.uid = problems.uid::<EndpointId>("uid", Some(&uid)),
    }
    if let Some(description) = patch.description {
        problems.plain_text("description", &description);
        endpoint.description = description;
    }
    endpoint.disabled = patch.disabled.unwrap_or(endpoint.disabled);
    match patch.event_types.0 {
        api::Patch::Keep => {},
        api::Patch::Clear => endpoint.event_types = None,
        api::Patch::Set(names) => endpoint.event_types = Some(problems.event_types(names)),
    }
    match patch.channels {
        api::Patch::Keep => {},
        api::Patch::Clear => endpoint.channels = None,
        api::Patch::Set(words) => endpoint.channels = Some(problems.words(&CHANNELS, words)),
    }
    match patch.filter {
        api::Patch::Keep => {},
        api::Patch::Clear => endpoint.filter = None,
        api::Patch::Set(text) => endpoint.filter = filter::checked(Some(text), &mut problems),
    }
    match patch.throttle_rate.0 {
        api::Patch::Keep => {},
        api::Patch::Clear => endpoint.throttle_rate = None,
        api::Patch::Set(rate) => endpoint.throttle_rate = problems.throttle_rate(Some(rate)),
    }
    endpoint.ordering = patch.ordering.map_or(endpoint.ordering, ordering);
    endpoint.strict_rate = patch.strict_rate.unwrap_or(endpoint.strict_rate);
    let flow = Flow { batch: patch.batch, paused: patch.paused, skip_after: patch.skip_after };
    flow.apply(endpoint, &mut problems);
    match patch.trusted_certificates {
        api::Patch::Keep => {},
        api::Patch::Clear => endpoint.trusted_certificates = None,
        // It was refused above.
        api::Patch::Set(_) if !endpoint.kind.is_http() => {},
        api::Patch::Set(pem) => {
            endpoint.trusted_certificates = trusted::checked(Some(pem), &mut problems);
        },
    }
    endpoint.forward_trace_context =
        patch.forward_trace_context.unwrap_or(endpoint.forward_trace_context);
    endpoint.authentication =
        authentication::changed(call, &old, &endpoint.url, patch.authentication, &mut problems)?;
    endpoint.signing =
        signing::changed(call, old.signing.as_deref(), patch.signing, &mut problems)?;
    signing::check(endpoint, &mut problems);
    change_metadata(endpoint, patch.metadata, &mut problems);
    if let Some(text) = patch.secret {
        signing::change_secret(call, endpoint, &text, &mut problems)?;
    }
    problems.finish()
}

fn change_url(call: &Call, endpoint: &mut Endpoint, text: String, problems: &mut Problems<'_>) {
    if endpoint.kind.is_http() {
        url::check(call.settings(), &text, problems);
        endpoint.url = text;
    } else if text != endpoint.url {
        problems.add(&["url"], "is only for the kind `http`; change `config` instead");
    }
}

fn change_metadata(
    endpoint: &mut Endpoint,
    new: Option<api::Metadata>,
    problems: &mut Problems<'_>,
) {
    if let Some(metadata) = new {
        problems.metadata(&metadata);
        endpoint.metadata = metadata;
    }
}

async fn delete(call: Call, input: Delete) -> Result<NoContent, ApiError> {
    delete_from(&call, (&input.app_id).into(), &input.endpoint_id).await.map(|()| NoContent)
}

/// Deletes an endpoint of the application that a path names.
pub(super) async fn delete_from(
    call: &Call,
    path: ApplicationPath<'_>,
    endpoint_id: &IdOrUid<EndpointId>,
) -> Result<(), ApiError> {
    let entry = call.application(path).await?;
    let _lock = call.locks().application(entry.application.id).await;
    let (endpoint, _) = current(call, &entry, endpoint_id).await?;
    call.store().remove::<Endpoint>(&endpoint.application, &endpoint.id).await?;
    call.engine().changed(endpoint.application).await?;
    notify::send(call, &entry.application, &endpoint, Change::Deleted).await;
    Ok(())
}

/// An endpoint as it is stored now.
async fn find(
    call: &Call,
    entry: &Entry,
    endpoint_id: &IdOrUid<EndpointId>,
) -> Result<Option<(Endpoint, Version)>, ApiError> {
    Ok(call.store().get_versioned::<Endpoint>(&entry.application.id, endpoint_id).await?)
}

async fn current(
    call: &Call,
    entry: &Entry,
    endpoint_id: &IdOrUid<EndpointId>,
) -> Result<(Endpoint, Version), ApiError> {
    find(call, entry, endpoint_id).await?.ok_or(ApiError::NotFound("endpoint"))
}

async fn save(call: &Call, endpoint: &Endpoint, expected: Expected) -> Result<(), ApiError> {
    call.store().save(endpoint, expected).await?;
    Ok(call.engine().changed(endpoint.application).await?)
}

/// Saves a changed endpoint, and reports to the operator what has changed.
async fn replace(
    call: &Call,
    path: ApplicationPath<'_>,
    application: &Application,
    (old, version): &(Endpoint, Version),
    new: &Endpoint,
) -> Result<(), ApiError> {
    call.quotas().check_endpoint(Some(old), new)?;
    if !path.is_operational() {
        environment::check_endpoint(call, Some(old), new).await?;
    }
    let known = old.event_types.as_deref().unwrap_or_default();
    event_types::check(call, application, path, new.event_types.as_deref(), known).await?;
    let new = disablement::noted(call, old, new);
    save(call, &new, Expected::Version(*version)).await?;
    report(call, application, old, &new).await;
    Ok(())
}

/// Reports a change that was saved to the operator.
async fn report(call: &Call, application: &Application, old: &Endpoint, new: &Endpoint) {
    notify::send(call, application, new, Change::Updated).await;
    if old.is_stopped() && !new.is_stopped() {
        // Deliveries that were kept while it was disabled or paused continue at once.
        call.engine().wake(new.application);
    }
    match (old.disabled, new.disabled) {
        (false, true) => notify::send(call, application, new, Change::Disabled).await,
        (true, false) => notify::send(call, application, new, Change::Enabled).await,
        (true, true) | (false, false) => {},
    }
}

/// Reports what applying a declaration has made of an endpoint to the operator.
pub(super) async fn report_declared(
    call: &Call,
    application: &Application,
    old: Option<&Endpoint>,
    new: Option<&Endpoint>,
) {
    match (old, new) {
        (Some(old), Some(new)) => report(call, application, old, new).await,
        (None, Some(new)) => notify::send(call, application, new, Change::Created).await,
        (Some(old), None) => notify::send(call, application, old, Change::Deleted).await,
        (None, None) => {},
    }
}

const fn ordering(wire: EndpointOrdering) -> catalog::Ordering {
    match wire {
        EndpointOrdering::Any => catalog::Ordering::Any,
        EndpointOrdering::Fifo => catalog::Ordering::Fifo,
    }
}

/// A new endpoint from the body.
fn build(
    call: &Call,
    application: &Application,
    body: EndpointIn,
    locate: impl FnOnce(&Call, &EndpointIn, &mut Problems<'_>) -> Result<Location, ApiError>,
) -> Result<Endpoint, ApiError> {
    let mut problems = Problems::within(&["body"]);
    let Location { kind, config, url } = locate(call, &body, &mut problems)?;
    problems.plain_text("description", &body.description);
    problems.metadata(&body.metadata);
    custom_headers::check(&body.headers, &["headers"], Owner::Endpoint, &mut problems);
    call.quotas().check_headers(0, body.headers.len())?;
    let (signing, secret) = signing::given(body.signing, body.secret);
    let signing = signing::changed(call, None, signing, &mut problems)?;
    let secret = secrets::parse_or_generate(call, secret.as_deref(), "secret", &mut problems);
    let flow = Flow::given(body.batch, body.paused, body.skip_after);
    let mut endpoint = Endpoint {
        managed_by: None,
        transformation: None,
        signing,
        id: call.engine().clock().endpoint_id(),
        application: application.id,
        uid: problems.uid::<EndpointId>("uid", body.uid.as_deref()),
        kind,
        config,
        url,
        description: body.description,
        event_types: body.event_types.0.map(|it| problems.event_types(it)),
        channels: body.channels.map(|it| problems.words(&CHANNELS, it)),
        filter: filter::checked(body.filter, &mut problems),
        headers: secrets::seal_at_rest(call, &body.headers),
        metadata: body.metadata,
        disabled: body.disabled,
        throttle_rate: problems.throttle_rate(body.throttle_rate.0),
        strict_rate: body.strict_rate.unwrap_or_default(),
        trusted_certificates: trusted::checked(body.trusted_certificates, &mut problems),
        forward_trace_context: body.forward_trace_context.unwrap_or_default(),
        authentication: authentication::of_new(call, body.authentication, &mut problems),
        ordering: ordering(body.ordering.unwrap_or_default()),
        secret: secrets::seal(call, &secret),
        polling_tokens: Vec::new(),
        batch: None,
        attempt_limit: AttemptLimit::default(),
        paused: false,
        retry_requested_at: None,
        retired_secrets: Vec::new(),
        disablement: body.disabled.then(|| disablement::requested(call)),
        created_at: call.now,
        updated_at: call.now,
    };
    flow.apply(&mut endpoint, &mut problems);
    signing::check(&endpoint, &mut problems);
    problems.finish_with(endpoint)
}
