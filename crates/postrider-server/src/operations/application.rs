//! Applications.

pub(super) mod declaration;

use std::sync::Arc;

use postrider::{
    ApplicationId,
    api::{
        self, ApplicationIn, ApplicationOut, ApplicationPatch, Capability, ListResponse, Ordering,
        Permission, UsageOut,
    },
};
use postrider_core::catalog::{Application, ApplicationMode};
use postrider_engine::Entry;
use postrider_store::{Expected, IdOrUid, Records, ScanPage, StoreError, Version};

use crate::{
    api::{
        access::Access,
        body::Json,
        error::ApiError,
        operation::operations,
        problems::Problems,
        query::{Limit, query},
        reply::{Done, NoContent, Upserted},
    },
    operations::{
        call::{ApplicationPath, Call},
        page::Page,
        render, secrets,
    },
    race,
};

operations! {
    tag "Application";

    /// List applications
    List "v1.application.list" = GET "/api/v1/app"
        query { ListQuery }
        -> Done<ListResponse<ApplicationOut>> = list,
        needs(Permission::Read);

    /// Create an application
    Create "v1.application.create" = POST "/api/v1/app"
        query { CreateQuery }
        body { Json<ApplicationIn> }
        -> Upserted<ApplicationOut> = create,
        needs(Permission::Operate);

    /// Get an application
    Get "v1.application.get" = GET "/api/v1/app/{app_id}"
        path { app_id: IdOrUid<ApplicationId> }
        -> Done<ApplicationOut> = get,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);

    /// Replace or create an application
    Update "v1.application.update" = PUT "/api/v1/app/{app_id}"
        path { app_id: IdOrUid<ApplicationId> }
        body { Json<ApplicationIn> }
        -> Upserted<ApplicationOut> = update,
        needs(Permission::Operate);

    /// Get the usage and the quotas of an application
    GetUsage "v1.application.usage" = GET "/api/v1/app/{app_id}/usage"
        path { app_id: IdOrUid<ApplicationId> }
        -> Done<UsageOut> = get_usage,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);

    /// Change an application
    Patch "v1.application.patch" = PATCH "/api/v1/app/{app_id}"
        path { app_id: IdOrUid<ApplicationId> }
        body { Json<ApplicationPatch> }
        -> Done<ApplicationOut> = patch,
        needs(Permission::Operate);

    /// Delete an application with its endpoints
    Delete "v1.application.delete" = DELETE "/api/v1/app/{app_id}"
        path { app_id: IdOrUid<ApplicationId> }
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
        /// Exclude applications without endpoints.
        exclude_apps_with_no_endpoints: bool,
        /// Exclude applications with a disabled endpoint.
        exclude_apps_with_disabled_endpoints: bool,
        /// Exclude applications with an endpoint at `play.svix.com`.
        exclude_apps_with_svix_play_endpoints: bool,
    }

    CreateQuery {
        /// If the uid is taken, respond with 200 and the existing application instead of 409.
        get_if_exists: bool,
    }
}

async fn list(
    call: Call,
    List { query }: List,
) -> Result<Done<ListResponse<ApplicationOut>>, ApiError> {
    let order = query.order.unwrap_or_default();
    let iterator = query.iterator.as_deref();
    let mut page = Page::<ApplicationId>::new(&call, query.limit, iterator, order)?;
    let (call, query) = (&call, &query);
    let found = page
        .fill(async |scan| {
            let mut found = call.store().list::<Application>(call.organization(), scan).await?;
            remove_excluded(call, query, &mut found).await?;
            Ok(found)
        })
        .await?;
    Ok(Done(page.list(found, |it| it.id, render::application)))
}

/// Removes the applications that the query excludes.
async fn remove_excluded(
    call: &Call,
    query: &ListQuery,
    found: &mut ScanPage<Application, ApplicationId>,
) -> Result<(), StoreError> {
    let excludes = query.exclude_apps_with_no_endpoints
        || query.exclude_apps_with_disabled_endpoints
        || query.exclude_apps_with_svix_play_endpoints;
    if !excludes {
        return Ok(());
    }
    let mut kept = Vec::new();
    for application in std::mem::take(&mut found.items) {
        let named = IdOrUid::Id(application.id);
        let entry = call.engine().directory().find(call.organization(), &named).await?;
        if entry.is_some_and(|entry| !excluded(query, &entry)) {
            kept.push(application);
        }
    }
    found.items = kept;
    Ok(())
}

fn excluded(query: &ListQuery, entry: &Entry) -> bool {
    let endpoints = &entry.endpoints;
    let is_playground = |url: &str| url.starts_with("https://play.svix.com/");
    (query.exclude_apps_with_no_endpoints && endpoints.is_empty())
        || (query.exclude_apps_with_disabled_endpoints && endpoints.iter().any(|it| it.disabled))
        || (query.exclude_apps_with_svix_play_endpoints
            && endpoints.iter().any(|it| is_playground(&it.url)))
}

