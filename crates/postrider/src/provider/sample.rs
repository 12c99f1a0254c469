//! Sample events of all providers, for testing receivers: templates with fresh ids and times.

mod placeholders;

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;
use serde_json::value::RawValue;

use self::placeholders::Placeholders;
use super::{Provider, UnsignedRequest, selector::Selector};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sample {
    /// The event types that it represents.
    events: Vec<String>,
    /// The event id, if it is not in the body.
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    json: Option<Box<RawValue>>,
    /// Values that are not strings are JSON.
    #[serde(default)]
    form: Option<BTreeMap<String, Box<RawValue>>>,
    #[serde(default)]
    text: Option<String>,
}

static SAMPLES: LazyLock<BTreeMap<String, Vec<Sample>>> = LazyLock::new(|| {
    let json = include_str!("../../data/samples.json");
    serde_json::from_str(json).expect("a test reads the samples")
});

fn samples(provider: &Provider) -> &'static [Sample] {
    SAMPLES.get(&provider.id).map_or(&[], Vec::as_slice)
}

/// The event types that have samples. A provider may have many more; one without event types has
/// `webhook`.
pub fn event_types(provider: &Provider) -> Vec<&'static str> {
    samples(provider).iter().flat_map(|it| &it.events).map(String::as_str).collect()
}

/// A sample event of this type, or of the provider's first type, with ids that are derived from the
/// seed, as if it had just happened. [`UnsignedRequest::url`] is empty. For an unknown type, the
/// body is that of the type with the longest common prefix. `None` if the provider has no samples,
/// or if its samples cannot represent another type.
pub fn event(
    provider: &Provider,
    event: Option<&str>,
    seed: u64,
    now_seconds: u64,
) -> Option<UnsignedRequest> {
    let samples = samples(provider);
    let event = event.or_else(|| Some(samples.first()?.events.first()?.as_str()))?;
    let named = samples.iter().find(|it| it.events.iter().any(|it| it == event));
    let sample = named.or_else(|| most_like(samples, event).filter(|it| it.is_open(provider)))?;
    let placeholders = Placeholders { event, seed, now_seconds };
    let headers = sample
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), placeholders.fill(value)))
        .collect();
    Some(UnsignedRequest {
        url: String::new(),
        event_type: Some(event.to_owned()),
        event_id: sample.id.as_deref().map(|it| placeholders.fill(it)),
        headers,
        body: sample.body(&placeholders).into_bytes(),
    })
}

fn most_like<'a>(samples: &'a [Sample], event: &str) -> Option<&'a Sample> {
    let alike = |other: &str| event.chars().zip(other.chars()).take_while(|(a, b)| a == b).count();
    let likeness = |it: &Sample| it.events.iter().map(|it| alike(it)).max();
    // `max_by_key` returns the last of several maxima, and the first is wanted.
    samples.iter().rev().max_by_key(|it| likeness(it))
}

impl Sample {
    /// Whether the sample can represent another event type.
    fn is_open(&self, provider: &Provider) -> bool {
        let header = |it: &Selector| matches!(it, Selector::Header(_));
        let json = self.json.as_ref().map(|it| it.get());
        let form = self.form.iter().flatten().map(|(_, it)| it.get());
        let mut bodies = json.into_iter().chain(self.text.as_deref()).chain(form);
        bodies.any(|it| it.contains("{{type"))
            || provider.model.event_type.iter().any(|it| it.terms.iter().all(header))
    }

    fn body(&self, placeholders: &Placeholders<'_>) -> String {
        if let Some(json) = &self.json {
            return placeholders.fill_json(json.get());
        }
        let Some(form) = &self.form else {
            return self.text.as_deref().map(|it| placeholders.fill(it)).unwrap_or_default();
        };
        let mut body = form_urlencoded::Serializer::new(String::new());
        for (name, value) in form {
            let text = serde_json::from_str::<String>(value.get()).map(|it| placeholders.fill(&it));
            body.append_pair(name, &text.unwrap_or_else(|_| placeholders.fill_json(value.get())));
        }
        body.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::find, *};

    const NOW: u64 = 1_760_000_000;

    fn body(provider: &str, event_type: &str, seed: u64) -> String {
        let request = event(find(provider).unwrap(), Some(event_type), seed, NOW).unwrap();
        String::from_utf8(request.body).unwrap()
    }

    #[test]
    fn the_same_seed_makes_the_same_event_and_another_makes_another() {
        let event = |seed| body("stripe", "charge.succeeded", seed);
        assert_eq!(event(1), event(1));
        assert_ne!(event(1), event(2));
    }

    #[test]
    fn an_unknown_event_type_has_the_body_of_the_most_similar_type() {
        let paused = body("stripe", "customer.subscription.paused", 1);
        assert!(paused.contains(r#""type":"customer.subscription.paused""#), "{paused}");
        assert!(paused.contains(r#""object":"subscription""#), "{paused}");
        let quoted = body("stripe", "a\"b", 1);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&quoted).unwrap()["type"], "a\"b");
        let fork = event(find("github").unwrap(), Some("fork"), 1, NOW).unwrap();
        assert_eq!(fork.event_type.as_deref(), Some("fork"));
    }

    #[test]
    fn a_provider_without_event_types_has_no_other_type() {
        let dropbox = find("dropbox").unwrap();
        assert!(event(dropbox, Some("file.added"), 1, NOW).is_none());
        assert_eq!(event_types(dropbox), ["webhook"]);
        assert!(event(dropbox, None, 1, NOW).is_some());
    }
}
