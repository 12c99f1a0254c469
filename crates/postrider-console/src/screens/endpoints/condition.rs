//! What an endpoint is doing, and why.

use jiff::Timestamp;
use maud::{Markup, html};
use postrider::api::{DisabledOut, DisabledReason, EndpointStateOut};

use crate::{
    context::Context,
    page::Tone,
    ui::{self, Icon, badge},
};

/// What an endpoint is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition<'a> {
    /// It gets no messages.
    Disabled(&'a DisabledOut),
    /// Its messages wait until it is resumed.
    Paused,
    /// Its circuit breaker is open on at least one node.
    BreakerOpen { since: Timestamp, next_probe_at: Option<Timestamp> },
    /// Deliveries have been given up, and none has succeeded since.
    Failing(Timestamp),
    /// The rate limit, or the receiver, delays deliveries.
    Throttled(Timestamp),
    /// It gets messages.
    Enabled,
}

impl<'a> Condition<'a> {
    pub(crate) fn of(state: &'a EndpointStateOut) -> Self {
        if let Some(disabled) = &state.disabled {
            return Self::Disabled(disabled);
        }
        if state.paused {
            return Self::Paused;
        }
        if let Some(since) = state.breakers.iter().map(|it| it.open_since).min() {
            let next_probe_at = state.breakers.iter().filter_map(|it| it.next_probe_at).min();
            return Self::BreakerOpen { since, next_probe_at };
        }
        match (state.failing_since, state.throttled_until) {
            (Some(since), _) => Self::Failing(since),
            (None, Some(until)) => Self::Throttled(until),
            (None, None) => Self::Enabled,
        }
    }

    /// Whether somebody has to look after it.
    pub(super) const fn is_failing(self) -> bool {
        matches!(self, Self::BreakerOpen { .. } | Self::Failing(_))
    }

    pub(crate) fn badge(self) -> Markup {
        match self {
            Self::Disabled(it) if it.reason == DisabledReason::Requested => {
                badge(Tone::Neutral, Icon::Pause, "Disabled")
            },
            Self::Disabled(_) => badge(Tone::Bad, Icon::Pause, "Disabled"),
            Self::Paused => badge(Tone::Neutral, Icon::Pause, "Paused"),
            Self::BreakerOpen { .. } => badge(Tone::Bad, Icon::Warning, "Breaker open"),
            Self::Failing(_) => badge(Tone::Bad, Icon::Cross, "Failing"),
            Self::Throttled(_) => badge(Tone::Warning, Icon::Clock, "Throttled"),
            Self::Enabled => badge(Tone::Good, Icon::Check, "Enabled"),
        }
    }

    /// Why, in a few words for a table.
    pub(crate) fn reason(self, context: &Context) -> Markup {
        let time = |at| ui::time(context, at);
        match self {
            Self::Disabled(it) => {
                let reason = disabled_reason(context, it);
                html! { (reason) @if let Some(at) = it.at { ", " (time(at)) } }
            },
            Self::BreakerOpen { since, next_probe_at: Some(next) } if next > context.now => {
                html! { "since " (time(since)) " · next attempt " (time(next)) }
            },
            Self::BreakerOpen { since, .. } => html! { "since " (time(since)) " · trying now" },
            Self::Failing(since) => html! { "since " (time(since)) },
            Self::Throttled(until) => html! { "until " (time(until)) },
            Self::Paused => html! { "messages wait" },
            Self::Enabled => Markup::default(),
        }
    }
}

/// Who disabled an endpoint and why, in a few words.
pub(super) fn disabled_reason(context: &Context, disabled: &DisabledOut) -> &'static str {
    match disabled.reason {
        DisabledReason::Requested => requested_by(disabled.by.as_deref(), context.is_portal()),
        DisabledReason::Failing => "by the server: deliveries kept failing",
        DisabledReason::Gone => "by the server: 410 Gone",
        DisabledReason::Unknown => "the reason was not recorded",
    }
}

fn requested_by(by: Option<&str>, is_portal: bool) -> &'static str {
    match (by, is_portal) {
        (Some("application"), true) => "by you",
        (Some("application"), false) => "by the customer, in the portal",
        (Some("organization"), true) => "by the platform",
        (Some("organization"), false) => "by your organization",
        _ => "on request",
    }
}

#[cfg(test)]
mod tests {
    use postrider::api::BreakerOut;
    use serde_json::json;

    use super::*;

    fn state(change: fn(&mut EndpointStateOut)) -> EndpointStateOut {
        let mut state = serde_json::from_value(json!({
            "appId": "app_01m8ev51c7e009rch7xdjkmtx6", "endpointId": "ep_01m8ev51d0e009haqpq8v4h9w2",
            "url": "", "kind": "http", "disabled": null, "failingSince": null, "pending": 0,
            "oldestDueAt": null, "inFlight": 0, "breakers": [], "throttledUntil": null,
        }))
        .unwrap();
        change(&mut state);
        state
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_most_important_condition_is_shown() {
        let open = |it: &mut EndpointStateOut| {
            let breaker = |node_id, since, probe: Option<i64>| BreakerOut {
                node_id,
                open_since: at(since),
                next_probe_at: probe.map(at),
            };
            it.breakers =
                vec![breaker(1, 20, Some(90)), breaker(2, 10, Some(80)), breaker(3, 30, None)];
            it.failing_since = Some(at(5));
        };
        let expected = Condition::BreakerOpen { since: at(10), next_probe_at: Some(at(80)) };
        assert_eq!(Condition::of(&state(open)), expected);
        let failing = state(|it| {
            it.failing_since = Some(at(5));
            it.throttled_until = Some(at(6));
        });
        assert_eq!(Condition::of(&failing), Condition::Failing(at(5)));
        let throttled = state(|it| it.throttled_until = Some(at(6)));
        assert_eq!(Condition::of(&throttled), Condition::Throttled(at(6)));
        assert_eq!(Condition::of(&state(|_| {})), Condition::Enabled);
    }

    #[test]
    fn who_disabled_an_endpoint_depends_on_who_looks() {
        let cases = [
            (Some("application"), true, "by you"),
            (Some("application"), false, "by the customer, in the portal"),
            (Some("organization"), true, "by the platform"),
            (Some("organization"), false, "by your organization"),
            (None, false, "on request"),
        ];
        for (by, is_portal, expected) in cases {
            assert_eq!(requested_by(by, is_portal), expected);
        }
    }
}
