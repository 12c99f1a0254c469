//! Which provider a request looks like.

use std::collections::BTreeMap;

use postrider::provider::{self, Provider, Selector};
use serde_json::Value;

/// Headers that say nothing about a provider.
const COMMON: [&str; 4] = ["authorization", "content-type", "host", "user-agent"];

/// The most similar provider: one whose signature the request has, and most of its other headers.
pub(super) fn provider_of(headers: &BTreeMap<String, String>) -> Option<&'static Provider> {
    let scored = provider::all().iter().filter(|it| has_credential(it, headers)).map(|it| {
        let names = header_names(it);
        let present = names.iter().filter(|it| headers.contains_key(*it)).count();
        (present, names.len() - present, it)
    });
    // Of several that are equally similar, the first in the table.
    let best = scored.min_by_key(|(present, missing, _)| (usize::MAX - present, *missing));
    best.map(|it| it.2)
}

/// Whether the request has a header with the signature or the secret of a provider.
fn has_credential(provider: &Provider, headers: &BTreeMap<String, String>) -> bool {
    provider.model.credentials().any(|it| match it {
        Selector::Header(name) => {
            let name = name.to_ascii_lowercase();
            !COMMON.contains(&name.as_str()) && headers.contains_key(&name)
        },
        Selector::Query(_)
        | Selector::Form(..)
        | Selector::Json(_)
        | Selector::Key(_)
        | Selector::Field(_) => false,
    })
}

/// The headers that a provider's model reads.
fn header_names(provider: &Provider) -> Vec<String> {
    let model = serde_json::to_value(&provider.model).unwrap_or_default();
    let mut names = Vec::new();
    collect(&model, &mut names);
    names.sort_unstable();
    names.dedup();
    names
}

fn collect(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            let parts = text.split("header:").skip(1);
            let is_name = |it: char| it.is_ascii_alphanumeric() || it == '-' || it == '_';
            let found = parts.filter_map(|it| it.split(|it| !is_name(it)).next());
            names.extend(found.filter(|it| !it.is_empty()).map(str::to_ascii_lowercase));
        },
        Value::Array(items) => items.iter().for_each(|it| collect(it, names)),
        Value::Object(fields) => fields.values().for_each(|it| collect(it, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {},
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_looks_like_the_provider_with_its_headers() {
        let rows = [
            (&["stripe-signature"][..], Some("stripe")),
            (&["x-hub-signature-256", "x-github-event", "x-github-delivery"], Some("github")),
            (&["x-slack-signature", "x-slack-request-timestamp"], Some("slack")),
            (
                &["x-shopify-hmac-sha256", "x-shopify-topic", "x-shopify-webhook-id"],
                Some("shopify"),
            ),
            (&["authorization", "content-type"], None),
        ];
        for (names, expected) in rows {
            let headers = names.iter().map(|it| ((*it).to_owned(), "1".to_owned())).collect();
            assert_eq!(provider_of(&headers).map(|it| it.id.as_str()), expected, "{names:?}");
        }
    }
}
