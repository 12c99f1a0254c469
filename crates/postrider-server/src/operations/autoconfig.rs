//! Subscriptions that their receivers configure.

mod token;

use postrider::{
    ApplicationId, AutoConfigId, EndpointId,
    api::{
        Capability, EndpointHeadersIn, EndpointIn, EndpointOut, EndpointSecretRotateIn,
        ListResponse,
        autoconfig::{
            AutoConfigOut, AutoConfigStatus, AutoConfigSubscriptionOut,
            CreateAutoConfigSubscriptionIn, MAX_SUBSCRIPTIONS, RotateSubscriptionIn,
        },
        destination::{DestinationIn, DestinationOut},
    },
    name::MAX_NAME,
    signature::Secret,
};
use postrider_core::catalog::{Application, AutoConfig};
use postrider_engine::Entry;
use postrider_store::{IdOrUid, ScanPage};

use self::token::Issued;
use super::application;
use crate::{
    api::{
        access::Access,
        body::{Json, OptionalJson},
        convert::to_wire,
        error::ApiError,
        operation::operations,
        problems::{Problems, WordRule},
        reply::{Created, Done, NoContent},
    },
    auth::key::KeyId,
    operations::{
        call::{self, ApplicationPath, Call},
        destination,
        endpoint::{self, headers, secret},
        page::{Page, PageQuery},
        secrets,
    },
};
use postrider::api::Permission;

const FLAGS: WordRule = WordRule {
    field: "featureFlags",
    min_items: 0,
    max_items: 100,
    max_length: MAX_NAME,
    marks: "-_.",
};

operations! {
    tag "AutoConfig";

    /// List the subscriptions of an application that configure themselves
    List "v1.autoconfig.list" = GET "/api/v1/app/{app_id}/autoconfig"
        path { app_id: IdOrUid<ApplicationId> }
        query { PageQuery }
        -> Done<ListResponse<AutoConfigSubscriptionOut>> = list,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);

    /// Create a subscription that its receiver configures
    Create "v1.autoconfig.create" = POST "/api/v1/app/{app_id}/autoconfig"
        path { app_id: IdOrUid<ApplicationId> }
        body { OptionalJson<CreateAutoConfigSubscriptionIn> }
        -> Created<AutoConfigOut> = create,
        access(Access::Application(Capability::ManageEndpoint)),
        needs(Permission::Operate);

    /// Get a subscription that its receiver configures
    Get "v1.autoconfig.get" = GET "/api/v1/app/{app_id}/autoconfig/{autoconfig_id}"
        path { app_id: IdOrUid<ApplicationId>, autoconfig_id: AutoConfigId }
        -> Done<AutoConfigSubscriptionOut> = get,
        access(Access::AutoConfig),
        needs(Permission::Read);

    /// Delete a subscription and its token; the endpoint stays
    Delete "v1.autoconfig.delete" = DELETE "/api/v1/app/{app_id}/autoconfig/{autoconfig_id}"
        path { app_id: IdOrUid<ApplicationId>, autoconfig_id: AutoConfigId }
        -> NoContent = delete,
        access(Access::Application(Capability::ManageEndpoint)),
        needs(Permission::Operate);

    /// Replace the token and the signing secret of a subscription
    Rotate "v1.autoconfig.rotate" = POST "/api/v1/app/{app_id}/autoconfig/{autoconfig_id}/rotate"
        path { app_id: IdOrUid<ApplicationId>, autoconfig_id: AutoConfigId }
        body { OptionalJson<RotateSubscriptionIn> }
        -> Created<AutoConfigOut> = rotate,
        access(Access::Application(Capability::ManageEndpoint)),
        needs(Permission::Operate);

    /// Create or replace the endpoint of a subscription, with the subscription's token
    SubscribeEndpoint "v1.autoconfig.endpoint.subscribe" = PUT "/api/v1/app/{app_id}/autoconfig/{autoconfig_id}/endpoint"
        path { app_id: IdOrUid<ApplicationId>, autoconfig_id: AutoConfigId }
        body { Json<EndpointIn> }
        -> Done<EndpointOut> = subscribe_endpoint,
        access(Access::AutoConfig),
        needs(Permission::Operate);

    /// Create or replace the destination of a subscription, with the subscription's token
    SubscribeDestination "v1.autoconfig.destination.subscribe" = PUT "/api/v1/app/{app_id}/autoconfig/{autoconfig_id}/destination"
        path { app_id: IdOrUid<ApplicationId>, autoconfig_id: AutoConfigId }
        body { Json<DestinationIn> }
        -> Done<DestinationOut> = subscribe_destination,
        access(Access::AutoConfig),
        needs(Permission::Operate);
}

