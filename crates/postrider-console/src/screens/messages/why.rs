//! Why an endpoint did not receive a message.

use postrider::api::{EndpointOut, MessageOut};

/// Most names that a sentence lists.
const MAX_NAMES: usize = 4;

/// The reason, as far as the present settings of the endpoint tell it.
pub(super) fn not_sent(endpoint: &EndpointOut, message: &MessageOut) -> String {
    if endpoint.created_at > message.timestamp {
        return "It was created after the message was accepted.".to_owned();
    }
    let types = endpoint.event_types.0.as_deref().unwrap_or_default();
    if !types.is_empty() && !types.contains(&message.event_type) {
        return format!("It receives only {}.", names(types));
    }
    let channels = endpoint.channels.as_deref().unwrap_or_default();
    let own = message.channels.as_deref().unwrap_or_default();
    if !channels.is_empty() && !channels.iter().any(|it| own.contains(it)) {
        let noun = if channels.len() == 1 { "the channel" } else { "the channels" };
        return format!("It receives only {noun} {}.", names(channels));
    }
    if endpoint.disabled {
        return "It is disabled.".to_owned();
    }
    "It was disabled or had other filters when the message was accepted.".to_owned()
}

fn names<T: ToString>(items: &[T]) -> String {
    let mut shown: Vec<_> = items.iter().take(MAX_NAMES).map(ToString::to_string).collect();
    match items.len() - shown.len() {
        0 => {},
        1 => shown.push("1 other".to_owned()),
        more => shown.push(format!("{more} others")),
    }
    let last = shown.pop().unwrap_or_default();
    if shown.is_empty() { last } else { format!("{} and {last}", shown.join(", ")) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(endpoint: &serde_json::Value, expected: &str) {
        let mut all = json!({
            "id": "ep_00000000000000000000000001", "url": "https://example.com", "description": "",
            "disabled": false, "metadata": {}, "version": 1,
            "createdAt": "2026-11-01T00:00:00Z", "updatedAt": "2026-11-01T00:00:00Z",
        });
        for (name, value) in endpoint.as_object().unwrap() {
            all[name] = value.clone();
        }
        let endpoint = serde_json::from_value(all).unwrap();
        let message = serde_json::from_value(json!({
            "id": "msg_00000000000000000000000001", "eventType": "a.b", "payload": {},
            "channels": ["eu"], "timestamp": "2026-11-02T00:00:00Z",
        }));
        assert_eq!(not_sent(&endpoint, &message.unwrap()), expected);
    }

    #[test]
    fn the_first_reason_is_named() {
        check(
            &json!({ "createdAt": "2026-11-03T00:00:00Z", "disabled": true }),
            "It was created after the message was accepted.",
        );
        check(&json!({ "eventTypes": ["x", "y"] }), "It receives only x and y.");
        check(
            &json!({ "eventTypes": ["c", "d", "e", "f", "g", "h"] }),
            "It receives only c, d, e, f and 2 others.",
        );
        check(&json!({ "channels": ["us"] }), "It receives only the channel us.");
        check(&json!({ "channels": ["eu"], "disabled": true }), "It is disabled.");
        check(&json!({}), "It was disabled or had other filters when the message was accepted.");
    }
}
