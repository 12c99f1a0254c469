//! Applications.

use http::Method;

use super::{Call, Client, Error, Page};
use crate::api::{ApplicationIn, ApplicationOut, ApplicationPatch, ListResponse, UsageOut};

/// Applications: the customers that events are for. An application is named by its id or uid.
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

    /// Creates an application, or gives the one that has its uid already.
    pub async fn get_or_create(
        &self,
        application: &ApplicationIn,
    ) -> Result<ApplicationOut, Error> {
        let call = call(Method::POST, &[]).pair("get_if_exists", "true");
        self.0.call(call.json(application)?).await?.json()
    }

    /// One application.
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

    /// What an application uses of its quotas.
    pub async fn usage(&self, id: &str) -> Result<UsageOut, Error> {
        self.0.call(call(Method::GET, &[id, "usage"])).await?.json()
    }

    /// Removes an application with its endpoints; what waits for them is cancelled.
    pub async fn delete(&self, id: &str) -> Result<(), Error> {
        self.0.call(call(Method::DELETE, &[id])).await.map(drop)
    }
}

fn call(method: Method, path: &[&str]) -> Call {
    Call::new(method, &[&["api", "v1", "app"], path].concat())
}
