//! The internal application of an organization, which the server creates when it is needed. Its
//! endpoints receive the operational webhooks, and it stores the settings of the organization.

use postrider::api::Metadata;
use postrider_core::catalog::{Application, OrganizationSettings};
use postrider_store::{Expected, StoreError};

use super::application;
use crate::{
    api::error::ApiError,
    operations::call::{ApplicationPath::Operational, Call},
    race,
};

/// Creates the application, unless it exists.
pub(super) async fn ensure(call: &Call) -> Result<(), ApiError> {
    if call.find_application(Operational).await?.is_some() {
        return Ok(());
    }
    let application = new(call)?;
    match call.store().save(&application, Expected::New).await {
        // On a conflict, another request has just created it.
        Ok(_) | Err(StoreError::Conflict { .. }) => {},
        Err(error) => return Err(error.into()),
    }
    Ok(call.engine().changed(application.id).await?)
}

fn new(call: &Call) -> Result<Application, ApiError> {
    let uid = call.internal_uid().ok_or_else(|| ApiError::Bad {
        code: "not_supported",
        detail: "the name of the organization is too long for this".to_owned(),
    })?;
    Ok(Application {
        managed_by: None,
        id: call.engine().clock().application_id(),
        organization: call.engine().internal_organization().clone(),
        uid: Some(uid),
        name: "Operational webhooks".to_owned(),
        metadata: Metadata::new(),
        throttle_rate: None,
        ended_tokens: Vec::new(),
        cutoffs: Vec::new(),
        integrations: Vec::new(),
        auto_configs: Vec::new(),
        settings: None,
        mode: postrider_core::catalog::ApplicationMode::Live,
        created_at: call.now,
        updated_at: call.now,
    })
}

/// Changes the settings of the organization.
pub(super) async fn change_settings(
    call: &Call,
    change: impl Fn(OrganizationSettings) -> Result<OrganizationSettings, ApiError>,
) -> Result<OrganizationSettings, ApiError> {
    ensure(call).await?;
    race::retry(|| try_change(call, &change)).await
}

async fn try_change(
    call: &Call,
    change: &impl Fn(OrganizationSettings) -> Result<OrganizationSettings, ApiError>,
) -> Result<OrganizationSettings, ApiError> {
    let id = call.application(Operational).await?.application.id;
    let _lock = call.locks().application(id).await;
    let (old, version) = application::current(call, id).await?;
    let settings = change(old.settings.unwrap_or_default())?;
    let new = Application { settings: Some(settings.clone()), updated_at: call.now, ..old };
    application::save(call, new, Expected::Version(version)).await?;
    Ok(settings)
}
