//! Sources.

use http::Method;

use super::{Call, Client, Error, Page};
use crate::api::{
    AppPortalAccessOut, ListResponse,
    ingest::{
        IngestLogOut, IngestSourceConsumerPortalAccessIn, IngestSourceIn, IngestSourceOut,
        IngestSourcePatch, RotateTokenOut, SourceSecretRotateIn, SourceSecretsOut,
    },
};

/// Sources: the URLs that providers post to. A source is named by its id or uid. What it
/// receives are messages of its application, and what to do with them are that application's
/// endpoints: `client.endpoint(&source.app_id.to_string())`.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a>(pub(super) &'a Client);

impl Sources<'_> {
    /// Lists sources.
    pub async fn list(&self, page: &Page) -> Result<ListResponse<IngestSourceOut>, Error> {
        self.0.call(call(Method::GET, &[]).query(page)).await?.json()
    }

    /// Creates a source.
    pub async fn create(&self, source: &IngestSourceIn) -> Result<IngestSourceOut, Error> {
        self.0.call(call(Method::POST, &[]).json(source)?).await?.json()
    }

    /// One source.
    pub async fn get(&self, id: &str) -> Result<IngestSourceOut, Error> {
        self.0.call(call(Method::GET, &[id])).await?.json()
    }

    /// Replaces a source, or creates it under this uid.
    pub async fn upsert(
        &self,
        id: &str,
        source: &IngestSourceIn,
    ) -> Result<IngestSourceOut, Error> {
        self.0.call(call(Method::PUT, &[id]).json(source)?).await?.json()
    }

    /// Changes some fields.
    pub async fn patch(
        &self,
        id: &str,
        patch: &IngestSourcePatch,
    ) -> Result<IngestSourceOut, Error> {
        self.0.call(call(Method::PATCH, &[id]).json(patch)?).await?.json()
    }

    /// Removes a source, and its application if that was made for it.
    pub async fn delete(&self, id: &str) -> Result<(), Error> {
        self.0.call(call(Method::DELETE, &[id])).await.map(drop)
    }

    /// Gives the source another URL; the old one ends at once.
    pub async fn rotate_token(&self, id: &str) -> Result<RotateTokenOut, Error> {
        self.0.call(call(Method::POST, &[id, "token", "rotate"])).await?.json()
    }

    /// The secrets that requests are verified with, such as one that the provider handed over.
    pub async fn secrets(&self, id: &str) -> Result<SourceSecretsOut, Error> {
        self.0.call(call(Method::GET, &[id, "secret"])).await?.json()
    }

    /// Puts a new secret before the old ones, which verify for a while more.
    pub async fn rotate_secret(
        &self,
        id: &str,
        rotation: &SourceSecretRotateIn,
    ) -> Result<IngestSourceOut, Error> {
        self.0.call(call(Method::POST, &[id, "secret", "rotate"]).json(rotation)?).await?.json()
    }

    /// Requests that were turned away, and why.
    pub async fn log(&self, id: &str, page: &Page) -> Result<ListResponse<IngestLogOut>, Error> {
        self.0.call(call(Method::GET, &[id, "log"]).query(page)).await?.json()
    }

    /// A link and a token for those who look after what the source receives.
    pub async fn dashboard(
        &self,
        id: &str,
        access: &IngestSourceConsumerPortalAccessIn,
    ) -> Result<AppPortalAccessOut, Error> {
        self.0.call(call(Method::POST, &[id, "dashboard"]).json(access)?).await?.json()
    }
}

fn call(method: Method, path: &[&str]) -> Call {
    Call::new(method, &[&["ingest", "api", "v1", "source"], path].concat())
}
