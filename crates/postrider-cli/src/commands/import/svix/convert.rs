//! Records of the API of Svix, in the form of the importer. Both the names of 1.x and those of 2.x
//! clients are understood.

use std::collections::{BTreeMap, BTreeSet};

use postrider::api::Metadata;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::commands::import::model::{
    Application, Connector, Endpoint, EventType, Fields, Finding, Integration, Kind,
    Transformation, uid_of,
};

/// Fields of a connector.
const CONNECTOR: [&str; 9] = [
    "kind",
    "name",
    "logo",
    "description",
    "instructions",
    "allowedEventTypes",
    "transformation",
    "featureFlags",
    "productType",
];

/// Fields of endpoints that only Postrider has.
const POSTRIDER: [&str; 10] = [
    "kind",
    "config",
    "filter",
    "ordering",
    "strictRate",
    "batch",
    "paused",
    "skipAfter",
    "trustedCertificates",
    "forwardTraceContext",
];

/// The placeholder of a credential that is not shown.
const MASK: &str = "***";

pub(super) fn application(it: &Value) -> Application {
    Application {
        source_id: text(&it["id"]),
        uid: uid(it),
        name: text(&it["name"]),
        rate_limit: rate_limit(it),
        metadata: metadata(it),
    }
}

/// The record's own identifier, or else its id, so that a second import finds it again.
fn uid(it: &Value) -> String {
    it["uid"]
        .as_str()
        .filter(|uid| !uid.is_empty())
        .map_or_else(|| uid_of(&text(&it["id"])), str::to_owned)
}

pub(super) fn event_type(it: &Value) -> EventType {
    let flags: Option<Vec<String>> = parsed(&it["featureFlags"]);
    let flag: Option<String> = parsed(&it["featureFlag"]);
    EventType {
        name: text(&it["name"]),
        description: text(&it["description"]),
        archived: it["archived"] == true,
        deprecated: it["deprecated"] == true,
        schemas: Some(&it["schemas"]).filter(|it| it.is_object()).cloned(),
        group_name: parsed(&it["groupName"]),
        feature_flags: flags.unwrap_or_else(|| flag.into_iter().collect()),
    }
}

pub(super) fn connector(it: &Value) -> Connector {
    Connector { uid: uid(it), fields: some_fields(it, &CONNECTOR) }
}

pub(super) fn integration(it: &Value) -> Integration {
    let feature_flags = parsed(&it["featureFlags"]).unwrap_or_default();
    Integration { name: text(&it["name"]), feature_flags }
}

/// Settings that are set.
pub(super) fn settings(it: Value) -> Fields {
    let Value::Object(fields) = it else { return Fields::new() };
    fields.into_iter().filter(|(_, value)| !value.is_null()).collect()
}

/// An endpoint without what has operations of its own.
pub(super) fn endpoint(it: &Value) -> Endpoint {
    let types = parsed(&it["eventTypes"]).or_else(|| parsed(&it["filterTypes"]));
    Endpoint {
        source_id: text(&it["id"]),
        uid: uid(it),
        url: text(&it["url"]),
        description: text(&it["description"]),
        event_types: types.filter(|it: &Vec<String>| !it.is_empty()),
        channels: parsed::<Vec<String>>(&it["channels"]).filter(|it| !it.is_empty()),
        rate_limit: rate_limit(it),
        disabled: it["disabled"] == true,
        metadata: metadata(it),
        more: some_fields(it, &POSTRIDER).into_iter().chain(signing(it)).collect(),
        ..Endpoint::default()
    }
}

/// The signing profile without its secrets, which are hidden. The target generates one, or keeps its
/// own.
fn signing(it: &Value) -> Option<(String, Value)> {
    let mut signing = it["signing"].as_object()?.clone();
    signing.remove("secrets");
    Some(("signing".to_owned(), signing.into()))
}

/// What of an endpoint's record cannot be read.
pub(super) fn hidden_fields(it: &Value, record: &str) -> Vec<Finding> {
    let has_mask = |field: &str| it[field].to_string().contains(MASK);
    let mut hidden = Vec::new();
    if !it["authentication"].is_null() {
        let detail = "its credential is hidden; set it again (`postrider endpoint update`)";
        hidden.push(Finding::new(Kind::Endpoint, record, detail));
    }
    if it["signing"].is_object() {
        let detail = "the secret of its signing profile is hidden; set it again (`postrider \
                      endpoint signing`), or the receiver rejects the requests";
        hidden.push(Finding::new(Kind::Endpoint, record, detail));
    }
    if has_mask("config") {
        let detail = "a credential of its configuration is hidden; create it by hand";
        hidden.push(Finding::new(Kind::Endpoint, record, detail));
    }
    hidden
}

/// Whether the endpoint is called over HTTP. Only Postrider has others, which sign nothing.
pub(super) fn is_http(it: &Value) -> bool {
    it["kind"].as_str().is_none_or(|kind| kind == "http")
}

