//! Client certificates of endpoints.

use postrider::{
    ApplicationId, EndpointId,
    api::{
        Capability, EndpointMtlsConfigIn, EndpointMtlsConfigOut, EndpointMtlsOut, Permission,
        endpoint_authentication::MAX_IDENTITY,
    },
};
use postrider_core::{
    catalog::{Endpoint, StoredIdentity},
    client_identity::{ClientIdentity, Expiry},
};
use postrider_engine::certificates::identity::{self, CertificateFacts, CheckedIdentity};
use postrider_store::IdOrUid;

use super::change;
use crate::{
    api::{
        access::Access,
        body::Json,
        convert::to_wire,
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

    /// Get the client certificate of an endpoint
    GetMtls "v1.endpoint.get-mtls" = GET "/api/v1/app/{app_id}/endpoint/{endpoint_id}/mtls"
        path { app_id: IdOrUid<ApplicationId>, endpoint_id: IdOrUid<EndpointId> }
        -> Done<EndpointMtlsConfigOut> = get,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);

    /// Set the client certificate of an endpoint
    SetMtls "v1.endpoint.set-mtls-config" = PUT "/api/v1/app/{app_id}/endpoint/{endpoint_id}/mtls"
        path { app_id: IdOrUid<ApplicationId>, endpoint_id: IdOrUid<EndpointId> }
        body { Json<EndpointMtlsConfigIn> }
        -> NoContent = set,
        access(Access::Application(Capability::ManageEndpoint)),
        needs(Permission::Operate);

    /// Remove the client certificate of an endpoint
    DeleteMtls "v1.endpoint.delete-mtls-config" = DELETE "/api/v1/app/{app_id}/endpoint/{endpoint_id}/mtls"
        path { app_id: IdOrUid<ApplicationId>, endpoint_id: IdOrUid<EndpointId> }
        -> NoContent = delete,
        access(Access::Application(Capability::ManageEndpoint)),
        needs(Permission::Operate);

    /// Get whether an endpoint has a client certificate, and which
    GetMtlsState "v1.endpoint.get-mtls-2" = GET "/api/v1/app/{app_id}/endpoint/{endpoint_id}/mtls-config"
        path { app_id: IdOrUid<ApplicationId>, endpoint_id: IdOrUid<EndpointId> }
        -> Done<EndpointMtlsOut> = get_state,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);
}

async fn get(call: Call, input: GetMtls) -> Result<Done<EndpointMtlsConfigOut>, ApiError> {
    get_from(&call, (&input.app_id).into(), &input.endpoint_id).await.map(Done)
}

/// The certificate of an endpoint of the application that a path names.
pub(in crate::operations) async fn get_from(
    call: &Call,
    path: ApplicationPath<'_>,
    endpoint_id: &IdOrUid<EndpointId>,
) -> Result<EndpointMtlsConfigOut, ApiError> {
    let config = shown(call, path, endpoint_id).await?;
    config.ok_or(ApiError::NotFound("client certificate of the endpoint"))
}

async fn get_state(call: Call, input: GetMtlsState) -> Result<Done<EndpointMtlsOut>, ApiError> {
    let config = shown(&call, (&input.app_id).into(), &input.endpoint_id).await?;
    Ok(Done(EndpointMtlsOut { enabled: config.is_some(), config }))
}

async fn shown(
    call: &Call,
    path: ApplicationPath<'_>,
    endpoint_id: &IdOrUid<EndpointId>,
) -> Result<Option<EndpointMtlsConfigOut>, ApiError> {
    let entry = call.application(path).await?;
    let endpoint = call::endpoint(&entry, endpoint_id)?;
    let Some(StoredIdentity { certificates, .. }) = &endpoint.authentication.identity else {
        return Ok(None);
    };
    let certificates = certificates.clone();
    Ok(Some(match identity::facts(&certificates) {
        Some(facts) => of_facts(facts, certificates),
        None => EndpointMtlsConfigOut {
            certificates: Some(certificates),
            ..EndpointMtlsConfigOut::default()
        },
    }))
}

fn of_facts(facts: CertificateFacts, certificates: String) -> EndpointMtlsConfigOut {
    EndpointMtlsConfigOut {
        subject: Some(facts.subject),
        issuer: Some(facts.issuer),
        valid_from: Some(to_wire(facts.not_before)),
        expires_at: Some(to_wire(facts.not_after)),
        fingerprint: Some(facts.fingerprint),
        certificates: Some(certificates),
    }
}

async fn set(call: Call, input: SetMtls) -> Result<NoContent, ApiError> {
    let SetMtls { app_id, endpoint_id, body } = input;
    set_in(&call, (&app_id).into(), &endpoint_id, body).await.map(|()| NoContent)
}

/// Sets the certificate of an endpoint of the application that a path names.
pub(in crate::operations) async fn set_in(
    call: &Call,
    path: ApplicationPath<'_>,
    endpoint_id: &IdOrUid<EndpointId>,
    body: EndpointMtlsConfigIn,
) -> Result<(), ApiError> {
    let CheckedIdentity { identity, facts } = checked(&body.identity)?;
    let ClientIdentity { certificates, key, .. } = identity;
    let identity = StoredIdentity { certificates, key: secrets::seal_text_exactly(call, &key) };
    change::authentication(call, path, endpoint_id, |endpoint| {
        check_scheme(endpoint)?;
        warn_if_expired(call, endpoint, &facts);
        endpoint.authentication.identity = Some(identity.clone());
        Ok(())
    })
    .await
}

fn checked(pem: &str) -> Result<CheckedIdentity, ApiError> {
    let place = ["body", "identity"];
    if pem.len() > MAX_IDENTITY {
        return Err(ApiError::invalid(&place, format!("is longer than {MAX_IDENTITY} bytes")));
    }
    identity::check(pem).map_err(|error| ApiError::invalid(&place, error.to_string()))
}

fn check_scheme(endpoint: &Endpoint) -> Result<(), ApiError> {
    if endpoint.url.starts_with("https:") {
        return Ok(());
    }
    let detail = "the URL of the endpoint is not https, so it would get no client certificate; \
                  change the URL first";
    Err(ApiError::Bad { code: "not_https", detail: detail.to_owned() })
}

fn warn_if_expired(call: &Call, endpoint: &Endpoint, facts: &CertificateFacts) {
    if Expiry::of(facts.not_after, call.now) == Some(Expiry::Expired) {
        tracing::warn!(
            endpoint.id = %endpoint.id,
            expires_at = facts.not_after.to_rfc3339(),
            "the new client certificate of an endpoint has expired; most receivers will refuse it"
        );
    }
}

async fn delete(call: Call, input: DeleteMtls) -> Result<NoContent, ApiError> {
    let DeleteMtls { app_id, endpoint_id } = input;
    delete_from(&call, (&app_id).into(), &endpoint_id).await.map(|()| NoContent)
}

/// Removes the certificate of an endpoint of the application that a path names.
pub(in crate::operations) async fn delete_from(
    call: &Call,
    path: ApplicationPath<'_>,
    endpoint_id: &IdOrUid<EndpointId>,
) -> Result<(), ApiError> {
    let remove = |endpoint: &mut Endpoint| {
        endpoint.authentication.identity = None;
        Ok(())
    };
    change::authentication(call, path, endpoint_id, remove).await
}
