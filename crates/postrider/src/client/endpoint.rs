//! Calls for endpoints.

use http::Method;
use jiff::Timestamp;

use super::{Call, Client, Error, Page, Response};
use crate::api::{
    EndpointHeadersIn, EndpointHeadersOut, EndpointHeadersPatchIn, EndpointIn, EndpointOut,
    EndpointPatch, EndpointSecretOut, EndpointSecretRotateIn, EndpointStats, EndpointTestIn,
    EndpointTestOut, EndpointUpdate, EventExampleIn, ListResponse, MessageOut, RecoverIn,
    RecoverOut,
};

/// Endpoints of an application: the URLs that events are delivered to. An endpoint is identified by
/// its id or uid.
#[derive(Clone, Copy, Debug)]
pub struct Endpoints<'a> {
    pub(super) client: &'a Client,
    pub(super) application: &'a str,
}

impl Endpoints<'_> {
    /// Lists endpoints.
    pub async fn list(&self, page: &Page) -> Result<ListResponse<EndpointOut>, Error> {
        self.client.call(self.at(Method::GET, &[]).query(page)).await?.json()
    }

    /// Creates an endpoint.
    pub async fn create(&self, endpoint: &EndpointIn) -> Result<EndpointOut, Error> {
        self.client.call(self.at(Method::POST, &[]).json(endpoint)?).await?.json()
    }

    /// Gets an endpoint.
    pub async fn get(&self, id: &str) -> Result<EndpointOut, Error> {
        self.run(Method::GET, &[id]).await?.json()
    }

    /// Replaces an endpoint, or creates it under this uid.
    pub async fn update(&self, id: &str, endpoint: &EndpointUpdate) -> Result<EndpointOut, Error> {
        self.client.call(self.at(Method::PUT, &[id]).json(endpoint)?).await?.json()
    }

    /// Changes some fields.
    pub async fn patch(&self, id: &str, patch: &EndpointPatch) -> Result<EndpointOut, Error> {
        self.client.call(self.at(Method::PATCH, &[id]).json(patch)?).await?.json()
    }

    /// Deletes an endpoint and cancels its pending deliveries.
    pub async fn delete(&self, id: &str) -> Result<(), Error> {
        self.run(Method::DELETE, &[id]).await.map(drop)
    }

    /// Gets the secret that signs deliveries.
    pub async fn secret(&self, id: &str) -> Result<EndpointSecretOut, Error> {
        self.run(Method::GET, &[id, "secret"]).await?.json()
    }

    /// Replaces the secret. Deliveries are also signed with the old one for a grace period.
    pub async fn rotate_secret(
        &self,
        id: &str,
        rotation: &EndpointSecretRotateIn,
    ) -> Result<EndpointSecretOut, Error> {
        let call = self.at(Method::POST, &[id, "secret", "rotate"]).json(rotation)?;
        self.client.call(call).await?.json()
    }

    /// Gets the headers that each delivery carries; values of sensitive headers are hidden.
    pub async fn headers(&self, id: &str) -> Result<EndpointHeadersOut, Error> {
        self.run(Method::GET, &[id, "headers"]).await?.json()
    }

    /// Replaces all headers.
    pub async fn set_headers(&self, id: &str, headers: &EndpointHeadersIn) -> Result<(), Error> {
        self.client.call(self.at(Method::PUT, &[id, "headers"]).json(headers)?).await.map(drop)
    }

    /// Changes some headers.
    pub async fn patch_headers(
        &self,
        id: &str,
        headers: &EndpointHeadersPatchIn,
    ) -> Result<(), Error> {
        self.client.call(self.at(Method::PATCH, &[id, "headers"]).json(headers)?).await.map(drop)
    }

    /// Resends the failed deliveries of a period in the background.
    pub async fn recover(&self, id: &str, recovery: &RecoverIn) -> Result<RecoverOut, Error> {
        self.client.call(self.at(Method::POST, &[id, "recover"]).json(recovery)?).await?.json()
    }

    /// Counts deliveries of messages that were accepted in a period, by default the last 28 days.
    pub async fn stats(
        &self,
        id: &str,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
    ) -> Result<EndpointStats, Error> {
        let mut call = self.at(Method::GET, &[id, "stats"]);
        for (name, time) in [("since", since), ("until", until)] {
            if let Some(time) = time {
                call = call.pair(name, time.to_string());
            }
        }
        self.client.call(call).await?.json()
    }

    /// Sends an example of an event type to this endpoint only.
    pub async fn send_example(
        &self,
        id: &str,
        example: &EventExampleIn,
    ) -> Result<MessageOut, Error> {
        let call = self.at(Method::POST, &[id, "send-example"]).json(example)?;
        self.client.call(call).await?.json()
    }

    /// Delivers a message to this endpoint at once, and stores nothing. A failed delivery is a
    /// result too, and no error.
    pub async fn test(&self, id: &str, test: &EndpointTestIn) -> Result<EndpointTestOut, Error> {
        let call = self.at(Method::POST, &[id, "test"]).json(test)?;
        self.client.call(call).await?.json()
    }

    /// Whether the endpoint can be reached. Nothing is delivered.
    pub async fn check(&self, id: &str) -> Result<EndpointTestOut, Error> {
        self.run(Method::POST, &[id, "check"]).await?.json()
    }

    async fn run(&self, method: Method, path: &[&str]) -> Result<Response, Error> {
        self.client.call(self.at(method, path)).await
    }

    fn at(&self, method: Method, path: &[&str]) -> Call {
        Call::new(method, &[&["api", "v1", "app", self.application, "endpoint"], path].concat())
    }
}
