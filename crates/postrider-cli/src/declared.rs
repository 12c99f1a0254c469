//! Applies what the configuration file defines: endpoints and consumers.
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
    ApiError, Declared as Outcome, DeclaredConsumer, DeclaredEndpoint, Grant, IdOrUid, Operations,
    Principal,
    operations::{consumer, endpoint},
};
use postrider_store::private;
use serde::{Deserialize, Serialize};

use crate::{
    config::{ConfiguredConsumer, ConfiguredEndpoint, Declared},
    failure::Advice,
};

/// The file with the names.
const FILE: &str = "declared.json";

/// What the configuration file defined once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Names {
    endpoints: BTreeSet<EndpointName>,
    consumers: BTreeSet<ConsumerName>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct ConsumerName {
    organization: OrganizationId,
    uid: Uid,
}

impl From<&DeclaredConsumer> for ConsumerName {
    fn from(consumer: &DeclaredConsumer) -> Self {
        let DeclaredConsumer { organization, uid, .. } = consumer.clone();
        Self { organization, uid }
    }
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
    for configured in &declared.consumers {
        apply_consumer(configured, operations).await?;
    }
    let file = data_dir.join(FILE);
    let before = read(&file);
    let mut now = Names {
        endpoints: declared.endpoints.iter().map(|it| EndpointName::from(&it.endpoint)).collect(),
        consumers: declared.consumers.iter().map(|it| ConsumerName::from(&it.consumer)).collect(),
    };
    now.keep_removed(&before, operations).await?;
    if now != before {
        write(&file, &now);
    }
    Ok(())
}

impl Names {
    /// Reports the names of earlier starts that are missing now, and keeps those that exist.
    async fn keep_removed(&mut self, before: &Self, operations: &Operations) -> anyhow::Result<()> {
        for removed in before.endpoints.difference(&self.endpoints.clone()) {
            if exists(removed, operations).await? {
                report_removed(removed);
                self.endpoints.insert(removed.clone());
            }
        }
        for removed in before.consumers.difference(&self.consumers.clone()) {
            if consumer_exists(removed, operations).await? {
                report_removed_consumer(removed);
                self.consumers.insert(removed.clone());
            }
        }
        Ok(())
    }
}

async fn apply_consumer(
    configured: &ConfiguredConsumer,
    operations: &Operations,
) -> anyhow::Result<()> {
    let ConfiguredConsumer { origin, label, consumer, .. } = configured;
    let outcome = operations.declare_consumer(consumer).await;
    let done = match outcome.map_err(|error| refused(error, &format!("{origin}: {label}")))? {
        Outcome::Created => "created",
        Outcome::Updated => "changed",
        Outcome::Unchanged => return Ok(()),
    };
    tracing::info!("{done} the consumer {} as in {origin}", consumer.uid);
    Ok(())
}

async fn consumer_exists(name: &ConsumerName, operations: &Operations) -> anyhow::Result<bool> {
    let organization = name.organization.clone();
    let principal = Principal::new(Grant::of(organization));
    let consumer_id = IdOrUid::Uid(name.uid.clone());
    match operations.call(&principal, consumer::Get { consumer_id }).await {
        Ok(_) => Ok(true),
        Err(ApiError::NotFound(_)) => Ok(false),
        Err(error) => Err(error).context("cannot look for a consumer"),
    }
}

fn report_removed_consumer(ConsumerName { organization, uid }: &ConsumerName) {
    tracing::warn!(
        organization = organization.as_str(),
        "the consumer {uid} is no longer in the configuration file, but still reads its queue; \
         delete it with `postrider consumer delete {uid}`"
    );
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
        "skipAfter" => "skip_after",
        "trustedCertificates" => "trusted_certificates",
        "maxAttempts" => "max_attempts",
        "maxInFlight" => "max_in_flight",
        "eventType" => "event_type",
        "eventId" => "event_id",
        other => other,
    }
}

async fn exists(name: &EndpointName, operations: &Operations) -> anyhow::Result<bool> {
    let organization = name.organization.clone();
    let principal = Principal::new(Grant::of(organization));
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
