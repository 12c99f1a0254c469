//! Headers that every call to an endpoint carries.

use http::Method;
use postrider::api::{Capability, EndpointHeadersIn, EndpointHeadersOut, EndpointHeadersPatchIn};
use postrider_core::catalog::{Endpoint, Headers};

use super::{TAG, current, replace};
use crate::{
    api::{
        body::Json,
        error::ApiError,
        operation::{Operation, operation},
        problems::Problems,
        reply::{NoContent, Shown},
    },
    auth::Access,
    operations::{
        call::Call,
        custom_headers as headers,
        custom_headers::{Owner, is_reserved},
        secrets,
    },
    quota,
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

pub(in crate::operations) async fn get(
    call: Call,
    (): (),
    (): (),
) -> Result<Shown<EndpointHeadersOut>, ApiError> {
    let entry = call.application().await?;
    let endpoint = call.endpoint(&entry)?;
    let all = secrets::open_at_rest(&call, &endpoint.headers)?.into_iter();
    let (sensitive, headers) = all.partition::<Vec<_>, _>(|(name, _)| headers::is_sensitive(name));
    Ok(Shown(EndpointHeadersOut {
        headers: headers.into_iter().collect(),
        sensitive: sensitive.into_iter().map(|(name, _)| name).collect(),
    }))
}

pub(in crate::operations) async fn put(
    call: Call,
    (): (),
    Json(body): Json<EndpointHeadersIn>,
) -> Result<NoContent, ApiError> {
    change(&call, |own| *own = body.headers).await
}

async fn patch(
    call: Call,
    (): (),
    Json(body): Json<EndpointHeadersPatchIn>,
) -> Result<NoContent, ApiError> {
    change(&call, |own| {
        let deleted = body.delete_headers.into_iter().map(|name| (name, None));
        headers::change(own, deleted.chain(body.headers));
    })
    .await
}

async fn change(call: &Call, change: impl FnOnce(&mut Headers)) -> Result<NoContent, ApiError> {
    let entry = call.application().await?;
    let _turn = call.context.exclusive(entry.application.id).await;
    let old = current(call, &entry).await?;
    let before = secrets::open_at_rest(call, &old.headers)?;
    let mut own = before.clone();
    change(&mut own);
    let mut problems = Problems::within(&["body"]);
    // Headers that were set before their names were reserved stay.
    let mut checked = own.clone();
    checked.retain(|name, value| !is_reserved(name) || before.get(name) != Some(value));
    headers::check(&checked, &["headers"], Owner::Endpoint, &mut problems);
    problems.finish()?;
    quota::check_headers(call, before.len(), own.len())?;
    let headers = secrets::seal_at_rest(call, &own);
    let endpoint = Endpoint { headers, updated_at: call.now, ..old.clone() };
    replace(call, &entry.application, &old, &endpoint).await?;
    Ok(NoContent)
}
