//! The certificates that requests to an endpoint trust, as the hosted API names them.

use postrider::{
    ApplicationId, EndpointId,
    api::{
        Capability, EndpointPatch, Patch,
        endpoint::{EndpointServerCaIn, EndpointServerCaOut},
    },
};
use postrider_store::IdOrUid;

use super::CheckQuery;
use crate::{
    api::{
        access::Access,
        body::Json,
        error::ApiError,
        operation::operations,
        reply::{Done, NoContent},
    },
    operations::call::{self, Call},
};
use postrider::api::Permission;

operations! {
    tag "Endpoint";

    /// Get the certificates that requests to an endpoint trust
    GetServerCa "v1.endpoint.get-server-ca" = GET "/api/v1/app/{app_id}/endpoint/{endpoint_id}/ca"
        path { app_id: IdOrUid<ApplicationId>, endpoint_id: IdOrUid<EndpointId> }
        -> Done<EndpointServerCaOut> = get,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);

    /// Replace the certificates that requests to an endpoint trust
    SetServerCa "v1.endpoint.set-server-ca" = PUT "/api/v1/app/{app_id}/endpoint/{endpoint_id}/ca"
        path { app_id: IdOrUid<ApplicationId>, endpoint_id: IdOrUid<EndpointId> }
        body { Json<EndpointServerCaIn> }
        -> NoContent = set,
        access(Access::Application(Capability::ManageEndpoint)),
        needs(Permission::Operate);
}

async fn get(call: Call, input: GetServerCa) -> Result<Done<EndpointServerCaOut>, ApiError> {
    let entry = call.application(&input.app_id).await?;
    let endpoint = call::endpoint(&entry, &input.endpoint_id)?;
    Ok(Done(EndpointServerCaOut { cert: endpoint.trusted_certificates.clone() }))
}

async fn set(call: Call, input: SetServerCa) -> Result<NoContent, ApiError> {
    let SetServerCa { app_id, endpoint_id, body } = input;
    let trusted_certificates = body.cert.map_or(Patch::Clear, Patch::Set);
    let body = EndpointPatch { trusted_certificates, ..EndpointPatch::default() };
    let patch = super::Patch { app_id, endpoint_id, query: CheckQuery::default(), body };
    super::patch_in(&call, &patch).await.map(|_| NoContent)
}
