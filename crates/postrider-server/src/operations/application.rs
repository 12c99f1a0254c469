//! Applications.

use std::sync::Arc;

use http::Method;
use postrider::{
    ApplicationId,
    api::{
        ApplicationIn, ApplicationOut, ApplicationPatch, Capability, ListResponse, Ordering, Patch,
        UsageOut,
    },
};
use postrider_core::catalog::Application;
use postrider_engine::Entry;
use postrider_store::{IdOrUid, Key, Record, ScanPage, StoreError};

use crate::{
    api::{
        body::Json,
        error::ApiError,
        operation::{Operation, operation},
        page::Page,
        problems::Problems,
        query::{Limit, query},
        reply::{NoContent, Shown, Upserted},
    },
    auth::Access,
    operations::{call::Call, render},
};

const TAG: &str = "Application";

pub(super) fn operations() -> Vec<Operation> {
    let all = "/api/v1/app";
    let one = "/api/v1/app/{app_id}";
    let usage = "/api/v1/app/{app_id}/usage";
    vec![
        operation(Method::GET, all, "v1.application.list", TAG, "List applications").run(list),
        operation(Method::POST, all, "v1.application.create", TAG, "Create an application")
            .run(create),
        operation(Method::GET, one, "v1.application.get", TAG, "Get an application")
            .by(Access::Application(Capability::ViewBase))
            .run(get),
        operation(
            Method::PUT,
            one,
            "v1.application.update",
            TAG,
            "Replace or create an application",
        )
        .run(put),
        operation(Method::GET, usage, "v1.application.usage", TAG, "Get what an application uses")
            .by(Access::Application(Capability::ViewBase))
            .run(get_usage),
        operation(Method::PATCH, one, "v1.application.patch", TAG, "Change an application")
            .run(patch),
        operation(
            Method::DELETE,
            one,
            "v1.application.delete",
            TAG,
            "Delete an application with its endpoints",
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
        /// Leave out applications without endpoints.
        exclude_apps_with_no_endpoints: bool,
        /// Leave out applications with an endpoint that is disabled.
        exclude_apps_with_disabled_endpoints: bool,
        /// Leave out applications with an endpoint of the playground at `play.svix.com`.
        exclude_apps_with_svix_play_endpoints: bool,
    }

    CreateQuery {
        /// Answer 200 with the application if its uid is taken, instead of 409.
        get_if_exists: bool,
    }
}

async fn list(
    call: Call,
    query: ListQuery,
    (): (),
) -> Result<Shown<ListResponse<ApplicationOut>>, ApiError> {
    let order = query.order.unwrap_or_default();
    let mut page =
        Page::<ApplicationId>::new(&call, query.limit, query.iterator.as_deref(), order)?;
    let (call, query) = (&call, &query);
    let found = page
        .fill(async |scan| {
            let mut found = call.store().applications(call.organization(), scan).await?;
            sift(call, query, &mut found).await?;
            Ok(found)
        })
        .await?;
    Ok(Shown(page.list(found, |it| it.id, render::application)))
}

/// Leaves only the applications that the query does not exclude.
async fn sift(
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
    let plays = |url: &str| url.starts_with("https://play.svix.com/");
    (query.exclude_apps_with_no_endpoints && endpoints.is_empty())
        || (query.exclude_apps_with_disabled_endpoints && endpoints.iter().any(|it| it.disabled))
        || (query.exclude_apps_with_svix_play_endpoints
            && endpoints.iter().any(|it| plays(&it.url)))
}

async fn create(
    call: Call,
    query: CreateQuery,
    Json(body): Json<ApplicationIn>,
) -> Result<Upserted<ApplicationOut>, ApiError> {
    let application = build(&call, body, &["body"])?;
    let created = save(&call, application.clone(), true).await;
    match (created, application.uid.clone()) {
        (Ok(()), _) => Ok(Upserted::Created(render::application(application))),
        (Err(error @ ApiError::Conflict { .. }), Some(uid)) if query.get_if_exists => {
            let found = call.store().application(call.organization(), &IdOrUid::Uid(uid)).await?;
            found.map(|it| Upserted::Existing(render::application(it))).ok_or(error)
        },
        (Err(error), _) => Err(error),
    }
}

async fn get(call: Call, (): (), (): ()) -> Result<Shown<ApplicationOut>, ApiError> {
    let entry = call.application().await?;
    Ok(Shown(render::application(entry.application.clone())))
}

async fn get_usage(call: Call, (): (), (): ()) -> Result<Shown<UsageOut>, ApiError> {
    let entry = call.application().await?;
    call.context.accounts.usage(&call, &entry).await.map(Shown)
}

async fn put(
    call: Call,
    (): (),
    Json(body): Json<ApplicationIn>,
) -> Result<Upserted<ApplicationOut>, ApiError> {
    let Some(entry) = call.find_application().await? else {
        let application = build_named(&call, body, &["body"])?;
        save(&call, application.clone(), true).await?;
        return Ok(Upserted::Created(render::application(application)));
    };
    let _turn = call.context.exclusive(entry.application.id).await;
    let old = current(&call, &entry).await?;
    let new = build(&call, body, &["body"])?;
    let application = Application {
        id: old.id,
        ended_tokens: old.ended_tokens,
        created_at: old.created_at,
        ..new
    };
    save(&call, application.clone(), false).await?;
    Ok(Upserted::Existing(render::application(application)))
}

async fn patch(
    call: Call,
    (): (),
    Json(body): Json<ApplicationPatch>,
) -> Result<Shown<ApplicationOut>, ApiError> {
    let entry = call.application().await?;
    let _turn = call.context.exclusive(entry.application.id).await;
    let mut application = current(&call, &entry).await?;
    apply(&mut application, body)?;
    application.updated_at = call.now;
    save(&call, application.clone(), false).await?;
    Ok(Shown(render::application(application)))
}

fn apply(application: &mut Application, patch: ApplicationPatch) -> Result<(), ApiError> {
    let mut problems = Problems::within(&["body"]);
    if let Some(name) = patch.name {
        check_name(&name, &mut problems);
        application.name = name;
    }
    match patch.uid {
        Patch::Keep => {},
        Patch::Clear => application.uid = None,
        Patch::Set(uid) => application.uid = problems.uid::<ApplicationId>("uid", Some(&uid)),
    }
    match patch.throttle_rate.0 {
        Patch::Keep => {},
        Patch::Clear => application.throttle_rate = None,
        Patch::Set(rate) => application.throttle_rate = problems.throttle_rate(Some(rate)),
    }
    if let Some(metadata) = patch.metadata {
        problems.metadata(&metadata);
        application.metadata = metadata;
    }
    problems.finish()
}

async fn delete(call: Call, (): (), (): ()) -> Result<NoContent, ApiError> {
    let id = call.application().await?.application.id;
    let _turn = call.context.exclusive(id).await;
    if !call.store().remove(Key::Application(id)).await? {
        return Err(ApiError::NotFound("application"));
    }
    call.engine().changed(id).await?;
    Ok(NoContent)
}

/// The application as it is stored now.
async fn current(call: &Call, entry: &Entry) -> Result<Application, ApiError> {
    let found = call.store().application_by_id(entry.application.id).await?;
    found.ok_or(ApiError::NotFound("application"))
}

pub(super) async fn save(
    call: &Call,
    application: Application,
    create: bool,
) -> Result<(), ApiError> {
    let id = application.id;
    call.store().save(Record::Application(application), create).await?;
    Ok(call.engine().changed(id).await?)
}

/// A new application as the body describes it; `within` is where the body lies.
fn build(call: &Call, body: ApplicationIn, within: &[&str]) -> Result<Application, ApiError> {
    let mut problems = Problems::within(within);
    check_name(&body.name, &mut problems);
    let application = Application {
        id: call.engine().clock().application_id(),
        organization: call.organization().clone(),
        uid: problems.uid::<ApplicationId>("uid", body.uid.as_deref()),
        name: body.name,
        throttle_rate: problems.throttle_rate(body.throttle_rate.0),
        ended_tokens: Vec::new(),
        metadata: body.metadata,
        created_at: call.now,
        updated_at: call.now,
    };
    problems.metadata(&application.metadata);
    problems.or(application)
}

fn check_name(name: &str, problems: &mut Problems<'_>) {
    problems.demand(!name.is_empty(), "name", "must not be empty");
    problems.plain_text("name", name);
}

/// A new application that the path is to lead to.
fn build_named(call: &Call, body: ApplicationIn, within: &[&str]) -> Result<Application, ApiError> {
    let IdOrUid::Uid(uid) = call.named::<ApplicationId>("app_id")? else {
        return Err(ApiError::NotFound("application"));
    };
    let application = build(call, body, within)?;
    if application.uid.as_ref().is_some_and(|it| *it != uid) {
        let place = [within, &["uid"]].concat();
        return Err(ApiError::invalid(&place, "must be the uid of the path"));
    }
    Ok(Application { uid: Some(uid), ..application })
}

/// The application of the path, or a new one as the body's `application` describes it.
/// `place` is where that lies.
pub(super) async fn find_or_create(
    call: &Call,
    application: Option<ApplicationIn>,
    place: &[&str],
) -> Result<Arc<Entry>, ApiError> {
    match (call.find_application().await?, application) {
        (Some(entry), _) => Ok(entry),
        (None, None) => Err(ApiError::NotFound("application")),
        // In a box, because it is rare and large, and messages pass by here.
        (None, Some(application)) => Box::pin(create_inline(call, application, place)).await,
    }
}

async fn create_inline(
    call: &Call,
    application: ApplicationIn,
    place: &[&str],
) -> Result<Arc<Entry>, ApiError> {
    let place = [place, &["application"]].concat();
    let application = build_named(call, application, &place)?;
    let id = application.id;
    match call.store().save(Record::Application(application), true).await {
        // Somebody else was faster, which is as good.
        Ok(()) | Err(StoreError::Conflict { .. }) => {},
        Err(error) => return Err(error.into()),
    }
    call.engine().changed(id).await?;
    call.application().await
}
