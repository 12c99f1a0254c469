//! The endpoints of a source: those of its application, under the source's path.

use postrider::{
    EndpointId, SourceId,
    api::{
        EndpointHeadersIn, EndpointHeadersOut, EndpointIn, EndpointOut, EndpointSecretOut,
        EndpointSecretRotateIn, EndpointUpdate, IngestEndpointTransformationOut,
        IngestEndpointTransformationPatch, ListResponse, Permission,
    },
};
use postrider_core::transformation::Form;
use postrider_store::IdOrUid;

use crate::{
    api::{
        body::Json,
        error::ApiError,
        operation::operations,
        reply::{Created, Done, NoContent, Upserted},
    },
    operations::{
        call::Call,
        endpoint::{self, headers, secret, transformation},
        page::PageQuery,
    },
};

operations! {
    tag "Ingest Endpoint";

    /// List a source's endpoints
    ListEndpoints "v1.ingest.endpoint.list" = GET "/ingest/api/v1/source/{source_id}/endpoint"
        path { source_id: IdOrUid<SourceId> }
        query { PageQuery }
        -> Done<ListResponse<EndpointOut>> = list,
        needs(Permission::Read);

    /// Create an endpoint of a source
    CreateEndpoint "v1.ingest.endpoint.create" = POST "/ingest/api/v1/source/{source_id}/endpoint"
        path { source_id: IdOrUid<SourceId> }
        body { Json<EndpointIn> }
        -> Created<EndpointOut> = create,
        needs(Permission::Operate);

    /// Get an endpoint of a source
    GetEndpoint "v1.ingest.endpoint.get" = GET "/ingest/api/v1/source/{source_id}/endpoint/{endpoint_id}"
        path { source_id: IdOrUid<SourceId>, endpoint_id: IdOrUid<EndpointId> }
        -> Done<EndpointOut> = get,
        needs(Permission::Read);

    /// Replace or create an endpoint of a source
    UpsertEndpoint "v1.ingest.endpoint.upsert" = PUT "/ingest/api/v1/source/{source_id}/endpoint/{endpoint_id}"
        path { source_id: IdOrUid<SourceId>, endpoint_id: IdOrUid<EndpointId> }
        body { Json<EndpointUpdate> }
        -> Upserted<EndpointOut> = upsert,
        needs(Permission::Operate);

    /// Delete an endpoint of a source
    DeleteEndpoint "v1.ingest.endpoint.delete" = DELETE "/ingest/api/v1/source/{source_id}/endpoint/{endpoint_id}"
        path { source_id: IdOrUid<SourceId>, endpoint_id: IdOrUid<EndpointId> }
        -> NoContent = delete,
        needs(Permission::Operate);

    /// Get the signing secret of a source's endpoint
    GetEndpointSecret "v1.ingest.endpoint.get-secret" = GET "/ingest/api/v1/source/{source_id}/endpoint/{endpoint_id}/secret"
        path { source_id: IdOrUid<SourceId>, endpoint_id: IdOrUid<EndpointId> }
        -> Done<EndpointSecretOut> = get_secret,
        needs(Permission::ReadSecrets);

    /// Replace the signing secret of a source's endpoint
    RotateEndpointSecret "v1.ingest.endpoint.rotate-secret" = POST "/ingest/api/v1/source/{source_id}/endpoint/{endpoint_id}/secret/rotate"
        path { source_id: IdOrUid<SourceId>, endpoint_id: IdOrUid<EndpointId> }
        body { Json<EndpointSecretRotateIn> }
        -> NoContent = rotate_secret,
        needs(Permission::Operate);

    /// Get the headers of a source's endpoint
    GetEndpointHeaders "v1.ingest.endpoint.get-headers" = GET "/ingest/api/v1/source/{source_id}/endpoint/{endpoint_id}/headers"
        path { source_id: IdOrUid<SourceId>, endpoint_id: IdOrUid<EndpointId> }
        -> Done<EndpointHeadersOut> = get_headers,
        needs(Permission::Read);

    /// Replace the headers of a source's endpoint
    SetEndpointHeaders "v1.ingest.endpoint.set-headers" = PUT "/ingest/api/v1/source/{source_id}/endpoint/{endpoint_id}/headers"
        path { source_id: IdOrUid<SourceId>, endpoint_id: IdOrUid<EndpointId> }
        body { Json<EndpointHeadersIn> }
        -> NoContent = set_headers,
        needs(Permission::Operate);

    /// Get the transformation of a source's endpoint
    GetTransformation "v1.ingest.endpoint.transformation.get" = GET "/ingest/api/v1/source/{source_id}/endpoint/{endpoint_id}/transformation"
        path { source_id: IdOrUid<SourceId>, endpoint_id: IdOrUid<EndpointId> }
        -> Done<IngestEndpointTransformationOut> = get_transformation,
        needs(Permission::Read);

    /// Change the transformation of a source's endpoint
    PatchTransformation "v1.ingest.endpoint.transformation.patch" = PATCH "/ingest/api/v1/source/{source_id}/endpoint/{endpoint_id}/transformation"
        path { source_id: IdOrUid<SourceId>, endpoint_id: IdOrUid<EndpointId> }
        body { Json<IngestEndpointTransformationPatch> }
        -> NoContent = patch_transformation,
        needs(Permission::Operate);
}

