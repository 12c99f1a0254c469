//! One request on its way to a handler.

use std::{str::FromStr, sync::Arc};

use axum::extract::RawPathParams;
use postrider::{ApplicationId, EndpointId, OrganizationId, SourceId, Uid, name::MAX_NAME};
use postrider_core::{
    catalog::{Endpoint, Source},
    time::Timestamp,
};
use postrider_engine::{Engine, Entry};
use postrider_store::{IdOrUid, Store};

use crate::{
    api::error::ApiError, auth::Caller, context::Context, http::memory::Reservation,
    idempotency::Key, settings::Settings,
};

/// One request on its way to a handler: who asks, when, and for what.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) context: Arc<Context>,
    pub(crate) caller: Arc<Caller>,
    pub(crate) now: Timestamp,
    pub(crate) idempotency: Option<Key>,
    pub(crate) path: RawPathParams,
    /// Memory for the body.
    pub(crate) _memory: Option<Reservation>,
}

impl Call {
    pub(crate) fn engine(&self) -> &Engine {
        &self.context.engine
    }

    pub(crate) fn store(&self) -> &dyn Store {
        self.context.engine.store().as_ref()
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.context.settings
    }

    pub(crate) fn organization(&self) -> &OrganizationId {
        &self.caller.grant.organization
    }

    /// The part of the path that has this name in the operation's declaration.
    pub(crate) fn argument(&self, name: &'static str) -> &str {
        let found = self.path.iter().find(|(key, _)| *key == name);
        found.map_or("", |(_, value)| value)
    }

    /// How the path names something.
    pub(crate) fn named<I: FromStr>(&self, name: &'static str) -> Result<IdOrUid<I>, ApiError> {
        named(self.argument(name)).ok_or_else(|| {
            let message = format!("must be an id or a uid of 1 to {MAX_NAME} characters");
            ApiError::invalid(&["path", name], message)
        })
    }

    /// The application that the path names, itself or by its source, if the caller may see it.
    pub(crate) async fn application(&self) -> Result<Arc<Entry>, ApiError> {
        self.find_application().await?.ok_or(ApiError::NotFound("application"))
    }

    pub(crate) async fn find_application(&self) -> Result<Option<Arc<Entry>>, ApiError> {
        if !self.argument("source_id").is_empty() {
            let source = self.source().await?.application;
            return Ok(self.engine().directory().entry(source).await?);
        }
        let named = self.named::<ApplicationId>("app_id")?;
        let found = self.engine().directory().find(self.organization(), &named).await?;
        Ok(found.filter(|entry| self.may_see(entry.application.id)))
    }

    /// The source that the path names, as it is stored now.
    pub(crate) async fn source(&self) -> Result<Source, ApiError> {
        self.find_source().await?.ok_or(ApiError::NotFound("source"))
    }

    pub(crate) async fn find_source(&self) -> Result<Option<Source>, ApiError> {
        let named = self.named::<SourceId>("source_id")?;
        Ok(self.store().source(self.organization(), &named).await?)
    }

    /// An application's own token does not tell others apart from those that are not there.
    pub(crate) fn may_see(&self, application: ApplicationId) -> bool {
        self.caller.grant.application.as_ref().is_none_or(|own| own.id == application)
    }

    /// The endpoint of the application that the path names, as the engine knows it.
    pub(crate) fn endpoint(&self, entry: &Entry) -> Result<Arc<Endpoint>, ApiError> {
        self.find_endpoint(entry)?.ok_or(ApiError::NotFound("endpoint"))
    }

    pub(crate) fn find_endpoint(&self, entry: &Entry) -> Result<Option<Arc<Endpoint>>, ApiError> {
        let named = self.named::<EndpointId>("endpoint_id")?;
        Ok(pick_endpoint(entry, &named))
    }
}

/// An id, or else a uid.
pub(crate) fn named<I: FromStr>(text: &str) -> Option<IdOrUid<I>> {
    if let Ok(id) = text.parse() {
        return Some(IdOrUid::Id(id));
    }
    text.parse::<Uid>().ok().map(IdOrUid::Uid)
}

pub(crate) fn pick_endpoint(entry: &Entry, named: &IdOrUid<EndpointId>) -> Option<Arc<Endpoint>> {
    let is_named = |endpoint: &&Arc<Endpoint>| match named {
        IdOrUid::Id(id) => endpoint.id == *id,
        IdOrUid::Uid(uid) => endpoint.uid.as_ref() == Some(uid),
    };
    entry.endpoints.iter().find(is_named).cloned()
}