const NOT_FOUND: ApiError = ApiError::NotFound("subscription");

async fn list(
    call: Call,
    input: List,
) -> Result<Done<ListResponse<AutoConfigSubscriptionOut>>, ApiError> {
    let entry = call.application(&input.app_id).await?;
    let all = &entry.application.auto_configs;
    let mut page = Page::<AutoConfigId>::of(&call, &input.query)?;
    let found = page
        .fill(async |scan| Ok(ScanPage::of(all.iter().cloned().map(|it| (it.id, it)), &scan)))
        .await?;
    Ok(Done(page.list(found, |it| it.id, |it| shown(&entry, &it))))
}

async fn create(call: Call, input: Create) -> Result<Created<AutoConfigOut>, ApiError> {
    let Create { app_id, body } = input;
    let feature_flags = feature_flags(&call, body.feature_flags.unwrap_or_default())?;
    let application = call.application(&app_id).await?.application.id;
    let id = call.engine().clock().auto_config_id();
    let issued = Issued::new(&call, application, id, 1, &token::secret(&call));
    let auto_config = AutoConfig {
        id,
        feature_flags,
        key_version: 1,
        hint: issued.hint(),
        created_at: call.now,
        updated_at: call.now,
    };
    let changed = application::modify(&call, application, |application| {
        if application.auto_configs.len() >= MAX_SUBSCRIPTIONS {
            let detail = format!("the application has {MAX_SUBSCRIPTIONS} subscriptions already");
            return Err(ApiError::Bad { code: "too_many", detail });
        }
        application.auto_configs.push(auto_config.clone());
        Ok(())
    });
    changed.await?;
    Ok(Created(AutoConfigOut { id, token: issued.token, created_at: to_wire(call.now) }))
}

/// The feature flags of a new token: those of the caller's, or some of them.
fn feature_flags(call: &Call, wanted: Vec<String>) -> Result<Vec<String>, ApiError> {
    let own = call.principal.grant.application.as_ref().map(|it| &it.feature_flags);
    if wanted.is_empty() {
        return Ok(own.into_iter().flatten().cloned().collect());
    }
    let mut problems = Problems::within(&["body"]);
    let wanted = problems.words(&FLAGS, wanted);
    let has_all = own.is_none_or(|own| wanted.iter().all(|it| own.contains(it)));
    problems.require(has_all, FLAGS.field, "must be feature flags of the request's own token");
    problems.finish_with(wanted)
}

async fn get(call: Call, input: Get) -> Result<Done<AutoConfigSubscriptionOut>, ApiError> {
    let Get { app_id, autoconfig_id } = input;
    let entry = call.application(&app_id).await?;
    let own = call.principal.grant.application.as_ref().and_then(|it| it.key.as_ref());
    if own.is_some_and(|key| matches!(key.id, KeyId::AutoConfig(id, _) if id != autoconfig_id)) {
        return Err(NOT_FOUND);
    }
    Ok(Done(shown(&entry, find(&entry.application, autoconfig_id)?)))
}

fn find(application: &Application, id: AutoConfigId) -> Result<&AutoConfig, ApiError> {
    application.auto_configs.iter().find(|it| it.id == id).ok_or(NOT_FOUND)
}

async fn delete(call: Call, input: Delete) -> Result<NoContent, ApiError> {
    let Delete { app_id, autoconfig_id } = input;
    let id = call.application(&app_id).await?.application.id;
    let deleted = application::modify(&call, id, |application| {
        find(application, autoconfig_id)?;
        application.auto_configs.retain(|it| it.id != autoconfig_id);
        Ok(())
    });
    deleted.await.map(|()| NoContent)
}

/// The secret of the endpoint is replaced first. If the second step fails, the old token is still
/// valid, and the request can be repeated.
async fn rotate(call: Call, input: Rotate) -> Result<Created<AutoConfigOut>, ApiError> {
    let Rotate { app_id, autoconfig_id, body } = input;
    let entry = call.application(&app_id).await?;
    let old = find(&entry.application, autoconfig_id)?;
    let EndpointSecretRotateIn { key, grace_period_seconds } =
        body.signing_secret.unwrap_or_default();
    let mut problems = Problems::within(&["body", "signingSecret"]);
    let given = key.as_deref().and_then(|it| secrets::parse(it, "key", &mut problems));
    problems.finish()?;
    let new = given.unwrap_or_else(|| token::secret(&call));
    let id = IdOrUid::Id(old.endpoint());
    if call::endpoint(&entry, &id).is_ok_and(|it| it.kind.is_http()) {
        let rotation = EndpointSecretRotateIn { key: Some(new.reveal()), grace_period_seconds };
        secret::rotate_in(&call, (&app_id).into(), &id, rotation).await?;
    }
    issue(&call, entry.application.id, autoconfig_id, &new).await.map(Created)
}

