//! Endpoints that the operator's configuration file defines.

use std::sync::Arc;

use postrider::{
    ApplicationId, EventTypeName, OrganizationId, Uid,
    api::{ApplicationIn, EndpointIn, EndpointKind, endpoint_secret::DEFAULT_GRACE_SECONDS},
};
use postrider_core::catalog::{Application, Endpoint};
use postrider_store::{Expected, IdOrUid};

use super::{
    Change, Create, build, disablement, find,
    kind::{self, Location},
    notify, save, signing,
};
use crate::{
    api::{error::ApiError, operation::Operation, problems::Problems},
    auth::Principal,
    operations::{application, call::Call, event_type::builtin, handle::Operations, secrets},
    race,
};

/// An endpoint that the operator's configuration file defines. The file wins over what clients
/// have changed, except for what it leaves open.
#[derive(Clone, Debug)]
pub struct DeclaredEndpoint {
    pub organization: OrganizationId,
    /// It is created if it does not exist.
    pub application: Uid,
    pub uid: Uid,
    /// Whether it is disabled; if absent, its present state stays.
    pub disabled: Option<bool>,
    /// Everything else. Without a secret, the present one stays.
    pub endpoint: EndpointIn,
}

/// What became of a declared endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Declared {
    Created,
    Updated,
    Unchanged,
}

impl Operations {
    /// Creates a declared endpoint, or changes the present one if it differs.
    ///
    /// Unlike a client, the operator may define endpoints of every kind, and subscribe to event
    /// types that do not exist yet. Quotas do not apply.
    pub async fn declare(&self, declared: &DeclaredEndpoint) -> Result<Declared, ApiError> {
        let organization = declared.organization.clone();
        let principal = Principal::installation(organization);
        self.ensure_application(&principal, &declared.application).await?;
        let call = self.authorize(&Create::declaration(), &principal).await?;
        let try_once = || race::retry(|| try_declare(&call, declared));
        match try_once().await {
            // Another node has just created it.
            Err(ApiError::Conflict { .. }) => try_once().await,
            result => result,
        }
    }

    async fn ensure_application(
        &self,
        principal: &Arc<Principal>,
        uid: &Uid,
    ) -> Result<(), ApiError> {
        let query = application::CreateQuery { get_if_exists: true };
        let (name, uid) = (uid.to_string(), Some(uid.to_string()));
        let body = ApplicationIn { name, uid, ..ApplicationIn::default() };
        self.call(principal, application::Create { query, body }).await.map(drop)
    }
}

async fn try_declare(call: &Call, declared: &DeclaredEndpoint) -> Result<Declared, ApiError> {
    let named = IdOrUid::<ApplicationId>::Uid(declared.application.clone());
    let entry = call.application(&named).await?;
    let application = &entry.application;
    let _lock = call.locks().application(application.id).await;
    let found = find(call, &entry, &IdOrUid::Uid(declared.uid.clone())).await?;
    let new = build(call, application, declared.endpoint.clone(), locate)?;
    warn_of_unknown_types(call, &new).await?;
    let Some(old) = found else {
        save(call, &new, Expected::New).await?;
        notify::send(call, application, &new, Change::Created).await;
        return Ok(Declared::Created);
    };
    let new = merged(call, declared, &old.0, new)?;
    if new == old.0 {
        return Ok(Declared::Unchanged);
    }
    update(call, application, &old, &Endpoint { updated_at: call.now, ..new }).await?;
    Ok(Declared::Updated)
}

/// Where the endpoint leads. Unlike for clients, every kind that the server supports is allowed.
fn locate(
    call: &Call,
    body: &EndpointIn,
    problems: &mut Problems<'_>,
) -> Result<Location, ApiError> {
    if body.kind == EndpointKind::Command {
        return Ok(kind::of_command(call, body, problems));
    }
    kind::of_new(call, body, problems)
}

/// The present endpoint with what the file says. What means the same stays as it is stored, so that
/// it can be compared.
pub(super) fn merged(
    call: &Call,
    declared: &DeclaredEndpoint,
    old: &Endpoint,
    new: Endpoint,
) -> Result<Endpoint, ApiError> {
    if old.kind != new.kind {
        let message = format!(
            "the endpoint exists with the kind `{}`, which cannot be changed; delete it, or choose \
             another uid",
            old.kind
        );
        return Err(ApiError::invalid(&["body", "kind"], message));
    }
    let is_same_config =
        secrets::open_at_rest(call, &old.config)? == secrets::open_at_rest(call, &new.config)?;
    let is_same_headers =
        secrets::open_at_rest(call, &old.headers)? == secrets::open_at_rest(call, &new.headers)?;
    let is_new_secret = signing::is_standard_secret(&declared.endpoint)
        && secrets::open(call, &old.secret)?.reveal() != secrets::open(call, &new.secret)?.reveal();
    let secret = new.secret.clone();
    // The file cannot define the rest.
    let mut authentication = old.authentication.clone();
    if declared.endpoint.authentication.is_some() {
        let credentials = &new.authentication.credentials;
        let is_same = secrets::open_at_rest(call, credentials)?
            == secrets::open_at_rest(call, &authentication.credentials)?;
        if !is_same {
            authentication.credentials = credentials.clone();
        }
    }
    let mut merged = Endpoint {
        id: old.id,
        managed_by: old.managed_by.clone(),
        config: if is_same_config { old.config.clone() } else { new.config },
        headers: if is_same_headers { old.headers.clone() } else { new.headers },
        disabled: declared.disabled.unwrap_or(old.disabled),
        authentication,
        signing: signing::merged(call, &declared.endpoint, old)?,
        secret: old.secret.clone(),
        polling_tokens: old.polling_tokens.clone(),
        retired_secrets: old.retired_secrets.clone(),
        disablement: old.disablement,
        created_at: old.created_at,
        updated_at: old.updated_at,
        ..new
    };
    if is_new_secret {
        let grace = std::time::Duration::from_secs(DEFAULT_GRACE_SECONDS.into());
        secrets::rotate(&mut merged, secret, call.now, call.now + grace)?;
    }
    Ok(merged)
}

async fn update(
    call: &Call,
    application: &Application,
    (old, version): &(Endpoint, postrider_store::Version),
    new: &Endpoint,
) -> Result<(), ApiError> {
    let new = disablement::noted(call, old, new);
    save(call, &new, Expected::Version(*version)).await?;
    super::report(call, application, old, &new).await;
    Ok(())
}

/// A misspelled event type would never arrive.
async fn warn_of_unknown_types(call: &Call, endpoint: &Endpoint) -> Result<(), ApiError> {
    for name in endpoint.event_types.iter().flatten() {
        let name: &EventTypeName = name;
        if builtin::find(call, name).await?.is_none() {
            let uid = endpoint.uid.as_ref().map(Uid::as_str).unwrap_or_default();
            tracing::warn!(
                endpoint.uid = uid,
                event_type = name.as_str(),
                "a configured endpoint subscribes to an event type that does not exist"
            );
        }
    }
    Ok(())
}