async fn create(
    call: Call,
    Create { query, body }: Create,
) -> Result<Upserted<ApplicationOut>, ApiError> {
    let application = build_new(&call, body, &["body"])?;
    let created = save(&call, application.clone(), Expected::New).await;
    match (created, application.uid.clone()) {
        (Ok(()), _) => Ok(Upserted::Created(render::application(application))),
        (Err(error @ ApiError::Conflict { .. }), Some(uid)) if query.get_if_exists => {
            let found =
                call.store().get::<Application>(call.organization(), &IdOrUid::Uid(uid)).await?;
            found.map(|it| Upserted::Existing(render::application(it))).ok_or(error)
        },
        (Err(error), _) => Err(error),
    }
}

async fn get(call: Call, Get { app_id }: Get) -> Result<Done<ApplicationOut>, ApiError> {
    let entry = call.application(&app_id).await?;
    Ok(Done(render::application(entry.application.clone())))
}

async fn get_usage(call: Call, GetUsage { app_id }: GetUsage) -> Result<Done<UsageOut>, ApiError> {
    let entry = call.application(&app_id).await?;
    let mut headers = 0;
    for endpoint in &entry.endpoints {
        headers = headers.max(secrets::open_at_rest(&call, &endpoint.headers)?.len());
    }
    call.quotas().usage(call.reader(), &entry, headers, call.now).await.map(Done)
}

async fn update(
    call: Call,
    Update { app_id, body }: Update,
) -> Result<Upserted<ApplicationOut>, ApiError> {
    let Some(entry) = call.find_application(&app_id).await? else {
        let application = build_named(&call, &app_id, body, &["body"])?;
        save(&call, application.clone(), Expected::New).await?;
        return Ok(Upserted::Created(render::application(application)));
    };
    let id = entry.application.id;
    race::retry(|| replace(&call, id, body.clone())).await.map(Upserted::Existing)
}

async fn replace(
    call: &Call,
    id: ApplicationId,
    body: ApplicationIn,
) -> Result<ApplicationOut, ApiError> {
    let _lock = call.locks().application(id).await;
    let (old, version) = current(call, id).await?;
    let mode = body.mode.map_or(old.mode, mode);
    let new = build(call, body, &["body"])?;
    let application = Application {
        id: old.id,
        mode,
        managed_by: old.managed_by,
        ended_tokens: old.ended_tokens,
        cutoffs: old.cutoffs,
        integrations: old.integrations,
        auto_configs: old.auto_configs,
        settings: old.settings,
        created_at: old.created_at,
        ..new
    };
    save(call, application.clone(), Expected::Version(version)).await?;
    Ok(render::application(application))
}

async fn patch(
    call: Call,
    Patch { app_id, body }: Patch,
) -> Result<Done<ApplicationOut>, ApiError> {
    let id = call.application(&app_id).await?.application.id;
    race::retry(|| change(&call, id, body.clone())).await.map(Done)
}

async fn change(
    call: &Call,
    id: ApplicationId,
    patch: ApplicationPatch,
) -> Result<ApplicationOut, ApiError> {
    let _lock = call.locks().application(id).await;
    let (mut application, version) = current(call, id).await?;
    apply(&mut application, patch)?;
    application.updated_at = call.now;
    save(call, application.clone(), Expected::Version(version)).await?;
    Ok(render::application(application))
}

fn apply(application: &mut Application, patch: ApplicationPatch) -> Result<(), ApiError> {
    let mut problems = Problems::within(&["body"]);
    if let Some(name) = patch.name {
        check_name(&name, &mut problems);
        application.name = name;
    }
    match patch.uid {
        api::Patch::Keep => {},
        api::Patch::Clear => application.uid = None,
        api::Patch::Set(uid) => application.uid = problems.uid::<ApplicationId>("uid", Some(&uid)),
    }
    match patch.throttle_rate.0 {
        api::Patch::Keep => {},
        api::Patch::Clear => application.throttle_rate = None,
        api::Patch::Set(rate) => application.throttle_rate = problems.throttle_rate(Some(rate)),
    }
    application.mode = patch.mode.map_or(application.mode, mode);
    if let Some(metadata) = patch.metadata {
        problems.metadata(&metadata);
        application.metadata = metadata;
    }
    problems.finish()
}

async fn delete(call: Call, Delete { app_id }: Delete) -> Result<NoContent, ApiError> {
    let id = call.application(&app_id).await?.application.id;
    let _lock = call.locks().application(id).await;
    if !call.store().remove::<Application>(call.organization(), &id).await? {
        return Err(ApiError::NotFound("application"));
    }
    call.engine().changed(id).await?;
    Ok(NoContent)
}

