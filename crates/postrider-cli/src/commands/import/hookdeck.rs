//! Reads a project of Hookdeck Event Gateway. Sources become applications, and the destinations of
//! their connections endpoints.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::Method;
use postrider::client::Call;
use serde_json::{Value, json};

use super::{
    fields::{first_text, items, rate, text, uid},
    http::Api,
    model::{ApplicationContent, Endpoint, Finding, Kind, Secret},
    snapshot::{Records, Snapshot},
};

/// Records on a page.
const PAGE: &str = "250";

/// Reads the project. Its signing secret, which the API hides, is given.
pub(super) async fn read(api: &Api, secret: Option<&str>) -> anyhow::Result<Snapshot> {
    let (mut connections, mut cursor) = (Vec::new(), None);
    loop {
        let call = Call::new(Method::GET, &["connections"]).pair("limit", PAGE);
        let call = match cursor {
            Some(cursor) => call.pair("next", cursor),
            None => call,
        };
        let page = api.required(&call).await?;
        connections.extend(items(&page["models"]).iter().cloned());
        cursor = Some(text(&page["pagination"]["next"])).filter(|it| !it.is_empty());
        if cursor.is_none() {
            break;
        }
    }
    Ok(Snapshot::new(api.url().to_string(), convert(&connections, secret)))
}

fn convert(connections: &[Value], secret: Option<&str>) -> Records {
    let mut records = Records::default();
    for connection in connections {
        let source = &connection["source"];
        let name = first_text(&[&source["name"], &source["id"]]);
        let owner = uid(&name);
        let is_new = !records.applications.iter().any(|it| it.application.uid == owner);
        let customer = records.customer(&owner, &name);
        customer.application.source_id = text(&source["id"]);
        if is_new {
            let detail = "what the source received goes to this application; create a source for it \
                          (docs/receiving.md), and give its URL to the provider";
            let record = format!("source {name}");
            customer.content.hidden.push(Finding::new(Kind::Application, record, detail));
        }
        add(&mut customer.content, &owner, connection, secret);
    }
    records
}

fn add(content: &mut ApplicationContent, owner: &str, it: &Value, secret: Option<&str>) {
    let destination = &it["destination"];
    let config = &destination["config"];
    let id = text(&it["id"]);
    let record = format!("{owner}/{}", first_text(&[&destination["name"], &it["id"]]));
    let mut hide = |detail: &str| {
        content.hidden.push(Finding::new(Kind::Endpoint, &record, detail));
    };
    let url = first_text(&[&config["url"], &destination["url"]]);
    if url.is_empty() {
        return hide("its destination has no URL (`CLI` or `MOCK_API`), so it is not imported");
    }
    note_rules(it, &mut hide);
    if !matches!(text(&config["http_method"]).as_str(), "" | "POST") {
        hide("it is called with another method than POST; set that with a transformation");
    }
    let mut endpoint = Endpoint {
        source_id: id.clone(),
        uid: uid(&id),
        url,
        description: first_text(&[&it["description"], &it["name"], &destination["name"]]),
        rate_limit: limit(config, destination),
        disabled: !it["disabled_at"].is_null() || !destination["disabled_at"].is_null(),
        ..Endpoint::default()
    };
    if !it["paused_at"].is_null() {
        endpoint.more.insert("paused".to_owned(), json!(true));
    }
    if text(&first(config, destination, "rate_limit_period")) == "concurrent" {
        hide("its limit is one of concurrent requests; here, concurrency adapts by itself");
    }
    authenticate(&mut endpoint, config, secret, &mut hide);
    content.endpoints.push(endpoint);
}

/// Rules that have to be rewritten.
fn note_rules(connection: &Value, hide: &mut impl FnMut(&str)) {
    for rule in items(&connection["rules"]) {
        match text(&rule["type"]).as_str() {
            "filter" => hide("its connection has a filter; write it as `filter`, in CEL"),
            "transform" => hide(
                "its connection has a transformation; adapt the code, which gets another object here \
                 (docs/transformations.md)",
            ),
            "delay" => hide("its connection delays events; publish them with `deliverAt`"),
            "deduplicate" => hide("its connection drops duplicates; sources do that here"),
            // The server's retry schedule applies.
            _ => {},
        }
    }
}

/// A field of the configuration, which earlier versions of the API have in the destination.
fn first(config: &Value, destination: &Value, name: &str) -> Value {
    let own = &config[name];
    if own.is_null() { destination[name].clone() } else { own.clone() }
}

fn limit(config: &Value, destination: &Value) -> Option<u64> {
    let period = match text(&first(config, destination, "rate_limit_period")).as_str() {
        "concurrent" => return None,
        "minute" => 60,
        "hour" => 3_600,
        _ => 1,
    };
    rate(&first(config, destination, "rate_limit"), period)
}

fn authenticate(
    endpoint: &mut Endpoint,
    config: &Value,
    secret: Option<&str>,
    hide: &mut impl FnMut(&str),
) {
    let auth = &config["auth"];
    let get = |name: &str| text(&auth[name]);
    match text(&config["auth_type"]).as_str() {
        "" | "HOOKDECK_SIGNATURE" => {
            endpoint.more.insert("signing".to_owned(), json!({ "profile": "hookdeck" }));
            match secret {
                Some(key) => {
                    let secret = Secret { key: key.to_owned(), expires_at: None };
                    endpoint.secrets = vec![secret];
                },
                None => hide(
                    "the signing secret of the project is hidden; copy it from the dashboard, and \
                     give it with --signing-secret",
                ),
            }
        },
        "CUSTOM_SIGNATURE" if !get("signing_secret").is_empty() => {
            let model = json!({ "sign": {
                "scheme": "hmac",
                "signature": format!("header:{}", get("key").to_ascii_lowercase()),
                "encoding": "base64",
            } });
            let signing = json!({ "profile": "custom", "model": model });
            endpoint.more.insert("signing".to_owned(), signing);
            endpoint.secrets = vec![Secret { key: get("signing_secret"), expires_at: None }];
            hide("its signature has a header of its own; compare its encoding in shadow mode");
        },
        "BASIC_AUTH" if !get("password").is_empty() => {
            let pair = format!("{}:{}", get("username"), get("password"));
            let value = format!("Basic {}", STANDARD.encode(pair));
            endpoint.headers.insert("Authorization".to_owned(), value);
        },
        "API_KEY" if get("to") != "query" && !get("api_key").is_empty() => {
            endpoint.headers.insert(get("key"), get("api_key"));
        },
        "BEARER_TOKEN" if !get("token").is_empty() => {
            endpoint.headers.insert("Authorization".to_owned(), format!("Bearer {}", get("token")));
        },
        other => hide(&format!(
            "its authentication `{other}` is hidden or has no counterpart; set it with `postrider \
             endpoint auth`, `oauth` or `mtls`"
        )),
    }
}

#[cfg(test)]
mod tests;
