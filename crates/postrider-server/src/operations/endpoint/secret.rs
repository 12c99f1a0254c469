//! The signing secrets of endpoints.

use std::time::Duration;

use http::Method;
use postrider::api::{
    Capability, EndpointSecretOut, EndpointSecretRotateIn,
    endpoint::{DEFAULT_GRACE_SECONDS, MAX_GRACE_SECONDS},
};

use super::{TAG, current, replace};
use crate::{
    api::{
        body::Json,
        error::ApiError,
        operation::{Operation, operation},
        problems::Problems,
        reply::Shown,
    },
    auth::Access,
    operations::{call::Call, secrets as secret},
};

pub(super) fn operations() -> Vec<Operation> {
    let one = "/api/v1/app/{app_id}/endpoint/{endpoint_id}/secret";
    let rotate_path = "/api/v1/app/{app_id}/endpoint/{endpoint_id}/secret/rotate";
    vec![
        operation(
            Method::GET,
            one,
            "v1.endpoint.get-secret",
            TAG,
            "Get an endpoint's signing secret",
        )
        .by(Access::Application(Capability::ViewEndpointSecret))
        .run(get),
        operation(
            Method::POST,
            rotate_path,
            "v1.endpoint.rotate-secret",
            TAG,
            "Replace an endpoint's signing secret",
        )
        .by(Access::Application(Capability::ManageEndpointSecret))
        .run(rotate),
    ]
}

pub(in crate::operations) async fn get(
    call: Call,
    (): (),
    (): (),
) -> Result<Shown<EndpointSecretOut>, ApiError> {
    let entry = call.application().await?;
    let opened = secret::open(&call, &call.endpoint(&entry)?.secret)?;
    Ok(Shown(EndpointSecretOut { key: secret::key(&opened) }))
}

pub(in crate::operations) async fn rotate(
    call: Call,
    (): (),
    Json(body): Json<EndpointSecretRotateIn>,
) -> Result<Shown<EndpointSecretOut>, ApiError> {
    let entry = call.application().await?;
    let _turn = call.context.exclusive(entry.application.id).await;
    let old = current(&call, &entry).await?;
    let mut problems = Problems::within(&["body"]);
    let new = secret::given_or_new(&call, body.key.as_deref(), "key", &mut problems);
    let grace = body.grace_period_seconds.unwrap_or(DEFAULT_GRACE_SECONDS);
    if grace > MAX_GRACE_SECONDS {
        problems.add(&["gracePeriodSeconds"], format!("must be {MAX_GRACE_SECONDS} at most"));
    }
    problems.finish()?;
    let mut endpoint = old.clone();
    let until = call.now + Duration::from_secs(grace.into());
    secret::rotate(&mut endpoint, secret::seal(&call, &new), call.now, until)?;
    endpoint.updated_at = call.now;
    replace(&call, &entry.application, &old, &endpoint).await?;
    Ok(Shown(EndpointSecretOut { key: secret::key(&new) }))
}
