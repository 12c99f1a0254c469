//! Creates the sample application, event type and endpoint, unless they exist.

use http::{Method, StatusCode};
use serde_json::json;

use super::sample::{APPLICATION, ENDPOINT, EVENT_TYPE, INBOX_PATH, Sample};
use crate::{
    client::{Call, Client},
    commands::access::{ApiAccess, json as parse},
};

/// Creates the sample records through the API.
#[derive(Debug)]
pub(super) struct Setup {
    pub access: ApiAccess,
}

impl Setup {
    pub(super) async fn run(&self) -> anyhow::Result<Sample> {
        let client = self.access.client()?;
        let application = self.access.application("Demo", APPLICATION).await?;
        let event_type = json!({ "name": EVENT_TYPE, "description": "Says hello" });
        let call = Call::new(Method::POST, &["event-type"]).body(event_type.to_string());
        let (status, _) = client.ask(call).await?;
        anyhow::ensure!(
            status.is_success() || status == StatusCode::CONFLICT,
            "the event type cannot be created: {status}"
        );
        self.endpoint(&client).await?;
        let verifier = self.access.verifier(APPLICATION, ENDPOINT).await?;
        Ok(Sample { application, verifier })
    }

    /// Creates the endpoint, or makes sure that it leads to this process.
    async fn endpoint(&self, client: &Client) -> anyhow::Result<()> {
        let path = ["app", APPLICATION, "endpoint", ENDPOINT];
        let url = format!("{}{}", self.access.url, INBOX_PATH);
        let (status, body) = client.ask(Call::new(Method::GET, &path)).await?;
        if status == StatusCode::NOT_FOUND {
            let endpoint =
                json!({ "url": url, "uid": ENDPOINT, "description": "Prints deliveries" });
            let (_, path) = path.split_last().expect("a path has segments");
            let call = Call::new(Method::POST, path).body(endpoint.to_string());
            return client.call(call).await.map(|_| ());
        }
        let endpoint = parse(&body)?;
        if endpoint["url"] != url || endpoint["disabled"] == true {
            let change = json!({ "url": url, "disabled": false }).to_string();
            client.call(Call::new(Method::PATCH, &path).body(change)).await?;
        }
        Ok(())
    }
}
