//! Headers that every call to an endpoint carries.

use http::Method;
use postrider::api::{Capability, EndpointHeadersIn, EndpointHeadersOut, EndpointHeadersPatchIn};
use postrider_core::catalog::Endpoint;

use super::{TAG, current, replace};
use crate::{
    auth::Access,
    body::Json,
    call::Call,
    error::ApiError,
    headers::{self, Owner, is_reserved},
    operation::{Operation, operation},
    problems::Problems,
    reply::{NoContent, Shown},
};

pub(super) fn operations() -> Vec<Operation> {
    let path = "/api/v1/app/{app_id}/endpoint/{endpoint_id}/headers";
    let read = Access::Application(Capability::ViewBase);
    let manage = Access::Application(Capability::ManageEndpoint);
    vec![
        operation(Method::GET, path, "v1.endpoint.get-headers", TAG, "Get an endpoint's headers")
            .by(read)
            .run(get),
        operation(
            Method::PUT,
            path,
            "v1.endpoint.update-headers",
            TAG,
            "Replace an endpoint's headers",
        )
        .by(manage)
        .run(put),
        operation(
            Method::PATCH,
            path,
            "v1.endpoint.patch-headers",
            TAG,
            "Change some of an endpoint's headers",
        )
        .by(manage)
        .run(patch),
    ]
}

pub(in crate::routes) async fn get(
    call: Call,
    (): (),
    (): (),
) -> Result<Shown<EndpointHeadersOut>, ApiError> {
    let entry = call.application().await?;
    let endpoint = call.endpoint(&entry)?;
    let all = endpoint.headers.clone().into_iter();
    let (sensitive, headers) = all.partition::<Vec<_>, _>(|(name, _)| headers::is_sensitive(name));
    Ok(Shown(EndpointHeadersOut {
        headers: headers.into_iter().collect(),
        sensitive: sensitive.into_iter().map(|(name, _)| name).collect(),
    }))
}

pub(in crate::routes) async fn put(
    call: Call,
    (): (),
    Json(body): Json<EndpointHeadersIn>,
) -> Result<NoContent, ApiError> {
    change(&call, |endpoint| endpoint.headers = body.headers).await
}

async fn patch(
    call: Call,
    (): (),
    Json(body): Json<EndpointHeadersPatchIn>,
) -> Result<NoContent, ApiError> {
    change(&call, |endpoint| {
        let deleted = body.delete_headers.into_iter().map(|name| (name, None));
        headers::change(&mut endpoint.headers, deleted.chain(body.headers));
    })
    .await
}

async fn change(call: &Call, change: impl FnOnce(&mut Endpoint)) -> Result<NoContent, ApiError> {
    let entry = call.application().await?;
    let _turn = call.context.exclusive(entry.application.id).await;
    let old = current(call, &entry).await?;
    let mut endpoint = old.clone();
    change(&mut endpoint);
    let mut problems = Problems::within(&["body"]);
    // Headers that were set before their names were reserved stay.
    let mut checked = endpoint.headers.clone();
    checked.retain(|name, value| !is_reserved(name) || old.headers.get(name) != Some(value));
    headers::check(&checked, &["headers"], Owner::Endpoint, &mut problems);
    problems.finish()?;
    endpoint.updated_at = call.now;
    replace(call, &entry.application, &old, &endpoint).await?;
    Ok(NoContent)
}
