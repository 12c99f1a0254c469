//! How a project of Convoy signs, as a signing profile.

use serde_json::{Value, json};

use crate::commands::import::fields::{items, text};

const DEFAULT_HEADER: &str = "x-convoy-signature";

/// The profile of an endpoint, and what to know about it. `config` is the `signature` of the
/// project.
pub(super) fn of(is_advanced: bool, config: &Value) -> (Value, Option<&'static str>) {
    let versions = items(&config["versions"]);
    let note = (versions.len() > 1).then_some(
        "its project has several versions of signatures; the last one is used, so check that the \
         receiver verifies it",
    );
    let last = versions.last().unwrap_or(&Value::Null);
    let (hash, encoding) = (name(&last["hash"], "sha256"), name(&last["encoding"], "hex"));
    let header = name(&config["header"], DEFAULT_HEADER);
    let version = versions.len().max(1);
    let is_default = header == DEFAULT_HEADER && hash == "sha256" && encoding == "hex";
    if is_default && !is_advanced {
        return (json!({ "profile": "convoy" }), note);
    }
    if is_default && version == 1 {
        return (json!({ "profile": "convoy-advanced" }), note);
    }
    let mut sign = json!({
        "scheme": "hmac",
        "hash": hash,
        "signature": format!("header:{header}"),
        "encoding": encoding,
    });
    if is_advanced {
        sign["parse"] = json!({ "item_sep": ",", "kv_sep": "=", "key": format!("v{version}") });
        sign["content"] = json!("{timestamp},{body}");
        sign["timestamp"] = json!({ "source": "field:t", "unit": "s" });
    }
    let model = json!({
        "sign": sign,
        "headers": { "x-convoy-idempotency-key": "{id}" },
        "rotation": if is_advanced { "repeat" } else { "newest" },
    });
    (json!({ "profile": "custom", "model": model }), note)
}

fn name(it: &Value, default: &str) -> String {
    let name = text(it).to_ascii_lowercase();
    if name.is_empty() { default.to_owned() } else { name }
}
