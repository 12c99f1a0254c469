//! A system with the API of Svix: the hosted service, the open-source server, or another Postrider.

mod connection;
mod convert;
mod endpoint;

use postrider::{api::ImportedMessageIn, client::Call};
use serde::Deserialize;

pub(super) use self::connection::Svix;
use self::{connection::path, endpoint::Place};
use super::{
    model::{Application, ApplicationContent, Environment, Fields, Finding, Kind},
    source::{MessagePage, MessageQuery, Source},
};

/// Messages on a page.
const MESSAGES: &str = "250";

impl Svix {
    async fn settings(&self) -> anyhow::Result<Fields> {
        let settings = self.api.optional(&path(&["environment", "settings"])).await?;
        Ok(settings.map(convert::settings).unwrap_or_default())
    }

    /// Sources of received webhooks, whose tokens and secrets cannot be read.
    async fn unread(&self) -> anyhow::Result<Vec<Finding>> {
        let sources = ["ingest", "api", "v1", "source"];
        let found = self.api.optional_list(&sources, &[]).await?.unwrap_or_default();
        Ok(found.iter().map(convert::unread_source).collect())
    }
}

impl Source for Svix {
    fn location(&self) -> String {
        self.api.url().to_string()
    }

    async fn environment(&self) -> anyhow::Result<Environment> {
        let all = [("include_archived", "true"), ("with_content", "true")];
        let event_types = self.api.list(&path(&["event-type"]), &all).await?;
        let connectors = self.api.optional_list(&path(&["connector"]), &[]).await?;
        let mut hidden = self.unread().await?;
        let (operational_endpoints, more) = self.endpoints(&Place::operational()).await?;
        hidden.extend(more);
        Ok(Environment {
            event_types: event_types.iter().map(convert::event_type).collect(),
            connectors: connectors.iter().flatten().map(convert::connector).collect(),
            operational_endpoints,
            settings: self.settings().await?,
            hidden,
        })
    }

    async fn applications(&self) -> anyhow::Result<Vec<Application>> {
        let found = self.api.list(&path(&["app"]), &[]).await?;
        Ok(found.iter().map(convert::application).collect())
    }

    async fn content(&self, application: &Application) -> anyhow::Result<ApplicationContent> {
        let Application { source_id: id, uid, .. } = application;
        let (endpoints, mut hidden) = self.endpoints(&Place::of(application)).await?;
        let found = self.api.optional_list(&path(&["app", id, "integration"]), &[]).await?;
        let integrations: Vec<_> = found.iter().flatten().map(convert::integration).collect();
        hidden.extend(integrations.iter().map(|it| {
            let detail = "its key is valid only in the source; give its users the new one \
                          (GET …/integration/{id}/key)";
            Finding::new(Kind::Integration, format!("{uid}/{}", it.name), detail)
        }));
        // Only Postrider has kinds of endpoints, and its destinations are such endpoints.
        if !endpoints.iter().any(|it| it.more.contains_key("kind")) {
            let found = self.api.optional_list(&path(&["app", id, "destination"]), &[]).await?;
            hidden.extend(found.iter().flatten().map(|it| convert::unread_destination(uid, it)));
        }
        Ok(ApplicationContent { endpoints, integrations, hidden })
    }

    async fn messages(
        &self,
        application: &Application,
        query: &MessageQuery,
    ) -> anyhow::Result<MessagePage> {
        let MessageQuery { since, until, iterator } = query;
        let call = Call::get(&path(&["app", &application.source_id, "msg"]))
            .pair("limit", MESSAGES)
            .pair("with_content", "true")
            .pair("after", since.to_string())
            .pair("before", until.to_string());
        let call = match iterator {
            Some(iterator) => call.pair("iterator", iterator),
            None => call,
        };
        // Not as a `Value`, which would change the bytes of payloads.
        let page: Page = self.api.send(&call).await?.success()?.json()?;
        let Page { data, done, iterator } = page;
        Ok(MessagePage { messages: data, iterator: iterator.filter(|_| !done) })
    }
}

#[derive(Deserialize)]
struct Page {
    data: Vec<ImportedMessageIn>,
    done: bool,
    #[serde(default)]
    iterator: Option<String>,
}