async fn list(
    call: Call,
    input: ListEndpoints,
) -> Result<Done<ListResponse<EndpointOut>>, ApiError> {
    endpoint::list_of(&call, (&input.source_id).into(), &input.query).await.map(Done)
}

async fn create(call: Call, input: CreateEndpoint) -> Result<Created<EndpointOut>, ApiError> {
    endpoint::create_in(&call, (&input.source_id).into(), input.body).await.map(Created)
}

async fn get(call: Call, input: GetEndpoint) -> Result<Done<EndpointOut>, ApiError> {
    endpoint::get_from(&call, (&input.source_id).into(), &input.endpoint_id).await.map(Done)
}

async fn upsert(call: Call, input: UpsertEndpoint) -> Result<Upserted<EndpointOut>, ApiError> {
    let UpsertEndpoint { source_id, endpoint_id, body } = input;
    endpoint::update_in(&call, (&source_id).into(), &endpoint_id, body).await
}

async fn delete(call: Call, input: DeleteEndpoint) -> Result<NoContent, ApiError> {
    let DeleteEndpoint { source_id, endpoint_id } = input;
    endpoint::delete_from(&call, (&source_id).into(), &endpoint_id).await.map(|()| NoContent)
}

async fn get_secret(
    call: Call,
    input: GetEndpointSecret,
) -> Result<Done<EndpointSecretOut>, ApiError> {
    secret::get_from(&call, (&input.source_id).into(), &input.endpoint_id).await.map(Done)
}

/// Unlike the operation on the application's path, this one returns nothing.
async fn rotate_secret(call: Call, input: RotateEndpointSecret) -> Result<NoContent, ApiError> {
    let RotateEndpointSecret { source_id, endpoint_id, body } = input;
    secret::rotate_in(&call, (&source_id).into(), &endpoint_id, body).await.map(|_| NoContent)
}

async fn get_headers(
    call: Call,
    input: GetEndpointHeaders,
) -> Result<Done<EndpointHeadersOut>, ApiError> {
    headers::get_from(&call, (&input.source_id).into(), &input.endpoint_id).await.map(Done)
}

async fn set_headers(call: Call, input: SetEndpointHeaders) -> Result<NoContent, ApiError> {
    let SetEndpointHeaders { source_id, endpoint_id, body } = input;
    headers::update_in(&call, (&source_id).into(), &endpoint_id, body).await.map(|()| NoContent)
}

async fn get_transformation(
    call: Call,
    input: GetTransformation,
) -> Result<Done<IngestEndpointTransformationOut>, ApiError> {
    let path = (&input.source_id).into();
    let found = transformation::get_from(&call, path, &input.endpoint_id).await?;
    Ok(Done(found.into()))
}

async fn patch_transformation(
    call: Call,
    input: PatchTransformation,
) -> Result<NoContent, ApiError> {
    let PatchTransformation { source_id, endpoint_id, body } = input;
    let change = (body.into(), Form::Single);
    transformation::patch_in(&call, (&source_id).into(), &endpoint_id, change).await?;
    Ok(NoContent)
}
