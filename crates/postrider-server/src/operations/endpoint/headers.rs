//! Custom headers of endpoints, which every request to the endpoint has.

use postrider::{
    ApplicationId, EndpointId,
    api::{Capability, EndpointHeadersIn, EndpointHeadersOut, EndpointHeadersPatchIn, Permission},
};
use postrider_core::{
    catalog::{Endpoint, Headers},
    request::is_sensitive,
};
use postrider_store::IdOrUid;

use super::{current, kind, replace};
use crate::{
    api::{
        access::Access,
        body::Json,
        error::ApiError,
        operation::operations,
        problems::Problems,
        reply::{Done, NoContent},
    },
    operations::{
        call::{self, ApplicationPath, Call},
        custom_headers::{self, Owner},
        secrets,
    },
    race,
};

operations! {
    tag "Endpoint";

    /// Get an endpoint's headers
    GetHeaders "v1.endpoint.get-headers" = GET "/api/v1/app/{app_id}/endpoint/{endpoint_id}/headers"
        path { app_id: IdOrUid<ApplicationId>, endpoint_id: IdOrUid<EndpointId> }
        -> Done<EndpointHeadersOut> = get,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);

    /// Replace an endpoint's headers
    UpdateHeaders "v1.endpoint.update-headers" = PUT "/api/v1/app/{app_id}/endpoint/{endpoint_id}/headers"
        path { app_id: IdOrUid<ApplicationId>, endpoint_id: IdOrUid<EndpointId> }
        body { Json<EndpointHeadersIn> }
        -> NoContent = update,
        access(Access::Application(Capability::ManageEndpoint)),
        needs(Permission::Operate);

    /// Change some of an endpoint's headers
    PatchHeaders "v1.endpoint.patch-headers" = PATCH "/api/v1/app/{app_id}/endpoint/{endpoint_id}/headers"
        path { app_id: IdOrUid<ApplicationId>, endpoint_id: IdOrUid<EndpointId> }
        body { Json<EndpointHeadersPatchIn> }
        -> NoContent = patch,
        access(Access::Application(Capability::ManageEndpoint)),
        needs(Permission::Operate);
}

async fn get(call: Call, input: GetHeaders) -> Result<Done<EndpointHeadersOut>, ApiError> {
    get_from(&call, (&input.app_id).into(), &input.endpoint_id).await.map(Done)
}

/// The headers of an endpoint of the application that a path names.
pub(in crate::operations) async fn get_from(
    call: &Call,
    path: ApplicationPath<'_>,
    endpoint_id: &IdOrUid<EndpointId>,
) -> Result<EndpointHeadersOut, ApiError> {
    let entry = call.application(path).await?;
    shown(call, &*call::endpoint(&entry, endpoint_id)?)
}

/// The headers without the values of those that usually contain credentials.
pub(in crate::operations) fn shown(
    call: &Call,
    endpoint: &Endpoint,
) -> Result<EndpointHeadersOut, ApiError> {
    let all = secrets::open_at_rest(call, &endpoint.headers)?.into_iter();
    let (sensitive, headers) = all.partition::<Vec<_>, _>(|(name, _)| is_sensitive(name));
    Ok(EndpointHeadersOut {
        headers: headers.into_iter().collect(),
        sensitive: sensitive.into_iter().map(|(name, _)| name).collect(),
    })
}

async fn update(call: Call, input: UpdateHeaders) -> Result<NoContent, ApiError> {
    let UpdateHeaders { app_id, endpoint_id, body } = input;
    update_in(&call, (&app_id).into(), &endpoint_id, body).await.map(|()| NoContent)
}

/// Replaces the headers of an endpoint of the application that a path names.
pub(in crate::operations) async fn update_in(
    call: &Call,
    path: ApplicationPath<'_>,
    endpoint_id: &IdOrUid<EndpointId>,
    body: EndpointHeadersIn,
) -> Result<(), ApiError> {
    change(call, path, endpoint_id, |headers| headers.clone_from(&body.headers)).await
}

async fn patch(call: Call, input: PatchHeaders) -> Result<NoContent, ApiError> {
    let PatchHeaders { app_id, endpoint_id, body } = input;
    patch_in(&call, (&app_id).into(), &endpoint_id, body).await.map(|()| NoContent)
}

/// Changes some headers of an endpoint of the application that a path names.
pub(in crate::operations) async fn patch_in(
    call: &Call,
    path: ApplicationPath<'_>,
    endpoint_id: &IdOrUid<EndpointId>,
    body: EndpointHeadersPatchIn,
) -> Result<(), ApiError> {
    let changed = change(call, path, endpoint_id, |headers| {
        let deleted = body.delete_headers.iter().map(|name| (name.clone(), None));
        custom_headers::change(headers, deleted.chain(body.headers.clone()));
    });
    changed.await
}

async fn change(
    call: &Call,
    path: ApplicationPath<'_>,
    endpoint_id: &IdOrUid<EndpointId>,
    change: impl Fn(&mut Headers),
) -> Result<(), ApiError> {
    race::retry(|| try_change(call, path, endpoint_id, &change)).await
}

async fn try_change(
    call: &Call,
    path: ApplicationPath<'_>,
    endpoint_id: &IdOrUid<EndpointId>,
    change: &impl Fn(&mut Headers),
) -> Result<(), ApiError> {
    let entry = call.application(path).await?;
    let _lock = call.locks().application(entry.application.id).await;
    let old = current(call, &entry, endpoint_id).await?;
    let before = secrets::open_at_rest(call, &old.0.headers)?;
    let mut after = before.clone();
    change(&mut after);
    let mut problems = Problems::within(&["body"]);
    problems.require(old.0.kind.is_http() || after.is_empty(), "headers", kind::HTTP_ONLY);
    // Headers that were set before their names were reserved stay.
    let mut checked = after.clone();
    checked.retain(|name, value| {
        !custom_headers::is_reserved(name) || before.get(name) != Some(value)
    });
    custom_headers::check(&checked, &["headers"], Owner::Endpoint, &mut problems);
    problems.finish()?;
    call.quotas().check_headers(before.len(), after.len())?;
    let headers = secrets::seal_at_rest(call, &after);
    let endpoint = Endpoint { headers, updated_at: call.now, ..old.0.clone() };
    replace(call, path, &entry.application, &old, &endpoint).await
}
