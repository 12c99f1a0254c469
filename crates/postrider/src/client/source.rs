//! Calls for sources.

use http::Method;

use super::{Call, Client, Error, Page};
use crate::api::{
    AppPortalAccessOut, ListResponse,
    ingest::{
        IngestLogOut, IngestSourceConsumerPortalAccessIn, IngestSourceIn, IngestSourceOut,
        IngestSourcePatch, RotateTokenOut, SourceSecretRotateIn, SourceSecretsOut,
    },
};

/// Sources: the URLs that providers post to. A source is identified by its id or uid. The webhooks
/// that it receives are messages of its application, whose endpoints get them:
/// `client.endpoint(&source.app_id.to_string())`.
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

    /// Gets a source.
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

    /// Deletes a source, and its application if that was created for it.
    pub async fn delete(&self, id: &str) -> Result<(), Error> {
        self.0.call(call(Method::DELETE, &[id])).await.map(drop)
    }

    /// Gives the source a new URL. The old one stops working at once.
    pub async fn rotate_token(&self, id: &str) -> Result<RotateTokenOut, Error> {
        self.0.call(call(Method::POST, &[id, "token", "rotate"])).await?.json()
    }

    /// Gets the secrets that verify requests, such as one that the provider handed over.
    pub async fn secrets(&self, id: &str) -> Result<SourceSecretsOut, Error> {
        self.0.call(call(Method::GET, &[id, "secret"])).await?.json()
    }

    /// Adds a secret. The old ones stay valid for a grace period.
    pub async fn rotate_secret(
        &self,
        id: &str,
        rotation: &SourceSecretRotateIn,
    ) -> Result<IngestSourceOut, Error> {
        self.0.call(call(Method::POST, &[id, "secret", "rotate"]).json(rotation)?).await?.json()
    }

    /// Lists rejected requests with the reasons.
    pub async fn log(&self, id: &str, page: &Page) -> Result<ListResponse<IngestLogOut>, Error> {
        self.0.call(call(Method::GET, &[id, "log"]).query(page)).await?.json()
    }

    /// Creates a link and a token for managing the endpoints and messages of the source.
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
