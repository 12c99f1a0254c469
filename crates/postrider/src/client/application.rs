//! Calls for applications.

use http::Method;

use super::{Call, Client, Error, Page};
use crate::api::{ApplicationIn, ApplicationOut, ApplicationPatch, ListResponse, UsageOut};

/// Applications: your customers. An application is identified by its id or uid.
#[derive(Clone, Copy, Debug)]
pub struct Applications<'a>(pub(super) &'a Client);

impl Applications<'_> {
    /// Lists applications.
    pub async fn list(&self, page: &Page) -> Result<ListResponse<ApplicationOut>, Error> {
        self.0.call(call(Method::GET, &[]).query(page)).await?.json()
    }

    /// Creates an application.
    pub async fn create(&self, application: &ApplicationIn) -> Result<ApplicationOut, Error> {
        self.0.call(call(Method::POST, &[]).json(application)?).await?.json()
    }

    /// Creates an application, or returns the existing one with the same uid.
    pub async fn get_or_create(
        &self,
        application: &ApplicationIn,
    ) -> Result<ApplicationOut, Error> {
        let call = call(Method::POST, &[]).pair("get_if_exists", "true");
        self.0.call(call.json(application)?).await?.json()
    }

    /// Gets an application.
    pub async fn get(&self, id: &str) -> Result<ApplicationOut, Error> {
        self.0.call(call(Method::GET, &[id])).await?.json()
    }

    /// Replaces an application, or creates it under this uid.
    pub async fn update(
        &self,
        id: &str,
        application: &ApplicationIn,
    ) -> Result<ApplicationOut, Error> {
        self.0.call(call(Method::PUT, &[id]).json(application)?).await?.json()
    }

    /// Changes some fields.
    pub async fn patch(&self, id: &str, patch: &ApplicationPatch) -> Result<ApplicationOut, Error> {
        self.0.call(call(Method::PATCH, &[id]).json(patch)?).await?.json()
    }

    /// Gets the quotas of an application and their current use.
    pub async fn usage(&self, id: &str) -> Result<UsageOut, Error> {
        self.0.call(call(Method::GET, &[id, "usage"])).await?.json()
    }

    /// Deletes an application with its endpoints, and cancels their pending deliveries.
    pub async fn delete(&self, id: &str) -> Result<(), Error> {
        self.0.call(call(Method::DELETE, &[id])).await.map(drop)
    }
}

fn call(method: Method, path: &[&str]) -> Call {
    Call::new(method, &[&["api", "v1", "app"], path].concat())
}
