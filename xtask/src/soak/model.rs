//! What is sent, and which endpoints must get it.

use serde::{Deserialize, Serialize};

/// Applications that exist during the whole run.
pub(crate) const APPLICATIONS: usize = 4;

/// Sources, one for each provider. The providers repeat webhooks that got no response. Others never do,
/// and what they send twice is meant to be stored twice.
pub(crate) const PROVIDERS: [&str; 2] = ["shopify", "stripe"];

/// What a message is about, which decides who subscribes to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Topic {
    Plain,
    /// For endpoints that respond late, badly or not at all.
    Hard,
    Ordered,
    Limited,
    Dead,
    /// Received from a provider.
    Webhook,
    /// Of an application that is created and deleted.
    Visit,
}

impl Topic {
    pub(crate) const ALL: [Self; 6] =
        [Self::Plain, Self::Hard, Self::Ordered, Self::Limited, Self::Dead, Self::Visit];

    pub(crate) const fn event_type(self) -> &'static str {
        match self {
            Self::Plain => "soak.plain",
            Self::Hard => "soak.hard",
            Self::Ordered => "soak.ordered",
            Self::Limited => "soak.limited",
            Self::Dead => "soak.dead",
            Self::Webhook => "soak.webhook",
            Self::Visit => "soak.visit",
        }
    }

    /// The topic of the next message, and how many of it are sent at once, for a number below 100.
    pub(crate) const fn chosen(percent: u64) -> (Self, u64) {
        match percent {
            0 => (Self::Limited, BURST),
            1..=15 => (Self::Hard, 1),
            16..=30 => (Self::Ordered, 1),
            31..=35 => (Self::Dead, 1),
            _ => (Self::Plain, 1),
        }
    }
}

/// Messages of the topic `limited` come in bursts, so that their endpoint has to wait.
pub(crate) const BURST: u64 = 10;

/// What an endpoint is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    Fast,
    /// Its filter matches half of the messages.
    Filtered,
    /// Its filter matches no message.
    Nothing,
    /// Takes up to a second and a half.
    Slow,
    /// Fails for some messages, up to three times.
    Flaky,
    /// Is away for a while, again and again.
    Outage,
    /// Its transformation adds a field.
    Transformed,
    /// In order, with failures.
    Ordered,
    /// In order, several in a request, with failures.
    Batched,
    /// Gives up at once, and is recovered.
    Recovered,
    /// Has a strict rate.
    Limited,
    /// Is paused and resumed.
    Paused,
    /// Refuses connections.
    Dead,
    /// Of a source.
    Webhook,
}

impl Role {
    /// Those of an application.
    pub(crate) const OF_APPLICATION: [Self; 13] = [
        Self::Fast,
        Self::Filtered,
        Self::Nothing,
        Self::Slow,
        Self::Flaky,
        Self::Outage,
        Self::Transformed,
        Self::Ordered,
        Self::Batched,
        Self::Recovered,
        Self::Limited,
        Self::Paused,
        Self::Dead,
    ];

    pub(crate) const fn topic(self) -> Topic {
        match self {
            Self::Fast | Self::Filtered | Self::Nothing => Topic::Plain,
            Self::Slow | Self::Flaky | Self::Outage | Self::Transformed => Topic::Hard,
            Self::Ordered | Self::Batched | Self::Recovered => Topic::Ordered,
            Self::Limited | Self::Paused => Topic::Limited,
            Self::Dead => Topic::Dead,
            Self::Webhook => Topic::Webhook,
        }
    }

    pub(crate) const fn uid(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Filtered => "filtered",
            Self::Nothing => "nothing",
            Self::Slow => "slow",
            Self::Flaky => "flaky",
            Self::Outage => "outage",
            Self::Transformed => "transformed",
            Self::Ordered => "ordered",
            Self::Batched => "batched",
            Self::Recovered => "recovered",
            Self::Limited => "limited",
            Self::Paused => "paused",
            Self::Dead => "dead",
            Self::Webhook => "webhook",
        }
    }

    /// Whether no message may overtake another one.
    pub(crate) const fn is_ordered(self) -> bool {
        matches!(self, Self::Ordered | Self::Batched)
    }
}

/// An endpoint that exists during the whole run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// The number of its application, or of its source.
    pub(crate) owner: usize,
    pub(crate) role: Role,
}

impl Endpoint {
    /// Whether it subscribes to this message.
    pub(crate) fn wants(self, message: &Message) -> bool {
        let is_match = self.role != Role::Nothing && (self.role != Role::Filtered || message.even);
        is_match && self.owner == message.owner && self.role.topic() == message.topic
    }

    /// Whether it must get this message.
    pub(crate) fn must_get(self, message: &Message) -> bool {
        self.role != Role::Dead && self.wants(message)
    }
}

/// All endpoints that exist during the whole run; their places are their numbers.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    let of_application =
        |owner| Role::OF_APPLICATION.into_iter().map(move |role| Endpoint { owner, role });
    let of_sources = (0..PROVIDERS.len()).map(|owner| Endpoint { owner, role: Role::Webhook });
    (0..APPLICATIONS).flat_map(of_application).chain(of_sources).collect()
}

/// A message, as its payload describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Message {
    /// Unique in the run.
    pub(crate) number: u64,
    /// The number of the application, or of the source.
    pub(crate) owner: usize,
    pub(crate) topic: Topic,
    pub(crate) even: bool,
    /// The place of a message of the topic `ordered` among those of its application, from 1.
    pub(crate) sequence: u64,
    /// Nanoseconds since the epoch.
    pub(crate) sent_at: u64,
    /// Added by a transformation.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) transformed: bool,
}

#[cfg(test)]
mod tests {
    use postrider::provider::DuplicateRule;

    use super::*;

    fn wanting(owner: usize, topic: Topic, even: bool) -> Vec<&'static str> {
        let message =
            Message { number: 1, owner, topic, even, sequence: 0, sent_at: 0, transformed: false };
        let all = endpoints().into_iter();
        all.filter(|it| it.must_get(&message)).map(|it| it.role.uid()).collect()
    }

    #[test]
    fn a_repeated_webhook_of_the_providers_is_a_duplicate() {
        for provider in PROVIDERS {
            let provider = postrider::provider::find(provider).unwrap();
            assert_ne!(provider.model.repeats, DuplicateRule::Never, "{}", provider.id);
        }
    }

    #[test]
    fn a_message_is_for_the_endpoints_of_its_owner_and_topic_whose_filter_matches() {
        assert_eq!(wanting(0, Topic::Plain, true), ["fast", "filtered"]);
        assert_eq!(wanting(3, Topic::Plain, false), ["fast"]);
        assert_eq!(wanting(1, Topic::Hard, true), ["slow", "flaky", "outage", "transformed"]);
        assert_eq!(wanting(1, Topic::Ordered, false), ["ordered", "batched", "recovered"]);
        assert_eq!(wanting(1, Topic::Webhook, false), ["webhook"]);
        assert!(
            wanting(1, Topic::Dead, false).is_empty() && wanting(9, Topic::Hard, true).is_empty()
        );
    }

    #[test]
    fn all_topics_of_applications_are_chosen() {
        for topic in [Topic::Plain, Topic::Hard, Topic::Ordered, Topic::Limited, Topic::Dead] {
            assert!((0..100).any(|it| Topic::chosen(it).0 == topic), "{topic:?}");
        }
    }
}
