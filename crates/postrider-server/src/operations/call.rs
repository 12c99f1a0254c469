//! One call of an operation: on whose behalf it runs, when, and what it works with.

use std::sync::Arc;

use postrider::{ApplicationId, EndpointId, OrganizationId, SourceId, Uid};
use postrider_core::{
    catalog::{Endpoint, Source},
    time::Timestamp,
};
use postrider_engine::{Engine, Entry};
use postrider_store::{IdOrUid, Records, Store, Version};

pub(crate) use super::resources::Resources;
use crate::{
    api::error::ApiError, auth::Principal, http::memory::Reservation, idempotency::IdempotencyKey,
    locks::ChangeLocks, operations::audited::AuditedStore, quota::QuotaTracker, settings::Settings,
    traces::RequestTrace, trials::Trials,
};

/// One call of an operation.
#[derive(Debug)]
pub struct Call {
    pub(crate) resources: Arc<Resources>,
    pub(crate) principal: Arc<Principal>,
    pub(crate) store: AuditedStore,
    pub(crate) now: Timestamp,
    pub(crate) idempotency: Option<IdempotencyKey>,
    /// The distributed trace that it belongs to, if that is known or recorded.
    pub(crate) trace: Option<Arc<RequestTrace>>,
    /// Memory for the request's body.
    pub(crate) _memory: Option<Reservation>,
}

/// How a path names an application: by its id or uid, by one of its sources, or as the one that
/// receives the operational webhooks of the organization.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ApplicationPath<'a> {
    Application(&'a IdOrUid<ApplicationId>),
    Source(&'a IdOrUid<SourceId>),
    Operational,
}

impl ApplicationPath<'_> {
    pub(crate) const fn is_source(self) -> bool {
        matches!(self, Self::Source(_))
    }

    pub(crate) const fn is_operational(self) -> bool {
        matches!(self, Self::Operational)
    }
}

impl<'a> From<&'a IdOrUid<ApplicationId>> for ApplicationPath<'a> {
    fn from(named: &'a IdOrUid<ApplicationId>) -> Self {
        Self::Application(named)
    }
}

impl<'a> From<&'a IdOrUid<SourceId>> for ApplicationPath<'a> {
    fn from(named: &'a IdOrUid<SourceId>) -> Self {
        Self::Source(named)
    }
}

impl Call {
    pub(crate) fn engine(&self) -> &Engine {
        &self.resources.engine
    }

    /// The store. What is changed through it is recorded in the audit log.
    pub(crate) const fn store(&self) -> &AuditedStore {
        &self.store
    }

    /// The store as a part of the server that only reads takes it.
    pub(crate) fn reader(&self) -> &dyn Store {
        self.resources.engine.store().as_ref()
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.resources.settings
    }

    pub(crate) fn locks(&self) -> &ChangeLocks {
        &self.resources.locks
    }

    pub(crate) fn quotas(&self) -> &QuotaTracker {
        &self.resources.quotas
    }

    pub(crate) fn trials(&self) -> &Trials {
        &self.resources.trials
    }

    pub(crate) fn organization(&self) -> &OrganizationId {
        &self.principal.grant.organization
    }

    /// Stores what was counted of received requests, so that statistics contain it.
    pub(crate) async fn count_requests(&self) -> Result<(), ApiError> {
        Ok(self.resources.requests.flush().await?)
    }

    /// The application that the path names, if the principal may see it.
    pub(crate) async fn application(
        &self,
        path: impl Into<ApplicationPath<'_>>,
    ) -> Result<Arc<Entry>, ApiError> {
        self.find_application(path).await?.ok_or(ApiError::NotFound("application"))
    }

    pub(crate) async fn find_application(
        &self,
        path: impl Into<ApplicationPath<'_>>,
    ) -> Result<Option<Arc<Entry>>, ApiError> {
        let directory = self.engine().directory();
        match path.into() {
            ApplicationPath::Application(named) => {
                let found = directory.find(self.organization(), named).await?;
                Ok(found.filter(|entry| self.may_see(entry.application.id)))
            },
            ApplicationPath::Source(named) => {
                let application = self.source(named).await?.application;
                Ok(directory.entry(application).await?)
            },
            ApplicationPath::Operational => {
                let Some(uid) = self.internal_uid() else { return Ok(None) };
                let organization = self.engine().internal_organization();
                Ok(directory.find(organization, &IdOrUid::Uid(uid)).await?)
            },
        }
    }

    /// The uid of the organization's internal application.
    pub(crate) fn internal_uid(&self) -> Option<Uid> {
        self.organization().as_str().parse().ok()
    }

    /// The source, as it is stored now.
    pub(crate) async fn source(&self, named: &IdOrUid<SourceId>) -> Result<Source, ApiError> {
        self.find_source(named).await?.ok_or(ApiError::NotFound("source"))
    }

    /// The source and its version, as they are stored now.
    pub(crate) async fn source_versioned(
        &self,
        named: &IdOrUid<SourceId>,
    ) -> Result<(Source, Version), ApiError> {
        let found = self.store().get_versioned::<Source>(self.organization(), named).await?;
        found.ok_or(ApiError::NotFound("source"))
    }

    pub(crate) async fn find_source(
        &self,
        named: &IdOrUid<SourceId>,
    ) -> Result<Option<Source>, ApiError> {
        Ok(self.store().get::<Source>(self.organization(), named).await?)
    }

    /// Whether the principal may see the application. To a token of another application, it does
    /// not exist.
    fn may_see(&self, application: ApplicationId) -> bool {
        self.principal.grant.application.as_ref().is_none_or(|own| own.id == application)
    }
}

/// The endpoint of the application, as the engine knows it.
pub(crate) fn endpoint(
    entry: &Entry,
    named: &IdOrUid<EndpointId>,
) -> Result<Arc<Endpoint>, ApiError> {
    let is_named = |endpoint: &&Arc<Endpoint>| match named {
        IdOrUid::Id(id) => endpoint.id == *id,
        IdOrUid::Uid(uid) => endpoint.uid.as_ref() == Some(uid),
    };
    entry.endpoints.iter().find(is_named).cloned().ok_or(ApiError::NotFound("endpoint"))
}
