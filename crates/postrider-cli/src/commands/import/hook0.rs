//! Reads applications of Hook0. Each becomes an application, or each value of the label that names
//! the customer; subscriptions become endpoints.

use std::collections::BTreeMap;

use http::Method;
use postrider::client::Call;
use serde_json::{Value, json};

use super::{
    fields::{event_types, items, metadata, pairs, text, uid},
    http::Api,
    model::{ApplicationContent, Endpoint, EventType, Finding, Kind, Secret},
    snapshot::{Records, Snapshot},
};

/// What to read.
#[derive(Debug)]
pub(super) struct Selection<'a> {
    /// Ids of applications.
    pub applications: &'a [String],
    /// The label whose values are the customers.
    pub label: Option<&'a str>,
    pub profile: &'a str,
}

/// An application with what belongs to it.
#[derive(Debug)]
struct Application {
    record: Value,
    subscriptions: Vec<Value>,
    event_types: Vec<Value>,
}

/// Reads the applications.
pub(super) async fn read(api: &Api, selection: &Selection<'_>) -> anyhow::Result<Snapshot> {
    let mut applications = Vec::new();
    for id in selection.applications {
        let list = async |name: &str| {
            let call = Call::new(Method::GET, &[name]).pair("application_id", id.as_str());
            api.required(&call).await.map(|it| items(&it).to_vec())
        };
        applications.push(Application {
            record: api.required(&Call::get(&["applications", id])).await?,
            subscriptions: list("subscriptions").await?,
            event_types: list("event_types").await?,
        });
    }
    Ok(Snapshot::new(api.url().to_string(), convert(&applications, selection)))
}

fn convert(applications: &[Application], selection: &Selection<'_>) -> Records {
    let mut records = Records::default();
    for Application { record, subscriptions, event_types } in applications {
        let names = event_types.iter().map(|it| text(&it["event_type_name"]));
        for name in names.filter(|name| !name.is_empty()) {
            let known = &mut records.environment.event_types;
            if !known.iter().any(|it| it.name == name) {
                known.push(EventType { name, ..EventType::default() });
            }
        }
        let (id, name) = (text(&record["application_id"]), text(&record["name"]));
        for subscription in subscriptions {
            let labels = pairs(&subscription["labels"]);
            let customer = selection.label.and_then(|label| labels.get(label));
            let (owner, name) = customer.map_or((&id, &name), |value| (value, value));
            let owner = uid(owner);
            let content = &mut records.customer(&owner, name).content;
            add(content, &owner, subscription, selection);
        }
    }
    records
}

fn add(content: &mut ApplicationContent, owner: &str, it: &Value, selection: &Selection<'_>) {
    let id = text(&it["subscription_id"]);
    let record = format!("{owner}/{id}");
    let mut hide = |detail: &str| {
        content.hidden.push(Finding::new(Kind::Endpoint, &record, detail));
    };
    let target = &it["target"];
    if !matches!(text(&target["method"]).as_str(), "" | "POST") {
        hide("it is called with another method than POST; set that with a transformation");
    }
    if !it["retry_schedule_id"].is_null() {
        hide("it has a retry schedule of its own; here, the server's schedule applies");
    }
    let key = text(&it["secret"]);
    if key.is_empty() {
        hide("its secret is hidden; set it with `postrider endpoint signing`");
    }
    let secret = Secret { key, expires_at: None };
    let mut endpoint = Endpoint {
        source_id: id.clone(),
        uid: uid(&id),
        url: text(&target["url"]),
        description: text(&it["description"]),
        event_types: event_types(&it["event_types"]),
        disabled: it["is_enabled"] == false,
        metadata: metadata(&it["metadata"]),
        headers: pairs(&target["headers"]),
        secrets: Some(secret).filter(|it| !it.key.is_empty()).into_iter().collect(),
        ..Endpoint::default()
    };
    let mut labels = pairs(&it["labels"]);
    if let Some(label) = selection.label {
        labels.remove(label);
    }
    match select(&labels) {
        Select::All => {},
        Select::Channel(channel) => endpoint.channels = Some(vec![channel]),
        Select::Filter(filter) => {
            endpoint.more.insert("filter".to_owned(), filter.into());
        },
    }
    if !labels.is_empty() {
        hide("it selects events by labels; publish them as channels, such as `region:eu`");
    }
    endpoint.more.insert("signing".to_owned(), json!({ "profile": selection.profile }));
    content.endpoints.push(endpoint);
}

/// How an endpoint selects the messages that have all labels.
#[derive(Debug, PartialEq, Eq)]
enum Select {
    All,
    Channel(String),
    Filter(String),
}

fn select(labels: &BTreeMap<String, String>) -> Select {
    let channels: Vec<_> = labels.iter().map(|(key, value)| channel(key, value)).collect();
    match channels.as_slice() {
        [] => Select::All,
        [channel] => Select::Channel(channel.clone()),
        several => {
            let terms: Vec<_> = several.iter().map(|it| format!("\"{it}\" in channels")).collect();
            Select::Filter(terms.join(" && "))
        },
    }
}

/// A label as a channel, which may have letters, digits and some marks.
fn channel(key: &str, value: &str) -> String {
    let is_allowed = |it: char| it.is_ascii_alphanumeric() || "-_.:+".contains(it);
    let text = format!("{key}:{value}");
    text.chars().map(|it| if is_allowed(it) { it } else { '-' }).take(128).collect()
}

#[cfg(test)]
mod tests;
