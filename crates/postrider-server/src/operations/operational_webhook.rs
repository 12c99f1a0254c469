//! The endpoints of an organization's operational webhooks: those of its internal application.

use postrider::{
    EndpointId,
    api::{
        EndpointHeadersIn, EndpointHeadersOut, EndpointIn, EndpointOut, EndpointSecretOut,
        EndpointSecretRotateIn, EndpointUpdate, ListResponse,
    },
};
use postrider_store::IdOrUid;

use crate::{
    api::{
        body::Json,
        error::ApiError,
        operation::operations,
        reply::{Created, Done, NoContent, Upserted},
    },
    operations::{
        call::{ApplicationPath::Operational, Call},
        endpoint::{self, headers, secret},
        internal_application,
        page::PageQuery,
    },
};
use postrider::api::Permission;

operations! {
    tag "Operational Webhook Endpoint";

    /// List the endpoints of operational webhooks
    List "v1.operational-webhook.endpoint.list" = GET "/api/v1/operational-webhook/endpoint"
        query { PageQuery }
        -> Done<ListResponse<EndpointOut>> = list,
        needs(Permission::Read);

    /// Create an endpoint of operational webhooks
    Create "v1.operational-webhook.endpoint.create" = POST "/api/v1/operational-webhook/endpoint"
        body { Json<EndpointIn> }
        -> Created<EndpointOut> = create,
        needs(Permission::Operate);

    /// Get an endpoint of operational webhooks
    Get "v1.operational-webhook.endpoint.get" = GET "/api/v1/operational-webhook/endpoint/{endpoint_id}"
        path { endpoint_id: IdOrUid<EndpointId> }
        -> Done<EndpointOut> = get,
        needs(Permission::Read);

    /// Replace or create an endpoint of operational webhooks
    Upsert "v1.operational-webhook.endpoint.upsert" = PUT "/api/v1/operational-webhook/endpoint/{endpoint_id}"
        path { endpoint_id: IdOrUid<EndpointId> }
        body { Json<EndpointUpdate> }
        -> Upserted<EndpointOut> = upsert,
        needs(Permission::Operate);

    /// Delete an endpoint of operational webhooks
    Delete "v1.operational-webhook.endpoint.delete" = DELETE "/api/v1/operational-webhook/endpoint/{endpoint_id}"
        path { endpoint_id: IdOrUid<EndpointId> }
        -> NoContent = delete,
        needs(Permission::Operate);

    /// Get the signing secret of an endpoint of operational webhooks
    GetSecret "v1.operational-webhook.endpoint.get-secret" = GET "/api/v1/operational-webhook/endpoint/{endpoint_id}/secret"
        path { endpoint_id: IdOrUid<EndpointId> }
        -> Done<EndpointSecretOut> = get_secret,
        needs(Permission::ReadSecrets);

    /// Replace the signing secret of an endpoint of operational webhooks
    RotateSecret "v1.operational-webhook.endpoint.rotate-secret" = POST "/api/v1/operational-webhook/endpoint/{endpoint_id}/secret/rotate"
        path { endpoint_id: IdOrUid<EndpointId> }
        body { Json<EndpointSecretRotateIn> }
        -> NoContent = rotate_secret,
        needs(Permission::Operate);

    /// Get the headers of an endpoint of operational webhooks
    GetHeaders "v1.operational-webhook.endpoint.get-headers" = GET "/api/v1/operational-webhook/endpoint/{endpoint_id}/headers"
        path { endpoint_id: IdOrUid<EndpointId> }
        -> Done<EndpointHeadersOut> = get_headers,
        needs(Permission::Read);

    /// Replace the headers of an endpoint of operational webhooks
    SetHeaders "v1.operational-webhook.endpoint.set-headers" = PUT "/api/v1/operational-webhook/endpoint/{endpoint_id}/headers"
        path { endpoint_id: IdOrUid<EndpointId> }
        body { Json<EndpointHeadersIn> }
        -> NoContent = set_headers,
        needs(Permission::Operate);
}

async fn list(call: Call, input: List) -> Result<Done<ListResponse<EndpointOut>>, ApiError> {
    if call.find_application(Operational).await?.is_none() {
        return Ok(Done(ListResponse::EMPTY));
    }
    endpoint::list_of(&call, Operational, &input.query).await.map(Done)
}

async fn create(call: Call, input: Create) -> Result<Created<EndpointOut>, ApiError> {
    internal_application::ensure(&call).await?;
    endpoint::create_in(&call, Operational, input.body).await.map(Created)
}

async fn get(call: Call, input: Get) -> Result<Done<EndpointOut>, ApiError> {
    let found = endpoint::get_from(&call, Operational, &input.endpoint_id).await;
    about_endpoint(found).map(Done)
}

async fn upsert(call: Call, input: Upsert) -> Result<Upserted<EndpointOut>, ApiError> {
    internal_application::ensure(&call).await?;
    endpoint::update_in(&call, Operational, &input.endpoint_id, input.body).await
}

async fn delete(call: Call, input: Delete) -> Result<NoContent, ApiError> {
    let deleted = endpoint::delete_from(&call, Operational, &input.endpoint_id).await;
    about_endpoint(deleted).map(|()| NoContent)
}

async fn get_secret(call: Call, input: GetSecret) -> Result<Done<EndpointSecretOut>, ApiError> {
    let found = secret::get_from(&call, Operational, &input.endpoint_id).await;
    about_endpoint(found).map(Done)
}

/// Unlike the operation on the application's path, this one returns nothing.
async fn rotate_secret(call: Call, input: RotateSecret) -> Result<NoContent, ApiError> {
    let rotated = secret::rotate_in(&call, Operational, &input.endpoint_id, input.body).await;
    about_endpoint(rotated).map(|_| NoContent)
}

async fn get_headers(call: Call, input: GetHeaders) -> Result<Done<EndpointHeadersOut>, ApiError> {
    let found = headers::get_from(&call, Operational, &input.endpoint_id).await;
    about_endpoint(found).map(Done)
}

async fn set_headers(call: Call, input: SetHeaders) -> Result<NoContent, ApiError> {
    let set = headers::update_in(&call, Operational, &input.endpoint_id, input.body).await;
    about_endpoint(set).map(|()| NoContent)
}

/// Clients do not know the application, so it is the endpoint that is not found.
fn about_endpoint<T>(result: Result<T, ApiError>) -> Result<T, ApiError> {
    result.map_err(|error| {
        let is_missing = matches!(error, ApiError::NotFound(_));
        if is_missing { ApiError::NotFound("endpoint") } else { error }
    })
}
