//! The signing secrets of endpoints.

use std::time::Duration;

use postrider::{
    ApplicationId, EndpointId,
    api::{
        Capability, EndpointSecretOut, EndpointSecretRotateIn, Permission,
        endpoint_secret::{DEFAULT_GRACE_SECONDS, MAX_GRACE_SECONDS},
    },
};
use postrider_core::catalog::Endpoint;
use postrider_store::IdOrUid;
use serde_json::json;

use super::{current, kind, replace, signing};
use crate::{
    api::{
        access::Access, body::Json, error::ApiError, operation::operations, problems::Problems,
        reply::Done,
    },
    operations::{
        audited::of_application,
        call::{self, ApplicationPath, Call},
        secrets,
    },
    race,
};

operations! {
    tag "Endpoint";

    /// Get an endpoint's signing secret
    GetSecret "v1.endpoint.get-secret" = GET "/api/v1/app/{app_id}/endpoint/{endpoint_id}/secret"
        path { app_id: IdOrUid<ApplicationId>, endpoint_id: IdOrUid<EndpointId> }
        -> Done<EndpointSecretOut> = get,
        access(Access::Application(Capability::ViewEndpointSecret)),
        needs(Permission::ReadSecrets);

    /// Replace an endpoint's signing secret
    RotateSecret "v1.endpoint.rotate-secret" = POST "/api/v1/app/{app_id}/endpoint/{endpoint_id}/secret/rotate"
        path { app_id: IdOrUid<ApplicationId>, endpoint_id: IdOrUid<EndpointId> }
        body { Json<EndpointSecretRotateIn> }
        -> Done<EndpointSecretOut> = rotate,
        access(Access::Application(Capability::ManageEndpointSecret)),
        needs(Permission::Operate);
}

async fn get(call: Call, input: GetSecret) -> Result<Done<EndpointSecretOut>, ApiError> {
    get_from(&call, (&input.app_id).into(), &input.endpoint_id).await.map(Done)
}

/// The secret of an endpoint of the application that a path names.
pub(in crate::operations) async fn get_from(
    call: &Call,
    path: ApplicationPath<'_>,
    endpoint_id: &IdOrUid<EndpointId>,
) -> Result<EndpointSecretOut, ApiError> {
    let entry = call.application(path).await?;
    let endpoint = call::endpoint(&entry, endpoint_id)?;
    let key = match signing::decisive(&endpoint) {
        Some(profile) => signing::key(call, profile)?,
        None => secrets::key(&secrets::open(call, &endpoint.secret)?),
    };
    let record = of_application("endpoint", endpoint.id, entry.application.id);
    call.store().record(record, [("revealed", json!("the signing secret"))]).await?;
    Ok(EndpointSecretOut { key })
}

async fn rotate(call: Call, input: RotateSecret) -> Result<Done<EndpointSecretOut>, ApiError> {
    rotate_in(&call, (&input.app_id).into(), &input.endpoint_id, input.body).await.map(Done)
}

/// Replaces the secret of an endpoint of the application that a path names.
pub(in crate::operations) async fn rotate_in(
    call: &Call,
    path: ApplicationPath<'_>,
    endpoint_id: &IdOrUid<EndpointId>,
    body: EndpointSecretRotateIn,
) -> Result<EndpointSecretOut, ApiError> {
    race::retry(|| try_rotate(call, path, endpoint_id, &body)).await
}

async fn try_rotate(
    call: &Call,
    path: ApplicationPath<'_>,
    endpoint_id: &IdOrUid<EndpointId>,
    body: &EndpointSecretRotateIn,
) -> Result<EndpointSecretOut, ApiError> {
    let entry = call.application(path).await?;
    let _lock = call.locks().application(entry.application.id).await;
    let old = current(call, &entry, endpoint_id).await?;
    let mut problems = Problems::within(&["body"]);
    problems.require(old.0.kind.is_http() || body.key.is_none(), "key", kind::HTTP_ONLY);
    let grace = body.grace_period_seconds.unwrap_or(DEFAULT_GRACE_SECONDS);
    if grace > MAX_GRACE_SECONDS {
        problems.add(&["gracePeriodSeconds"], format!("must be at most {MAX_GRACE_SECONDS}"));
    }
    let mut endpoint = old.0.clone();
    let grace = Duration::from_secs(grace.into());
    let key = change(call, &mut endpoint, body.key.as_deref(), grace, problems)?;
    endpoint.updated_at = call.now;
    replace(call, path, &entry.application, &old, &endpoint).await?;
    Ok(EndpointSecretOut { key })
}

/// Replaces the secret that the receiver verifies with, and returns its key.
fn change(
    call: &Call,
    endpoint: &mut Endpoint,
    given: Option<&str>,
    grace: Duration,
    mut problems: Problems<'_>,
) -> Result<String, ApiError> {
    if let Some(profile) = signing::decisive(endpoint) {
        let new = signing::NewSecret { given, field: "key", grace };
        let rotated = signing::rotated(call, profile, new, &mut problems)?;
        problems.finish()?;
        let key = signing::key(call, &rotated)?;
        endpoint.signing = Some(Box::new(rotated));
        return Ok(key);
    }
    let new = secrets::parse_or_generate(call, given, "key", &mut problems);
    problems.finish()?;
    secrets::rotate(endpoint, secrets::seal(call, &new), call.now, call.now + grace)?;
    Ok(secrets::key(&new))
}