/// Gives the subscription a new token, and ends the old one.
async fn issue(
    call: &Call,
    application: ApplicationId,
    id: AutoConfigId,
    secret: &Secret,
) -> Result<AutoConfigOut, ApiError> {
    application::modify(call, application, |stored| {
        let found = stored.auto_configs.iter_mut().find(|it| it.id == id).ok_or(NOT_FOUND)?;
        found.key_version += 1;
        let issued = Issued::new(call, application, id, found.key_version, secret);
        found.hint = issued.hint();
        found.updated_at = call.now;
        Ok(AutoConfigOut { id, token: issued.token, created_at: to_wire(found.created_at) })
    })
    .await
}

async fn subscribe_endpoint(
    call: Call,
    input: SubscribeEndpoint,
) -> Result<Done<EndpointOut>, ApiError> {
    let SubscribeEndpoint { app_id, autoconfig_id, mut body } = input;
    let entry = call.application(&app_id).await?;
    let secret = own_secret(&call, autoconfig_id)?;
    let is_own = body.secret.as_ref().is_none_or(|given| *given == secret);
    if !is_own {
        return Err(ApiError::invalid(&["body", "secret"], "must be the secret of the token"));
    }
    let id = find(&entry.application, autoconfig_id)?.endpoint();
    let named = IdOrUid::Id(id);
    if call::endpoint(&entry, &named).is_err() {
        body.secret = Some(secret);
        let created = endpoint::create_as(&call, (&app_id).into(), body, Some(id)).await;
        return created.map(Done);
    }
    replace_endpoint(&call, (&app_id).into(), &named, body).await.map(Done)
}

/// Replaces an endpoint as a body that creates one says it, except for the secret.
async fn replace_endpoint(
    call: &Call,
    path: ApplicationPath<'_>,
    endpoint_id: &IdOrUid<EndpointId>,
    body: EndpointIn,
) -> Result<EndpointOut, ApiError> {
    let headers = body.headers.clone();
    let replaced = endpoint::update_in(call, path, endpoint_id, body.into()).await?.into_inner();
    headers::update_in(call, path, endpoint_id, EndpointHeadersIn { headers }).await?;
    Ok(replaced)
}

async fn subscribe_destination(
    call: Call,
    input: SubscribeDestination,
) -> Result<Done<DestinationOut>, ApiError> {
    let SubscribeDestination { app_id, autoconfig_id, body } = input;
    let entry = call.application(&app_id).await?;
    let secret = own_secret(&call, autoconfig_id)?;
    let id = find(&entry.application, autoconfig_id)?.endpoint();
    destination::subscribe(&call, &app_id, id, body, secret).await.map(Done)
}

/// The signing secret in the request's token, if it is that of the subscription.
fn own_secret(call: &Call, id: AutoConfigId) -> Result<String, ApiError> {
    let key = call.principal.grant.application.as_ref().and_then(|it| it.key.as_ref());
    match key.map(|key| &key.id) {
        Some(KeyId::AutoConfig(own, sealed)) if *own == id => {
            Ok(secrets::open(call, sealed)?.reveal())
        },
        Some(KeyId::AutoConfig(..) | KeyId::Integration(_) | KeyId::Polling(_)) | None => {
            Err(ApiError::Forbidden("this needs the token of the subscription"))
        },
    }
}

fn shown(entry: &Entry, it: &AutoConfig) -> AutoConfigSubscriptionOut {
    let endpoint = call::endpoint(entry, &IdOrUid::Id(it.endpoint())).ok();
    let destination = endpoint.as_ref().and_then(|it| destination::id_of(it));
    let status = match endpoint {
        Some(_) => AutoConfigStatus::Active,
        None => AutoConfigStatus::Pending,
    };
    AutoConfigSubscriptionOut {
        id: it.id,
        token_censored: format!("{}…{}", token::PREFIX, it.hint),
        endp_id: endpoint.filter(|_| destination.is_none()).map(|it| it.id),
        dest_id: destination,
        status,
        created_at: to_wire(it.created_at),
    }
}
