//! The endpoints of a source: those of its application, under the source's path.

use postrider::{
    EndpointId, SourceId,
    api::{
        EndpointHeadersIn, EndpointHeadersOut, EndpointIn, EndpointOut, EndpointSecretOut,
        EndpointSecretRotateIn, EndpointUpdate, IngestEndpointTransformationOut,
        IngestEndpointTransformationPatch, ListResponse, Permission,
    },
};
use postrider_store::IdOrUid;

use crate::{
    api::{
        body::Json,
        error::ApiError,
        operation::operations,
        problems::Problems,
        reply::{Created, Done, NoContent, Upserted},
    },
    operations::{
        call::{self, Call},
        endpoint::{self, headers, secret},
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

    /// Get the transformation of a source's endpoint, which is always empty
    GetTransformation "v1.ingest.endpoint.transformation.get" = GET "/ingest/api/v1/source/{source_id}/endpoint/{endpoint_id}/transformation"
        path { source_id: IdOrUid<SourceId>, endpoint_id: IdOrUid<EndpointId> }
        -> Done<IngestEndpointTransformationOut> = get_transformation,
        needs(Permission::Read);

    /// Refuse a transformation of a source's endpoint
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
    let entry = call.application(&input.source_id).await?;
    call::endpoint(&entry, &input.endpoint_id)?;
    Ok(Done(IngestEndpointTransformationOut::default()))
}

/// A setting that is accepted has to work, so none of these is accepted.
async fn patch_transformation(
    call: Call,
    input: PatchTransformation,
) -> Result<NoContent, ApiError> {
    let PatchTransformation { source_id, endpoint_id, body } = input;
    let entry = call.application(&source_id).await?;
    call::endpoint(&entry, &endpoint_id)?;
    let mut problems = Problems::within(&["body"]);
    let unsupported = "cannot be set: webhooks are forwarded unchanged";
    problems.require(body.code.is_none(), "code", unsupported);
    problems.require(body.enabled != Some(true), "enabled", unsupported);
    let has_variables = body.variables.is_some_and(|variables| !variables.is_empty());
    problems.require(!has_variables, "variables", unsupported);
    problems.finish_with(NoContent)
}