/// The application, as it is stored now.
pub(super) async fn current(
    call: &Call,
    id: ApplicationId,
) -> Result<(Application, Version), ApiError> {
    let found = call.store().find_versioned::<Application>(id).await?;
    found.ok_or(ApiError::NotFound("application"))
}

pub(super) async fn save(
    call: &Call,
    application: Application,
    expected: Expected,
) -> Result<(), ApiError> {
    let id = application.id;
    call.store().save(&application, expected).await?;
    Ok(call.engine().changed(id).await?)
}

/// Changes the application as it is stored now.
pub(super) async fn modify<T>(
    call: &Call,
    id: ApplicationId,
    change: impl Fn(&mut Application) -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    race::retry(async || {
        let _lock = call.locks().application(id).await;
        let (mut application, version) = current(call, id).await?;
        let result = change(&mut application)?;
        save(call, application, Expected::Version(version)).await?;
        Ok(result)
    })
    .await
}

/// A new application from the body. A key of one application cannot create others.
fn build_new(call: &Call, body: ApplicationIn, within: &[&str]) -> Result<Application, ApiError> {
    if call.principal.grant.application.is_some() {
        return Err(ApiError::Forbidden("a key of one application cannot create applications"));
    }
    build(call, body, within)
}

/// An application from the body, whose location in the request is `within`.
fn build(call: &Call, body: ApplicationIn, within: &[&str]) -> Result<Application, ApiError> {
    let mut problems = Problems::within(within);
    check_name(&body.name, &mut problems);
    let application = Application {
        managed_by: None,
        id: call.engine().clock().application_id(),
        organization: call.organization().clone(),
        uid: problems.uid::<ApplicationId>("uid", body.uid.as_deref()),
        name: body.name,
        throttle_rate: problems.throttle_rate(body.throttle_rate.0),
        mode: mode(body.mode.unwrap_or_default()),
        ended_tokens: Vec::new(),
        cutoffs: Vec::new(),
        integrations: Vec::new(),
        auto_configs: Vec::new(),
        settings: None,
        metadata: body.metadata,
        created_at: call.now,
        updated_at: call.now,
    };
    problems.metadata(&application.metadata);
    problems.finish_with(application)
}

const fn mode(wire: api::ApplicationMode) -> ApplicationMode {
    match wire {
        api::ApplicationMode::Live => ApplicationMode::Live,
        api::ApplicationMode::Shadow => ApplicationMode::Shadow,
    }
}

fn check_name(name: &str, problems: &mut Problems<'_>) {
    problems.require(!name.is_empty(), "name", "must not be empty");
    problems.plain_text("name", name);
}

/// A new application with the uid that the path names it by.
fn build_named(
    call: &Call,
    path: &IdOrUid<ApplicationId>,
    body: ApplicationIn,
    within: &[&str],
) -> Result<Application, ApiError> {
    let IdOrUid::Uid(uid) = path else {
        return Err(ApiError::NotFound("application"));
    };
    let application = build_new(call, body, within)?;
    if application.uid.as_ref().is_some_and(|it| it != uid) {
        let place = [within, &["uid"]].concat();
        return Err(ApiError::invalid(&place, "must be the uid of the path"));
    }
    Ok(Application { uid: Some(uid.clone()), ..application })
}

/// The application of the path, or a new one as the `application` of the body at `place`
/// describes it.
pub(super) async fn find_or_create(
    call: &Call,
    path: ApplicationPath<'_>,
    application: Option<ApplicationIn>,
    place: &[&str],
) -> Result<Arc<Entry>, ApiError> {
    match (call.find_application(path).await?, application, path) {
        (Some(entry), _, _) => Ok(entry),
        // In a box, because it is rare and large, and every published message comes here.
        (None, Some(application), ApplicationPath::Application(named)) => {
            Box::pin(create_inline(call, named, application, place)).await
        },
        (None, None, _)
        | (None, Some(_), ApplicationPath::Source(_) | ApplicationPath::Operational) => {
            Err(ApiError::NotFound("application"))
        },
    }
}

async fn create_inline(
    call: &Call,
    path: &IdOrUid<ApplicationId>,
    application: ApplicationIn,
    place: &[&str],
) -> Result<Arc<Entry>, ApiError> {
    let place = [place, &["application"]].concat();
    let application = build_named(call, path, application, &place)?;
    let id = application.id;
    match call.store().save(&application, Expected::New).await {
        // On a conflict, another request has just created it.
        Ok(_) | Err(StoreError::Conflict { .. }) => {},
        Err(error) => return Err(error.into()),
    }
    call.engine().changed(id).await?;
    call.application(path).await
}
