//! How the requests to endpoints of a source authenticate: OAuth 2.0 and client certificates.

use postrider::{
    EndpointId, SourceId,
    api::{
        EndpointMtlsConfigIn, EndpointMtlsConfigOut, EndpointOauthConfigIn, EndpointOauthConfigOut,
        Permission,
    },
};
use postrider_store::IdOrUid;

use crate::{
    api::{
        body::Json,
        error::ApiError,
        operation::operations,
        reply::{Done, NoContent},
    },
    operations::{
        call::Call,
        endpoint::{mtls, oauth},
    },
};

operations! {
    tag "Ingest Endpoint";

    /// Get how access tokens for a source's endpoint are fetched
    GetOauth "v1.ingest.endpoint.get-oauth" = GET "/ingest/api/v1/source/{source_id}/endpoint/{endpoint_id}/oauth"
        path { source_id: IdOrUid<SourceId>, endpoint_id: IdOrUid<EndpointId> }
        -> Done<EndpointOauthConfigOut> = get_oauth,
        needs(Permission::Read);

    /// Set how access tokens for a source's endpoint are fetched
    SetOauth "v1.ingest.endpoint.set-oauth-config" = PUT "/ingest/api/v1/source/{source_id}/endpoint/{endpoint_id}/oauth"
        path { source_id: IdOrUid<SourceId>, endpoint_id: IdOrUid<EndpointId> }
        body { Json<EndpointOauthConfigIn> }
        -> NoContent = set_oauth,
        needs(Permission::Operate);

    /// Remove OAuth from a source's endpoint
    DeleteOauth "v1.ingest.endpoint.delete-oauth-config" = DELETE "/ingest/api/v1/source/{source_id}/endpoint/{endpoint_id}/oauth"
        path { source_id: IdOrUid<SourceId>, endpoint_id: IdOrUid<EndpointId> }
        -> NoContent = delete_oauth,
        needs(Permission::Operate);

    /// Get the client certificate of a source's endpoint
    GetMtls "v1.ingest.endpoint.get-mtls" = GET "/ingest/api/v1/source/{source_id}/endpoint/{endpoint_id}/mtls"
        path { source_id: IdOrUid<SourceId>, endpoint_id: IdOrUid<EndpointId> }
        -> Done<EndpointMtlsConfigOut> = get_mtls,
        needs(Permission::Read);

    /// Set the client certificate of a source's endpoint
    SetMtls "v1.ingest.endpoint.set-mtls-config" = PUT "/ingest/api/v1/source/{source_id}/endpoint/{endpoint_id}/mtls"
        path { source_id: IdOrUid<SourceId>, endpoint_id: IdOrUid<EndpointId> }
        body { Json<EndpointMtlsConfigIn> }
        -> NoContent = set_mtls,
        needs(Permission::Operate);

    /// Remove the client certificate of a source's endpoint
    DeleteMtls "v1.ingest.endpoint.delete-mtls-config" = DELETE "/ingest/api/v1/source/{source_id}/endpoint/{endpoint_id}/mtls"
        path { source_id: IdOrUid<SourceId>, endpoint_id: IdOrUid<EndpointId> }
        -> NoContent = delete_mtls,
        needs(Permission::Operate);
}

async fn get_oauth(call: Call, input: GetOauth) -> Result<Done<EndpointOauthConfigOut>, ApiError> {
    oauth::get_from(&call, (&input.source_id).into(), &input.endpoint_id).await.map(Done)
}

async fn set_oauth(call: Call, input: SetOauth) -> Result<NoContent, ApiError> {
    let SetOauth { source_id, endpoint_id, body } = input;
    oauth::set_in(&call, (&source_id).into(), &endpoint_id, body).await.map(|()| NoContent)
}

async fn delete_oauth(call: Call, input: DeleteOauth) -> Result<NoContent, ApiError> {
    let DeleteOauth { source_id, endpoint_id } = input;
    oauth::delete_from(&call, (&source_id).into(), &endpoint_id).await.map(|()| NoContent)
}

async fn get_mtls(call: Call, input: GetMtls) -> Result<Done<EndpointMtlsConfigOut>, ApiError> {
    mtls::get_from(&call, (&input.source_id).into(), &input.endpoint_id).await.map(Done)
}

async fn set_mtls(call: Call, input: SetMtls) -> Result<NoContent, ApiError> {
    let SetMtls { source_id, endpoint_id, body } = input;
    mtls::set_in(&call, (&source_id).into(), &endpoint_id, body).await.map(|()| NoContent)
}

async fn delete_mtls(call: Call, input: DeleteMtls) -> Result<NoContent, ApiError> {
    let DeleteMtls { source_id, endpoint_id } = input;
    mtls::delete_from(&call, (&source_id).into(), &endpoint_id).await.map(|()| NoContent)
}
