//! Reads the tenants of Outpost. Tenants become applications, topics event types, and destinations
//! of the type `webhook` endpoints.

use std::collections::BTreeMap;

use http::Method;
use postrider::client::Call;
use serde_json::{Value, json};

use super::{
    fields::{event_types, items, metadata, pairs, text, texts, time, uid},
    http::Api,
    model::{Endpoint, EventType, Finding, Kind, Secret},
    snapshot::{Customer, Records, Snapshot},
};
use crate::failure::Advice;

/// Records on a page.
const PAGE: &str = "100";

/// A tenant with its destinations.
#[derive(Debug)]
struct Tenant {
    record: Value,
    destinations: Vec<Value>,
}

/// Reads the tenants with these ids, or all.
pub(super) async fn read(api: &Api, ids: &[String], profile: &str) -> anyhow::Result<Snapshot> {
    let topics = api.optional(&["topics"]).await?.unwrap_or_default();
    let records = if ids.is_empty() { tenants(api).await? } else { named(api, ids).await? };
    let mut found = Vec::new();
    for record in records {
        let id = text(&record["id"]);
        let destinations = api.required(&Call::get(&["tenants", &id, "destinations"])).await?;
        found.push(Tenant { record, destinations: listed(&destinations).to_vec() });
    }
    Ok(Snapshot::new(api.url().to_string(), convert(&topics, &found, profile)))
}

async fn named(api: &Api, ids: &[String]) -> anyhow::Result<Vec<Value>> {
    let mut records = Vec::new();
    for id in ids {
        records.push(api.required(&Call::get(&["tenants", id])).await?);
    }
    Ok(records)
}

/// All tenants, which not every installation can list.
async fn tenants(api: &Api) -> anyhow::Result<Vec<Value>> {
    if api.optional(&["tenants"]).await?.is_none() {
        return Err(Advice {
            message: "this Outpost cannot list its tenants".to_owned(),
            hint: "name them: --app acme --app other".to_owned(),
            source: None,
        }
        .into());
    }
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let call = Call::new(Method::GET, &["tenants"]).pair("limit", PAGE);
        let call = match cursor {
            Some(cursor) => call.pair("next", cursor),
            None => call,
        };
        let page = api.required(&call).await?;
        all.extend(listed(&page).iter().cloned());
        let next = [&page["pagination"]["next"], &page["next"]].map(text);
        cursor = next.into_iter().find(|it| !it.is_empty());
        if cursor.is_none() {
            return Ok(all);
        }
    }
}

/// The items of a list, which versions of Outpost wrap differently.
fn listed(page: &Value) -> &[Value] {
    [page, &page["models"], &page["data"]]
        .into_iter()
        .map(items)
        .find(|items| !items.is_empty())
        .unwrap_or_default()
}

fn convert(topics: &Value, tenants: &[Tenant], profile: &str) -> Records {
    let mut records = Records::default();
    let named = |name: String| EventType { name, ..EventType::default() };
    records.environment.event_types = texts(topics).into_iter().map(named).collect();
    if !tenants.is_empty() {
        let detail = format!(
            "how Outpost signs is not in its API; the profile `{profile}` was used. Compare the \
             headers in shadow mode, and choose another with --profile"
        );
        records.environment.hidden.push(Finding::new(Kind::Setting, "signatures", detail));
    }
    for Tenant { record, destinations } in tenants {
        let id = text(&record["id"]);
        let customer = records.customer(&uid(&id), &id);
        customer.application.metadata = metadata(&record["metadata"]);
        for destination in destinations {
            add(customer, destination, profile);
        }
    }
    records
}

fn add(customer: &mut Customer, it: &Value, profile: &str) {
    let id = text(&it["id"]);
    let record = format!("{}/{id}", customer.application.uid);
    let kind = text(&it["type"]);
    let mut hide = |detail: String| {
        customer.content.hidden.push(Finding::new(Kind::Endpoint, &record, detail));
    };
    if kind != "webhook" {
        return hide(format!(
            "destinations of the type `{kind}` are not imported; create an endpoint of the kind by \
             hand"
        ));
    }
    let (config, credentials) = (&it["config"], &it["credentials"]);
    let secrets = secrets(credentials);
    if secrets.is_empty() {
        hide("its secret is hidden; set it with `postrider endpoint signing`".to_owned());
    }
    if it["filter"].as_object().is_some_and(|filter| !filter.is_empty()) {
        hide("it has a filter; write it as `filter` of the endpoint, in CEL".to_owned());
    }
    let mut endpoint = Endpoint {
        source_id: id.clone(),
        uid: uid(&id),
        url: text(&config["url"]),
        event_types: event_types(&it["topics"]),
        disabled: !it["disabled_at"].is_null(),
        metadata: metadata(&it["metadata"]),
        headers: headers(config, &it["delivery_metadata"]),
        secrets,
        ..Endpoint::default()
    };
    endpoint.more.insert("signing".to_owned(), json!({ "profile": profile }));
    customer.content.endpoints.push(endpoint);
}

/// The headers of every request: a JSON text, and static metadata, whose names get a prefix.
fn headers(config: &Value, metadata: &Value) -> BTreeMap<String, String> {
    let own: Value = serde_json::from_str(&text(&config["custom_headers"])).unwrap_or_default();
    let prefixed = pairs(metadata).into_iter();
    let prefixed = prefixed.map(|(name, value)| (format!("x-outpost-{name}"), value));
    pairs(&own).into_iter().chain(prefixed).collect()
}

fn secrets(it: &Value) -> Vec<Secret> {
    let secret = |name: &str, expires_at| {
        let key = text(&it[name]);
        (!key.is_empty()).then_some(Secret { key, expires_at })
    };
    let previous = secret("previous_secret", time(&it["previous_secret_invalid_at"]));
    secret("secret", None).into_iter().chain(previous).collect()
}

#[cfg(test)]
mod tests;
