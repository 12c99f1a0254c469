//! An application with a `live` endpoint.

use serde_json::{Value, json};

use crate::server::{Server, until_async};

/// An application with a `live` endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    pub(crate) application: String,
    pub(crate) endpoint: String,
}

impl Live {
    pub(crate) async fn create(server: &Server, application: &str, config: Value) -> Self {
        server.application(application).await;
        let endpoint = json!({ "kind": "live", "config": config });
        let endpoint = server.post(&format!("/app/{application}/endpoint"), endpoint).await;
        Self {
            application: application.to_owned(),
            endpoint: endpoint["id"].as_str().unwrap().to_owned(),
        }
    }

    /// The path of the stream with a new token.
    pub(crate) async fn path(&self, server: &Server) -> String {
        let Self { application, endpoint } = self;
        let path = format!("/app/{application}/endpoint/{endpoint}/live-token");
        let created = server.post(&path, json!({})).await;
        let token = created["token"].as_str().unwrap();
        assert!(
            created["url"].as_str().unwrap().ends_with(&format!("/live/{endpoint}?token={token}"))
        );
        format!("/live/{endpoint}?token={token}")
    }

    /// Waits until the server has this number of readers, as an attempt reports it.
    pub(crate) async fn has_readers(&self, server: &Server, count: usize) {
        let Self { application, endpoint } = self;
        let expected = format!("sent to {count} reader");
        let path = format!("/app/{application}/attempt/endpoint/{endpoint}?limit=1");
        until_async(
            || async {
                server.publish(application, json!({ "name": "" })).await;
                server.get(&path).await
            },
            |page| page["data"][0]["response"].as_str().is_some_and(|it| it.starts_with(&expected)),
        )
        .await;
    }
}
