//! The filter of the list of messages, which is in the URL.

use jiff::Timestamp;
use postrider::api::MessageStatus;

use super::period::{self, Period};
use crate::{api::ApiPath, query::Query};

/// The parameters of a filter, besides those of the period.
const NAMES: [&str; 10] =
    ["app", "type", "channel", "tag", "endpoint", "status", "event", "contains", "path", "value"];

/// Statuses of a delivery in words: the value of the parameter, and the label.
pub(super) const STATUSES: [(&str, &str); 6] = [
    ("", "Any"),
    ("0", "Delivered"),
    ("1", "Pending"),
    ("3", "Retrying"),
    ("2", "Failed"),
    ("4", "Canceled"),
];

/// Which messages are listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) app: Option<String>,
    pub(super) event_type: Option<String>,
    pub(super) channel: Option<String>,
    pub(super) tag: Option<String>,
    pub(super) endpoint: Option<String>,
    pub(super) status: Option<MessageStatus>,
    /// An event id, or the id of a message.
    pub(super) event: Option<String>,
    pub(super) contains: Option<String>,
    pub(super) path: Option<String>,
    pub(super) value: Option<String>,
    pub(super) period: Period,
}

impl Filter {
    /// The filter of a URL. `own` is the application of the page, if it has one.
    pub(super) fn read(query: &Query, own: Option<String>, now: Timestamp) -> Self {
        let text = |name| query.text(name).map(ToOwned::to_owned);
        let status = query.text("status").and_then(|it| it.parse().ok());
        let path = text("path");
        Self {
            app: own.or_else(|| text("app")),
            event_type: text("type"),
            channel: text("channel"),
            tag: text("tag"),
            endpoint: text("endpoint"),
            status: status.and_then(MessageStatus::from_number),
            event: text("event"),
            contains: text("contains"),
            // The API needs both.
            value: text("value").filter(|_| path.is_some()),
            path: path.filter(|_| query.text("value").is_some()),
            period: Period::read(query, now),
        }
    }

    /// Only the parameters of the filter that are used, in a fixed order.
    pub(super) fn parameters(query: &Query) -> Query {
        let names = NAMES.iter().chain(&period::NAMES);
        names.fold(Query::default(), |found, name| found.and(name, query.text(name)))
    }

    /// The operation that lists the messages.
    pub(super) fn on(&self, path: ApiPath) -> ApiPath {
        path.and("app_id", self.app.as_deref())
            .and("endpoint_id", self.endpoint.as_deref())
            .and("event_types", self.event_type.as_deref())
            .and("channel", self.channel.as_deref())
            .and("tag", self.tag.as_deref())
            .and("status", self.status.map(MessageStatus::number))
            .and("contains", self.contains.as_deref())
            .and("path", self.path.as_deref())
            .and("value", self.value.as_deref())
            .and("after", self.period.after)
            .and("before", self.period.before)
    }

    /// Whether payloads are searched, which is too slow to be repeated by itself.
    pub(super) const fn reads_payloads(&self) -> bool {
        self.contains.is_some() || self.path.is_some()
    }

    /// Whether any of the fields is used that are folded at first.
    pub(super) fn has_details(query: &Query) -> bool {
        let folded = ["channel", "tag", "endpoint", "event", "path", "value", "from", "until"];
        folded.iter().any(|name| query.text(name).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::v1;

    #[test]
    fn a_filter_becomes_parameters_of_the_operation() {
        let now: Timestamp = "2026-11-27T12:00:00Z".parse().unwrap();
        for (query, own, expected) in [
            ("", None, "/api/v1/msg"),
            ("app=a&type=x.y&status=2", None, "/api/v1/msg?app_id=a&event_types=x.y&status=2"),
            ("app=a", Some("own"), "/api/v1/msg?app_id=own"),
            ("status=9&path=%24.id", None, "/api/v1/msg"),
            ("path=%24.id&value=7", None, "/api/v1/msg?path=%24.id&value=7"),
            ("range=1h", None, "/api/v1/msg?after=2026-11-27T11%3A00%3A00Z"),
        ] {
            let query = Query::parse(Some(query));
            let filter = Filter::read(&query, own.map(ToOwned::to_owned), now);
            assert_eq!(filter.on(v1(&["msg"])).to_string(), expected);
        }
    }
}
