//! The server that records are imported into, over its API.
//!
//! A record is found by its uid or name. One that exists is changed only if a field differs, so that
//! a second import changes nothing.

mod endpoint;

pub(crate) use self::endpoint::Collection;

use http::{Method, StatusCode};
use postrider::{
    api::{ImportedMessageIn, MessageImportIn, MessageImportOut},
    client::{Call, Response},
};
use serde_json::{Value, json};

use super::{
    diff,
    http::Api,
    model::{Application, Connector, EventType, Fields, Integration},
    report::Outcome,
};

const API: [&str; 2] = ["api", "v1"];

/// The server that records are imported into.
#[derive(Debug)]
pub(crate) struct Target {
    api: Api,
    /// Change nothing.
    dry_run: bool,
    /// Create applications in shadow mode.
    shadow: bool,
}

/// What happened to a record, or the message of a refusal.
type Change = anyhow::Result<Outcome>;

impl Target {
    pub(crate) const fn new(api: Api, dry_run: bool, shadow: bool) -> Self {
        Self { api, dry_run, shadow }
    }

    /// Where the server is.
    pub(crate) fn location(&self) -> String {
        self.api.url().to_string()
    }

    /// Fails early if the server cannot be reached or rejects the token.
    pub(crate) async fn check(&self) -> anyhow::Result<()> {
        self.api.required(&Call::get(&path(&["auth", "whoami"]))).await.map(drop)
    }

    pub(crate) async fn put_event_type(&self, event_type: &EventType) -> Change {
        let EventType { name, description, archived, deprecated, schemas, .. } = event_type;
        let fields = fields(json!({
            "description": description,
            "archived": archived,
            "deprecated": deprecated,
            "schemas": schemas,
            "groupName": event_type.group_name,
            "featureFlags": event_type.feature_flags,
        }));
        let named = fields_and(&fields, [("name", json!(name))]);
        self.put(&["event-type"], name, &fields, &named).await
    }

    pub(crate) async fn put_connector(&self, connector: &Connector) -> Change {
        let Connector { uid, fields } = connector;
        let fields = fields_and(fields, [("uid", json!(uid))]);
        self.put(&["connector"], uid, &fields, &fields).await
    }

    pub(crate) async fn put_application(&self, application: &Application) -> Change {
        let Application { uid, name, rate_limit, metadata, .. } = application;
        let fields = fields(json!({
            "name": name,
            "uid": uid,
            "throttleRate": rate_limit,
            "metadata": metadata,
        }));
        // One that exists keeps its mode: it may have gone live since.
        let mode = self.shadow.then(|| ("mode", json!("shadow")));
        let new = fields_and(&fields, mode);
        self.put(&["app"], uid, &fields, &new).await
    }

    /// Integrations have no uid, so their names identify them.
    pub(crate) async fn put_integration(&self, app: &str, integration: &Integration) -> Change {
        let Integration { name, feature_flags } = integration;
        let fields = fields(json!({ "name": name, "featureFlags": feature_flags }));
        let base = ["app", app, "integration"];
        let known = self.api.optional_list(&path(&base), &[]).await?.unwrap_or_default();
        match known.iter().find(|it| it["name"] == name.as_str()) {
            None => self.create(&base, &fields).await,
            Some(present) => {
                let id = present["id"].as_str().unwrap_or_default();
                self.update(&[&base[..], &[id]].concat(), &fields, present).await
            },
        }
    }

    /// Changes one setting of the organization.
    pub(crate) async fn put_setting(&self, name: &str, value: &Value, present: &Value) -> Change {
        let fields = fields_and(&Fields::new(), [(name, value.clone())]);
        let changed = diff::changed(&fields, present);
        let place = ["management", "environment-settings"];
        self.change(Method::PATCH, &place, &json!(fields), changed).await
    }

    pub(crate) async fn settings(&self) -> anyhow::Result<Value> {
        self.api.required(&Call::get(&path(&["environment", "settings"]))).await
    }

    /// Adds messages to the history of an application.
    pub(crate) async fn import_messages(
        &self,
        app: &str,
        messages: Vec<ImportedMessageIn>,
    ) -> anyhow::Result<MessageImportOut> {
        if messages.is_empty() {
            return Ok(MessageImportOut::default());
        }
        let body = serde_json::to_vec(&MessageImportIn { messages })?;
        let call = Call::new(Method::POST, &path(&["app", app, "msg", "import"])).body(body);
        Ok(serde_json::from_value(self.api.required(&call).await?)?)
    }

    /// Creates the record `id` of a collection with the fields `new`, or changes it to have the
    /// fields `wanted`.
    async fn put(&self, base: &[&str], id: &str, wanted: &Fields, new: &Fields) -> Change {
        let place = [base, &[id]].concat();
        match self.api.optional(&path(&place)).await? {
            None => self.create(base, new).await,
            Some(present) => self.update(&place, wanted, &present).await,
        }
    }

    async fn create(&self, base: &[&str], fields: &Fields) -> Change {
        if self.dry_run {
            return Ok(Outcome::Created);
        }
        let response = self.call(Method::POST, base, &json!(fields)).await?;
        Ok(refusal(response).unwrap_or(Outcome::Created))
    }

    async fn update(&self, place: &[&str], wanted: &Fields, present: &Value) -> Change {
        let changed = diff::changed(wanted, present);
        self.change(Method::PUT, place, &json!(wanted), changed).await
    }

    /// Sends the body if these fields differ.
    async fn change(
        &self,
        method: Method,
        place: &[&str],
        body: &Value,
        changed: Vec<String>,
    ) -> Change {
        if changed.is_empty() {
            return Ok(Outcome::Unchanged);
        }
        if self.dry_run {
            return Ok(Outcome::Updated(changed));
        }
        let response = self.call(method, place, body).await?;
        Ok(refusal(response).unwrap_or(Outcome::Updated(changed)))
    }

    async fn call(&self, method: Method, place: &[&str], body: &Value) -> anyhow::Result<Response> {
        self.api.send(&Call::new(method, &path(place)).body(body.to_string())).await
    }
}

/// Why the target refused a record.
fn refusal(response: Response) -> Option<Outcome> {
    let is_conflict = response.status == StatusCode::CONFLICT;
    let error = response.success().err()?;
    Some(Outcome::Failed(if is_conflict {
        format!("{error}; another record has the same identifier")
    } else {
        error.to_string()
    }))
}

fn path<'a>(rest: &[&'a str]) -> Vec<&'a str> {
    [&API[..], rest].concat()
}

fn fields(value: Value) -> Fields {
    let Value::Object(fields) = value else { unreachable!("it is an object") };
    fields
}

fn fields_and<'a>(fields: &Fields, more: impl IntoIterator<Item = (&'a str, Value)>) -> Fields {
    let more = more.into_iter().map(|(name, value)| (name.to_owned(), value));
    fields.clone().into_iter().chain(more).collect()
}
