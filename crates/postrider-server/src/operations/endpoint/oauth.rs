//! OAuth 2.0 of endpoints: how access tokens are fetched.

mod fields;
mod render;

use postrider::{
    ApplicationId, EndpointId,
    api::{
        Capability, EndpointOauthConfigIn, EndpointOauthConfigOut, EndpointOauthOut, Permission,
    },
};
use postrider_core::catalog::{Endpoint, Grant};
use postrider_store::IdOrUid;

use super::{change, credential};
use crate::{
    api::{
        access::Access,
        body::Json,
        error::ApiError,
        operation::operations,
        reply::{Done, NoContent},
    },
    operations::{
        call::{self, ApplicationPath, Call},
        secrets,
    },
};

operations! {
    tag "Endpoint";

    /// Get how access tokens for an endpoint are fetched
    GetOauth "v1.endpoint.get-oauth" = GET "/api/v1/app/{app_id}/endpoint/{endpoint_id}/oauth"
        path { app_id: IdOrUid<ApplicationId>, endpoint_id: IdOrUid<EndpointId> }
        -> Done<EndpointOauthConfigOut> = get,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);

    /// Set how access tokens for an endpoint are fetched
    SetOauth "v1.endpoint.set-oauth-config" = PUT "/api/v1/app/{app_id}/endpoint/{endpoint_id}/oauth"
        path { app_id: IdOrUid<ApplicationId>, endpoint_id: IdOrUid<EndpointId> }
        body { Json<EndpointOauthConfigIn> }
        -> NoContent = set,
        access(Access::Application(Capability::ManageEndpoint)),
        needs(Permission::Operate);

    /// Remove OAuth from an endpoint
    DeleteOauth "v1.endpoint.delete-oauth-config" = DELETE "/api/v1/app/{app_id}/endpoint/{endpoint_id}/oauth"
        path { app_id: IdOrUid<ApplicationId>, endpoint_id: IdOrUid<EndpointId> }
        -> NoContent = delete,
        access(Access::Application(Capability::ManageEndpoint)),
        needs(Permission::Operate);

    /// Get whether an endpoint uses OAuth, and how
    GetOauthState "v1.endpoint.get-oauth-2" = GET "/api/v1/app/{app_id}/endpoint/{endpoint_id}/oauth-config"
        path { app_id: IdOrUid<ApplicationId>, endpoint_id: IdOrUid<EndpointId> }
        -> Done<EndpointOauthOut> = get_state,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);
}

async fn get(call: Call, input: GetOauth) -> Result<Done<EndpointOauthConfigOut>, ApiError> {
    get_from(&call, (&input.app_id).into(), &input.endpoint_id).await.map(Done)
}

/// The configuration of an endpoint of the application that a path names.
pub(in crate::operations) async fn get_from(
    call: &Call,
    path: ApplicationPath<'_>,
    endpoint_id: &IdOrUid<EndpointId>,
) -> Result<EndpointOauthConfigOut, ApiError> {
    let config = shown(call, path, endpoint_id).await?;
    config.ok_or(ApiError::NotFound("OAuth configuration of the endpoint"))
}

async fn get_state(call: Call, input: GetOauthState) -> Result<Done<EndpointOauthOut>, ApiError> {
    let config = shown(&call, (&input.app_id).into(), &input.endpoint_id).await?;
    Ok(Done(EndpointOauthOut { enabled: config.is_some(), config }))
}

async fn shown(
    call: &Call,
    path: ApplicationPath<'_>,
    endpoint_id: &IdOrUid<EndpointId>,
) -> Result<Option<EndpointOauthConfigOut>, ApiError> {
    let entry = call.application(path).await?;
    let endpoint = call::endpoint(&entry, endpoint_id)?;
    let config = secrets::open_at_rest(call, &endpoint.authentication.oauth)?;
    Ok(config.map(render::shown))
}

async fn set(call: Call, input: SetOauth) -> Result<NoContent, ApiError> {
    let SetOauth { app_id, endpoint_id, body } = input;
    set_in(&call, (&app_id).into(), &endpoint_id, body).await.map(|()| NoContent)
}

/// Sets the configuration of an endpoint of the application that a path names.
pub(in crate::operations) async fn set_in(
    call: &Call,
    path: ApplicationPath<'_>,
    endpoint_id: &IdOrUid<EndpointId>,
    body: EndpointOauthConfigIn,
) -> Result<(), ApiError> {
    let parsed = fields::parse(call, body)?;
    change::authentication(call, path, endpoint_id, |endpoint| {
        check_header(call, endpoint)?;
        let fields::Parsed { config, refresh_token } = parsed.clone();
        let grant = refresh_token.map(|refresh_token| Grant { refresh_token, access: None });
        let of = &mut endpoint.authentication;
        of.oauth = secrets::seal_at_rest(call, &Some(config));
        of.grant = secrets::seal_at_rest(call, &grant);
        of.claim = None;
        Ok(())
    })
    .await
}

/// An access token needs the header for itself.
fn check_header(call: &Call, endpoint: &Endpoint) -> Result<(), ApiError> {
    let credentials = secrets::open_at_rest(call, &endpoint.authentication.credentials)?;
    if credentials.as_ref().is_some_and(credential::sets_authorization) {
        return Err(ApiError::conflict(
            "the endpoint's `authentication` sets the same header; remove it first, with PATCH and \
             `null`",
        ));
    }
    Ok(())
}

async fn delete(call: Call, input: DeleteOauth) -> Result<NoContent, ApiError> {
    let DeleteOauth { app_id, endpoint_id } = input;
    delete_from(&call, (&app_id).into(), &endpoint_id).await.map(|()| NoContent)
}

/// Removes the configuration of an endpoint of the application that a path names.
pub(in crate::operations) async fn delete_from(
    call: &Call,
    path: ApplicationPath<'_>,
    endpoint_id: &IdOrUid<EndpointId>,
) -> Result<(), ApiError> {
    let remove = |endpoint: &mut Endpoint| {
        endpoint.authentication.remove_oauth();
        Ok(())
    };
    change::authentication(call, path, endpoint_id, remove).await
}
