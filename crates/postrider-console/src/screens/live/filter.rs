//! Which entries the feed shows; the filter is in the URL.

use postrider::api::MessageStatus;

use crate::{api::ApiPath, query::Query};

/// The kinds of entries: their names in the API, and their labels.
pub(super) const KINDS: [(&str, &str); 4] = [
    ("message", "Messages"),
    ("attempt", "Attempts"),
    ("rejection", "Rejections"),
    ("state", "State changes"),
];

/// The filter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    /// All kinds, if empty.
    kinds: Vec<&'static str>,
    pub(super) app: Option<String>,
    pub(super) event_type: Option<String>,
    pub(super) status: Option<MessageStatus>,
}

impl Filter {
    pub(super) fn read(query: &Query) -> Self {
        let text = |name| query.text(name).map(ToOwned::to_owned);
        let given: Vec<_> = query.all("kind").collect();
        let kinds = KINDS.iter().map(|it| it.0).filter(|it| given.contains(it)).collect();
        let status = query.text("status").and_then(|it| it.parse().ok());
        let status = status.and_then(MessageStatus::from_number);
        Self {
            kinds,
            app: text("app"),
            event_type: text("type"),
            status: status.filter(|it| matches!(it, MessageStatus::Success | MessageStatus::Fail)),
        }
    }

    /// Whether entries of a kind can match.
    pub(super) fn admits(&self, kind: &str) -> bool {
        let has_kind = self.kinds.is_empty() || self.kinds.contains(&kind);
        // Only attempts have a result, and rejections have no event type.
        let has_status = self.status.is_none() || kind == "attempt";
        has_kind && has_status && !(kind == "rejection" && self.event_type.is_some())
    }

    /// Whether a kind is shown as chosen.
    pub(super) fn has_chosen(&self, kind: &str) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&kind)
    }

    /// Adds the conditions that lists and the stream have in common.
    pub(super) fn on(&self, path: ApiPath) -> ApiPath {
        path.and("app_id", self.app.as_deref()).and("event_types", self.event_type.as_deref())
    }

    /// Adds the conditions of the stream.
    pub(super) fn on_stream(&self, path: ApiPath) -> ApiPath {
        let kinds = (!self.kinds.is_empty()).then(|| self.kinds.join(","));
        self.on(path).and("kinds", kinds).and("status", self.status.map(MessageStatus::number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::v1;

    #[test]
    fn kinds_are_those_that_can_match() {
        for (query, kinds, path) in [
            ("", vec!["message", "attempt", "rejection", "state"], "/api/v1/live"),
            ("kind=state&kind=x", vec!["state"], "/api/v1/live?kinds=state"),
            ("status=2", vec!["attempt"], "/api/v1/live?status=2"),
            (
                "status=1&type=a.b",
                vec!["message", "attempt", "state"],
                "/api/v1/live?event_types=a.b",
            ),
            (
                "app=acme",
                vec!["message", "attempt", "rejection", "state"],
                "/api/v1/live?app_id=acme",
            ),
        ] {
            let filter = Filter::read(&Query::parse(Some(query)));
            let found: Vec<_> =
                KINDS.iter().map(|it| it.0).filter(|it| filter.admits(it)).collect();
            assert_eq!(found, kinds, "{query}");
            assert_eq!(filter.on_stream(v1(&["live"])).to_string(), path);
        }
    }
}
