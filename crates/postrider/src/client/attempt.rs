//! Calls for attempts.

use http::Method;

use super::{AttemptQuery, Call, Client, Error, Page, Response};
use crate::api::{EndpointMessageOut, ListResponse, MessageAttemptOut, MessageEndpointOut};

/// Attempts to deliver messages of an application.
#[derive(Clone, Copy, Debug)]
pub struct Attempts<'a> {
    pub(super) client: &'a Client,
    pub(super) application: &'a str,
}

impl Attempts<'_> {
    /// Lists the attempts for an endpoint, newest first.
    pub async fn list_by_endpoint(
        &self,
        endpoint: &str,
        query: &AttemptQuery,
    ) -> Result<ListResponse<MessageAttemptOut>, Error> {
        let call = self.at(Method::GET, &["attempt", "endpoint", endpoint]).query(query);
        self.client.call(call).await?.json()
    }

    /// Lists the attempts for a message, newest first.
    pub async fn list_by_message(
        &self,
        message: &str,
        query: &AttemptQuery,
    ) -> Result<ListResponse<MessageAttemptOut>, Error> {
        let call = self.at(Method::GET, &["attempt", "msg", message]).query(query);
        self.client.call(call).await?.json()
    }

    /// Gets an attempt.
    pub async fn get(&self, message: &str, id: &str) -> Result<MessageAttemptOut, Error> {
        self.run(Method::GET, &["msg", message, "attempt", id]).await?.json()
    }

    /// Lists the messages for an endpoint with their delivery status.
    pub async fn list_messages(
        &self,
        endpoint: &str,
        page: &Page,
    ) -> Result<ListResponse<EndpointMessageOut>, Error> {
        let call = self.at(Method::GET, &["endpoint", endpoint, "msg"]).query(page);
        self.client.call(call).await?.json()
    }

    /// Lists the endpoints of a message with the delivery status.
    pub async fn list_destinations(
        &self,
        message: &str,
        page: &Page,
    ) -> Result<ListResponse<MessageEndpointOut>, Error> {
        let call = self.at(Method::GET, &["msg", message, "endpoint"]).query(page);
        self.client.call(call).await?.json()
    }

    /// Sends a message to an endpoint again, whatever its status: one attempt.
    pub async fn resend(&self, message: &str, endpoint: &str) -> Result<(), Error> {
        let path = ["msg", message, "endpoint", endpoint, "resend"];
        self.run(Method::POST, &path).await.map(drop)
    }

    /// Sends a message to an endpoint again, with the whole retry schedule if that fails.
    pub async fn resend_with_retries(&self, message: &str, endpoint: &str) -> Result<(), Error> {
        let path = ["msg", message, "endpoint", endpoint, "resend"];
        let call = self.at(Method::POST, &path).pair("retry", "true");
        self.client.call(call).await.map(drop)
    }

    /// Permanently deletes the stored response of an attempt.
    pub async fn expunge_content(&self, message: &str, id: &str) -> Result<(), Error> {
        self.run(Method::DELETE, &["msg", message, "attempt", id, "content"]).await.map(drop)
    }

    async fn run(&self, method: Method, path: &[&str]) -> Result<Response, Error> {
        self.client.call(self.at(method, path)).await
    }

    fn at(&self, method: Method, path: &[&str]) -> Call {
        Call::new(method, &[&["api", "v1", "app", self.application], path].concat())
    }
}
