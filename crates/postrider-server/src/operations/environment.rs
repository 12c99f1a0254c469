//! The environment of an organization: its settings and event types.

pub(super) mod declaration;
mod settings;
mod theme;

use std::collections::HashSet;

use postrider::{
    EventTypeName,
    api::{
        Capability, EventTypeIn,
        environment::{
            EnvironmentIn, EnvironmentOut, EnvironmentSettingsIn, EnvironmentSettingsOut,
            MAX_EVENT_TYPES, VERSION,
        },
    },
};
use postrider_core::catalog::{EventType, OrganizationSettings};

use crate::{
    api::{
        access::Access,
        body::Json,
        convert::to_wire,
        error::ApiError,
        operation::{BodySize, Idempotency, operations},
        problems::Problems,
        reply::{Done, NoContent},
    },
    operations::{
        call::Call,
        event_type::{self, bulk},
        internal_application::change_settings,
        render,
    },
};
use postrider::api::Permission;

pub use self::declaration::{Apply, ExportQuery, ExportRecords};
pub(super) use self::{
    declaration::{open_document, secret_document},
    settings::check_endpoint,
};

operations! {
    tag "Environment";

    /// Get the settings of the organization
    GetSettings "v1.environment.get-settings" = GET "/api/v1/environment/settings"
        -> Done<EnvironmentSettingsOut> = get_settings,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);

    /// Export the event types and the settings of the organization
    Export "v1.environment.export" = POST "/api/v1/environment/export"
        -> Done<EnvironmentOut> = export,
        idempotency(Idempotency::Unkeyed),
        needs(Permission::Administer);

    /// Import event types and settings
    Import "v1.environment.import" = POST "/api/v1/environment/import"
        body { Json<EnvironmentIn> }
        -> NoContent = import,
        body_size(BodySize::Batch),
        needs(Permission::Administer);

    /// Get the settings of the organization, as its administrators see them
    GetAllSettings "v1.management.environment-settings.get" = GET "/api/v1/management/environment-settings"
        -> Done<EnvironmentSettingsOut> = get_all_settings,
        needs(Permission::Read);

    /// Replace the settings of the organization
    UpdateSettings "v1.management.environment-settings.update" = PUT "/api/v1/management/environment-settings"
        body { Json<EnvironmentSettingsIn> }
        -> Done<EnvironmentSettingsOut> = update_settings,
        needs(Permission::Administer);

    /// Change some settings of the organization
    PatchSettings "v1.management.environment-settings.patch" = PATCH "/api/v1/management/environment-settings"
        body { Json<EnvironmentSettingsIn> }
        -> Done<EnvironmentSettingsOut> = patch_settings,
        needs(Permission::Administer);
}

async fn get_settings(
    call: Call,
    _: GetSettings,
) -> Result<Done<EnvironmentSettingsOut>, ApiError> {
    current(&call).await.map(Done)
}

async fn get_all_settings(
    call: Call,
    _: GetAllSettings,
) -> Result<Done<EnvironmentSettingsOut>, ApiError> {
    current(&call).await.map(Done)
}

async fn current(call: &Call) -> Result<EnvironmentSettingsOut, ApiError> {
    let settings = call.engine().organization_settings(call.organization()).await?;
    Ok(settings::shown(settings))
}

/// Settings that are absent get their defaults.
async fn update_settings(
    call: Call,
    UpdateSettings { body }: UpdateSettings,
) -> Result<Done<EnvironmentSettingsOut>, ApiError> {
    let replace = |_| changed(OrganizationSettings::default(), &body, &["body"]);
    change_settings(&call, replace).await.map(|it| Done(settings::shown(it)))
}

async fn patch_settings(
    call: Call,
    PatchSettings { body }: PatchSettings,
) -> Result<Done<EnvironmentSettingsOut>, ApiError> {
    let patch = |old| changed(old, &body, &["body"]);
    change_settings(&call, patch).await.map(|it| Done(settings::shown(it)))
}

fn changed(
    old: OrganizationSettings,
    given: &EnvironmentSettingsIn,
    within: &[&str],
) -> Result<OrganizationSettings, ApiError> {
    let mut problems = Problems::within(within);
    let new = settings::apply(old, given, &mut problems);
    problems.finish_with(new)
}

async fn export(call: Call, _: Export) -> Result<Done<EnvironmentOut>, ApiError> {
    let event_types = bulk::all(&call).await?.into_iter();
    Ok(Done(EnvironmentOut {
        version: VERSION,
        created_at: to_wire(call.now),
        event_types: event_types.map(|it| render::event_type(it, true)).collect(),
        settings: current(&call).await?,
        connectors: Vec::new(),
    }))
}

async fn import(call: Call, Import { body }: Import) -> Result<NoContent, ApiError> {
    let EnvironmentIn { event_types, settings, connectors } = body;
    let event_types = build(&call, event_types.unwrap_or_default())?;
    let no_connectors = connectors.is_none_or(|connectors| connectors.is_empty());
    let mut problems = Problems::within(&["body"]);
    problems.require(no_connectors, "connectors", "must be empty: there are no connectors");
    problems.finish()?;
    if let Some(given) = &settings {
        // Before anything is saved.
        changed(OrganizationSettings::default(), given, SETTINGS)?;
    }
    bulk::save(&call, &event_types, &["body", "eventTypes"]).await?;
    if let Some(given) = &settings {
        change_settings(&call, |old| changed(old, given, SETTINGS)).await?;
    }
    Ok(NoContent)
}

const SETTINGS: &[&str] = &["body", "settings"];

fn build(call: &Call, bodies: Vec<EventTypeIn>) -> Result<Vec<EventType>, ApiError> {
    bulk::check_count(bodies.len(), &["body", "eventTypes"])?;
    let mut names = HashSet::<EventTypeName>::new();
    let mut event_types = Vec::with_capacity(bodies.len().min(MAX_EVENT_TYPES));
    for (index, body) in bodies.into_iter().enumerate() {
        let index = index.to_string();
        let place = ["body", "eventTypes", &index];
        let event_type = event_type::build(call, body, &place)?;
        if !names.insert(event_type.name.clone()) {
            let place = [place.as_slice(), &["name"]].concat();
            return Err(ApiError::invalid(&place, "is the name of another event type of the list"));
        }
        event_types.push(event_type);
    }
    Ok(event_types)
}
