//! Reads a project of Convoy. Owners become applications, and what subscriptions select becomes the
//! event types of endpoints.

mod signing;

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::Method;
use postrider::client::Call;
use serde_json::{Value, json};

use super::{
    fields::{event_types, first_text, items, rate, text, time, uid},
    http::Api,
    model::{ApplicationContent, Endpoint, EventType, Finding, Kind, Secret},
    snapshot::{Records, Snapshot},
};

/// Records on a page.
const PAGE: &str = "100";

/// What was read of a project.
#[derive(Debug, Default)]
struct Project {
    /// The project itself.
    record: Value,
    endpoints: Vec<Value>,
    subscriptions: Vec<Value>,
    event_types: Vec<Value>,
}

/// Reads the project.
pub(super) async fn read(api: &Api, project: &str) -> anyhow::Result<Snapshot> {
    let base = ["api", "v1", "projects", project];
    let record = api.required(&Call::get(&base)).await?["data"].take();
    let endpoints = list(api, &[&base[..], &["endpoints"]].concat()).await?;
    let subscriptions = list(api, &[&base[..], &["subscriptions"]].concat()).await?;
    // Projects without a catalog of event types do not have the list.
    let types = api.optional(&[&base[..], &["event-types"]].concat()).await?.unwrap_or_default();
    let event_types = listed(&types["data"]).to_vec();
    let records = convert(&Project { record, endpoints, subscriptions, event_types });
    Ok(Snapshot::new(format!("{} project {project}", api.url()), records))
}

/// All pages of a list.
async fn list(api: &Api, path: &[&str]) -> anyhow::Result<Vec<Value>> {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let call = Call::new(Method::GET, path).pair("perPage", PAGE).pair("direction", "next");
        let call = match cursor {
            Some(cursor) => call.pair("next_page_cursor", cursor),
            None => call,
        };
        let page = api.required(&call).await?;
        let data = &page["data"];
        all.extend(listed(data).iter().cloned());
        let pagination = &data["pagination"];
        cursor = Some(text(&pagination["next_page_cursor"])).filter(|it| !it.is_empty());
        if pagination["has_next_page"] != true || cursor.is_none() {
            return Ok(all);
        }
    }
}

/// The items of a list, which versions of Convoy wrap differently.
fn listed(data: &Value) -> &[Value] {
    [data, &data["content"], &data["event_types"]]
        .into_iter()
        .map(items)
        .find(|items| !items.is_empty())
        .unwrap_or_default()
}

fn convert(project: &Project) -> Records {
    let mut records = Records::default();
    let by_endpoint = selections(&project.subscriptions);
    let (id, name) = (text(&project.record["uid"]), text(&project.record["name"]));
    records.environment.event_types = project.event_types.iter().map(event_type).collect();
    for record in &project.endpoints {
        let owner = text(&record["owner_id"]);
        let (owner, name) = if owner.is_empty() { (&id, &name) } else { (&owner, &owner) };
        let owner = uid(owner);
        let content = &mut records.customer(&owner, name).content;
        let selection = by_endpoint.get(&text(&record["uid"]));
        add_endpoint(content, &owner, record, selection, &project.record["config"]);
    }
    records
}

fn event_type(it: &Value) -> EventType {
    EventType {
        name: text(&it["name"]),
        description: text(&it["description"]),
        deprecated: !it["deprecated_at"].is_null(),
        schemas: None,
        ..EventType::default()
    }
}

/// What the subscriptions of an endpoint select.
#[derive(Debug, Default, PartialEq, Eq)]
struct Selection {
    /// All if absent.
    event_types: Option<Vec<String>>,
    has_filter: bool,
    has_function: bool,
}

fn selections(subscriptions: &[Value]) -> BTreeMap<String, Selection> {
    let mut found = BTreeMap::<String, Selection>::new();
    for subscription in subscriptions {
        let endpoint = &subscription["endpoint_metadata"]["uid"];
        let id = first_text(&[endpoint, &subscription["endpoint_id"]]);
        let config = &subscription["filter_config"];
        let is_set = |it: &Value| it.as_object().is_some_and(|fields| !fields.is_empty());
        let filter = &config["filter"];
        let own = Selection {
            event_types: event_types(&config["event_types"]),
            has_filter: is_set(&filter["body"]) || is_set(&filter["headers"]),
            has_function: !text(&subscription["function"]).is_empty(),
        };
        match found.remove(&id) {
            None => found.insert(id, own),
            Some(other) => found.insert(id, either(other, own)),
        };
    }
    found
}

