//! Calls for messages.

use http::Method;
use serde::Serialize;

use super::{Call, Client, Error, MessageQuery, Response};
use crate::api::{BatchIn, BatchOut, ListResponse, MessageIn, MessageOut};

/// Messages of an application: the accepted events. A message is identified by its id or event id.
#[derive(Clone, Copy, Debug)]
pub struct Messages<'a> {
    pub(super) client: &'a Client,
    pub(super) application: &'a str,
}

impl Messages<'_> {
    /// Publishes an event. When this returns, the event is durable.
    pub async fn create(&self, message: &MessageIn) -> Result<MessageOut, Error> {
        self.client.call(self.at(Method::POST, &[]).json(message)?).await?.json()
    }

    /// Publishes an event that consists only of a type and a payload.
    pub async fn publish(
        &self,
        event_type: &str,
        payload: &impl Serialize,
    ) -> Result<MessageOut, Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Bare<'a, T> {
            event_type: &'a str,
            payload: &'a T,
        }
        let call = self.at(Method::POST, &[]).json(&Bare { event_type, payload })?;
        self.client.call(call).await?.json()
    }

    /// Publishes many events at once, with a result for each.
    pub async fn create_batch(&self, batch: &BatchIn) -> Result<BatchOut, Error> {
        self.client.call(self.at(Method::POST, &["batch"]).json(batch)?).await?.json()
    }

    /// Lists messages, newest first.
    pub async fn list(&self, query: &MessageQuery) -> Result<ListResponse<MessageOut>, Error> {
        self.client.call(self.at(Method::GET, &[]).query(query)).await?.json()
    }

    /// Gets a message.
    pub async fn get(&self, id: &str) -> Result<MessageOut, Error> {
        self.run(Method::GET, &[id]).await?.json()
    }

    /// Permanently deletes a message's payload.
    pub async fn expunge_content(&self, id: &str) -> Result<(), Error> {
        self.run(Method::DELETE, &[id, "content"]).await.map(drop)
    }

    async fn run(&self, method: Method, path: &[&str]) -> Result<Response, Error> {
        self.client.call(self.at(method, path)).await
    }

    fn at(&self, method: Method, path: &[&str]) -> Call {
        Call::new(method, &[&["api", "v1", "app", self.application, "msg"], path].concat())
    }
}
