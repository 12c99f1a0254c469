//! Applies what the configuration file defines: endpoints.
//!
//! The names of what was defined are kept in the data folder, to notice what was removed.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow};
use postrider::{
    OrganizationId, Uid,
    api::{EndpointConfig, EndpointKind},
};
use postrider_core::kind::command::{CommandRegistry, Program};
use postrider_server::{
    ApiError, Declared as Outcome, DeclaredEndpoint, Grant, IdOrUid, Operations, Principal,
    operations::endpoint,
};
use postrider_store::private;
use serde::{Deserialize, Serialize};

use crate::{
    config::{ConfiguredEndpoint, Declared},
    failure::Advice,
};

/// The file with the names.
const FILE: &str = "declared.json";

/// What the configuration file defined once.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Names {
    endpoints: BTreeSet<EndpointName>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct EndpointName {
    organization: OrganizationId,
    application: Uid,
    uid: Uid,
}

impl From<&DeclaredEndpoint> for EndpointName {
    fn from(endpoint: &DeclaredEndpoint) -> Self {
        let DeclaredEndpoint { organization, application, uid, .. } = endpoint.clone();
        Self { organization, application, uid }
    }
}

/// The programs that endpoints of the kind `command` run. Of each, what is stored is only a name.
pub(crate) fn take_programs(declared: &mut Declared) -> anyhow::Result<CommandRegistry> {
    let mut registry = CommandRegistry::default();
    for ConfiguredEndpoint { label, endpoint, .. } in &mut declared.endpoints {
        if endpoint.endpoint.kind != EndpointKind::Command {
            continue;
        }
        let config = endpoint.endpoint.config.take().unwrap_or_default();
        let program = Program::parse(&config.0);
        let program = program.map_err(|_| anyhow!("{label} was checked, but is not valid"))?;
        let DeclaredEndpoint { organization, application, uid, .. } = endpoint;
        let stored = registry.add(&format!("{organization}/{application}/{uid}"), program);
        endpoint.endpoint.config = Some(EndpointConfig(stored));
    }
    Ok(registry)
}

/// Creates and changes what the file defines, and reports what it does not define any more.
pub(crate) async fn apply(
    declared: &Declared,
    operations: &Operations,
    data_dir: &Path,
) -> anyhow::Result<()> {
    for configured in &declared.endpoints {
        apply_endpoint(configured, operations).await?;
    }
    let file = data_dir.join(FILE);
    let before = read(&file);
    let mut now: BTreeSet<_> =
        declared.endpoints.iter().map(|it| EndpointName::from(&it.endpoint)).collect();
    for removed in before.endpoints.difference(&now.clone()) {
        if exists(removed, operations).await? {
            report_removed(removed);
            now.insert(removed.clone());
        }
    }
    if now != before.endpoints {
        write(&file, &Names { endpoints: now });
    }
    Ok(())
}

async fn apply_endpoint(
    configured: &ConfiguredEndpoint,
    operations: &Operations,
) -> anyhow::Result<()> {
    let ConfiguredEndpoint { origin, label, endpoint, .. } = configured;
    let outcome = operations.declare(endpoint).await;
    let done = match outcome.map_err(|error| refused(error, &format!("{origin}: {label}")))? {
        Outcome::Created => "created",
        Outcome::Updated => "changed",
        Outcome::Unchanged => return Ok(()),
    };
    let DeclaredEndpoint { application, uid, .. } = endpoint;
    tracing::info!("{done} the endpoint {uid} of the application {application} as in {origin}");
    Ok(())
}

/// The first problem, under the name that it has in the file.
fn refused(error: ApiError, place: &str) -> anyhow::Error {
    let ApiError::Invalid(problems) = &error else {
        return anyhow::Error::new(error).context(place.to_owned());
    };
    let Some(first) = problems.first() else { return error.into() };
    let field = first.loc.iter().filter(|it| *it != "body").map(|it| in_file(it));
    let field = field.collect::<Vec<_>>().join(".");
    Advice {
        message: format!("{place}: `{field}`: {}", first.msg),
        hint: "correct the entry in the configuration file".to_owned(),
        source: None,
    }
    .into()
}

/// The API's name of a field as the file writes it.
fn in_file(name: &str) -> &str {
    match name {
        "throttleRate" => "rate",
        "eventTypes" => "event_types",
        "strictRate" => "strict_rate",
        "trustedCertificates" => "trusted_certificates",
        other => other,
    }
}

async fn exists(name: &EndpointName, operations: &Operations) -> anyhow::Result<bool> {
    let organization = name.organization.clone();
    let principal = Principal::new(Grant { organization, application: None, expires_at: None });
    let app_id = IdOrUid::Uid(name.application.clone());
    let endpoint_id = IdOrUid::Uid(name.uid.clone());
    match operations.call(&principal, endpoint::Get { app_id, endpoint_id }).await {
        Ok(_) => Ok(true),
        Err(ApiError::NotFound(_)) => Ok(false),
        Err(error) => Err(error).context("cannot look for an endpoint"),
    }
}

fn report_removed(EndpointName { organization, application, uid }: &EndpointName) {
    tracing::warn!(
        organization = organization.as_str(),
        "the endpoint {uid} of the application {application} is no longer in the configuration \
         file, but still exists; delete it with `postrider endpoint delete {application} {uid}`"
    );
}

/// The names of earlier starts. Without them nothing is reported, which is better than not to start.
fn read(file: &PathBuf) -> Names {
    let Ok(bytes) = std::fs::read(file) else { return Names::default() };
    serde_json::from_slice(&bytes).unwrap_or_else(|error| {
        tracing::warn!(%error, "{} is damaged and is replaced", file.display());
        Names::default()
    })
}

fn write(file: &Path, names: &Names) {
    let bytes = serde_json::to_vec(names).expect("names serialize");
    let folder = file.parent().map_or(Ok(()), private::create_folder);
    if let Err(error) = folder.and_then(|()| private::write(file, &bytes)) {
        let file = file.display();
        tracing::warn!(%error, "{file} cannot be written; removed endpoints will not be reported");
    }
}