/// What one of two subscriptions selects.
fn either(one: Selection, other: Selection) -> Selection {
    let event_types = match (one.event_types, other.event_types) {
        (Some(mut names), Some(more)) => {
            names.extend(more);
            names.sort();
            names.dedup();
            Some(names)
        },
        (None, _) | (_, None) => None,
    };
    Selection {
        event_types,
        has_filter: one.has_filter || other.has_filter,
        has_function: one.has_function || other.has_function,
    }
}

fn add_endpoint(
    content: &mut ApplicationContent,
    owner: &str,
    it: &Value,
    selection: Option<&Selection>,
    config: &Value,
) {
    let id = text(&it["uid"]);
    let record = format!("{owner}/{id}");
    let mut hide = |detail: &str| {
        content.hidden.push(Finding::new(Kind::Endpoint, &record, detail));
    };
    let status = text(&it["status"]);
    let (signing, notes) = signing::of(it["advanced_signatures"] == true, &config["signature"]);
    notes.into_iter().for_each(&mut hide);
    let secrets = secrets(&it["secrets"]);
    if secrets.is_empty() {
        hide(
            "its secret is hidden; set it with `postrider endpoint signing`, or the receiver cannot \
             verify",
        );
    }
    let mut endpoint = Endpoint {
        source_id: id.clone(),
        uid: uid(&id),
        url: first_text(&[&it["url"], &it["target_url"]]),
        description: first_text(&[&it["description"], &it["name"], &it["title"]]),
        rate_limit: rate(&it["rate_limit"], seconds(&it["rate_limit_duration"])),
        disabled: !matches!(status.as_str(), "" | "active" | "paused"),
        secrets,
        ..Endpoint::default()
    };
    endpoint.more.insert("signing".to_owned(), signing);
    if status == "paused" {
        endpoint.more.insert("paused".to_owned(), json!(true));
    }
    if let Some(selection) = selection {
        endpoint.event_types.clone_from(&selection.event_types);
        if selection.has_filter {
            hide("its subscription has a filter; write it as `filter` of the endpoint, in CEL");
        }
        if selection.has_function {
            hide("its subscription has a function; rewrite it as a transformation");
        }
    } else {
        endpoint.disabled = true;
        hide("it has no subscription, so it got nothing; it is imported as disabled");
    }
    match credential(&it["authentication"]) {
        Ok(header) => endpoint.headers.extend(header),
        Err(detail) => hide(detail),
    }
    if text(&it["content_type"]).contains("form") {
        hide("it gets forms; messages are sent as JSON here, unless a transformation changes that");
    }
    content.endpoints.push(endpoint);
}

/// The secrets that are valid, newest first. Those that end come after the one that does not.
fn secrets(list: &Value) -> Vec<Secret> {
    let mut valid: Vec<_> =
        items(list).iter().filter(|it| !text(&it["value"]).is_empty()).collect();
    valid.sort_by_key(|it| {
        (time(&it["expires_at"]).is_some(), std::cmp::Reverse(time(&it["created_at"])))
    });
    let secret =
        |it: &Value| Secret { key: text(&it["value"]), expires_at: time(&it["expires_at"]) };
    valid.into_iter().map(secret).collect()
}

/// The header that authenticates requests, or what to do about one that is not shown.
fn credential(it: &Value) -> Result<Option<(String, String)>, &'static str> {
    match text(&it["type"]).as_str() {
        "" => Ok(None),
        "api_key" => {
            let key = &it["api_key"];
            let (name, value) = (text(&key["header_name"]), text(&key["header_value"]));
            if name.is_empty() || value.is_empty() {
                return Err("its API key is hidden; set it with `postrider endpoint auth`");
            }
            Ok(Some((name, value)))
        },
        "basic_auth" => {
            let basic = &it["basic_auth"];
            let (user, password) = (text(&basic["username"]), text(&basic["password"]));
            if password.is_empty() {
                return Err("its password is hidden; set it with `postrider endpoint auth`");
            }
            let value = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
            Ok(Some(("Authorization".to_owned(), value)))
        },
        _ => Err("it uses OAuth 2.0; configure it with `postrider endpoint oauth`"),
    }
}

/// Seconds of a duration, which earlier versions write as `1m0s`.
fn seconds(it: &Value) -> u64 {
    if let Some(seconds) = it.as_u64() {
        return seconds;
    }
    let (mut total, mut number) = (0, 0);
    for character in text(it).chars() {
        match (character, character.to_digit(10)) {
            (_, Some(digit)) => number = number * 10 + u64::from(digit),
            ('h', None) => total += std::mem::take(&mut number) * 3_600,
            ('m', None) => total += std::mem::take(&mut number) * 60,
            ('s', None) => total += std::mem::take(&mut number),
            (_, None) => return total,
        }
    }
    total + number
}

#[cfg(test)]
mod tests;