/// Whether the endpoint cannot be created without a credential that is hidden.
pub(super) fn lacks_credential(it: &Value) -> bool {
    it["config"].to_string().contains(MASK)
}

pub(super) fn transformation(it: &Value) -> Option<Transformation> {
    it["code"].as_str().filter(|code| !code.is_empty())?;
    let mut fields = some_fields(it, &["code", "enabled", "variables"]);
    let mut hidden_variables = BTreeSet::new();
    if let Some(Value::Object(variables)) = fields.get_mut("variables") {
        let all = std::mem::take(variables).into_iter();
        let (hidden, shown): (Fields, Fields) = all.partition(|(_, it)| it == MASK);
        *variables = shown;
        hidden_variables = hidden.into_iter().map(|(name, _)| name).collect();
    }
    Some(Transformation { fields, hidden_variables })
}

pub(super) fn headers(it: &Value) -> (BTreeMap<String, String>, Vec<String>) {
    let shown = parsed(&it["headers"]).unwrap_or_default();
    (shown, parsed(&it["sensitive"]).unwrap_or_default())
}

pub(super) fn unread_source(it: &Value) -> Finding {
    let detail = "sources of received webhooks are not imported; create it here, and give its \
                  new URL to the provider";
    Finding::new(Kind::Setting, format!("source {}", text(&it["name"])), detail)
}

pub(super) fn unread_destination(app: &str, it: &Value) -> Finding {
    let record = format!("{app}/{}", text(&it["id"]));
    let kind = text(&it["type"]);
    let detail = format!("destinations are not imported; create the `{kind}` by hand");
    Finding::new(Kind::Endpoint, record, detail)
}

fn rate_limit(it: &Value) -> Option<u64> {
    it["throttleRate"].as_u64().or_else(|| it["rateLimit"].as_u64())
}

fn metadata(it: &Value) -> Metadata {
    parsed(&it["metadata"]).unwrap_or_default()
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn parsed<T: DeserializeOwned>(value: &Value) -> Option<T> {
    serde_json::from_value(value.clone()).ok()
}

/// The fields with these names that are set.
fn some_fields(it: &Value, names: &[&str]) -> Fields {
    let set = names.iter().filter(|name| !it[**name].is_null());
    set.map(|name| ((*name).to_owned(), it[*name].clone())).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_of_both_generations_are_understood() {
        let old = json!({
            "id": "ep_1", "url": "https://a", "filterTypes": ["a.b"], "rateLimit": 3,
            "channels": null, "metadata": { "k": "v" }, "description": "", "version": 1,
        });
        let endpoint = endpoint(&old);
        assert_eq!(endpoint.uid, "ep_1");
        assert_eq!(endpoint.event_types.as_deref(), Some(&["a.b".to_owned()][..]));
        assert_eq!((endpoint.rate_limit, endpoint.channels), (Some(3), None));
        assert!(endpoint.more.is_empty());
        let event_type = event_type(&json!({ "name": "a", "featureFlag": "beta" }));
        assert_eq!(event_type.feature_flags, ["beta"]);
        let application = application(&json!({ "id": "app_1", "uid": "acme", "name": "Acme" }));
        assert_eq!((application.uid.as_str(), application.source_id.as_str()), ("acme", "app_1"));
    }

    #[test]
    fn variables_of_a_transformation_that_are_hidden_are_left_out() {
        let it = json!({ "code": "c", "enabled": true, "variables": { "a": "1", "b": "***" } });
        let Transformation { fields, hidden_variables } = transformation(&it).unwrap();
        assert_eq!(fields["variables"], json!({ "a": "1" }));
        assert_eq!(hidden_variables.into_iter().collect::<Vec<_>>(), ["b"]);
        assert!(transformation(&json!({ "code": null })).is_none());
    }

    #[test]
    fn a_signing_profile_is_read_without_its_secrets() {
        let signing = json!({ "profile": "hook0", "secrets": [{ "key": "***" }] });
        let it = json!({ "id": "ep_1", "url": "https://a", "signing": signing });
        assert_eq!(endpoint(&it).more["signing"], json!({ "profile": "hook0" }));
        assert_eq!(hidden_fields(&it, "a/b").len(), 1);
    }

    #[test]
    fn credentials_that_are_hidden_are_found() {
        let it = json!({ "kind": "postgres", "config": { "password": "***" } });
        assert!(lacks_credential(&it));
        assert_eq!(hidden_fields(&it, "a/b").len(), 1);
        let it = json!({ "authentication": { "type": "bearer", "token": "***" } });
        assert!(!lacks_credential(&it));
        assert_eq!(hidden_fields(&it, "a/b").len(), 1);
        assert!(hidden_fields(&json!({ "url": "https://a" }), "a/b").is_empty());
    }
}
