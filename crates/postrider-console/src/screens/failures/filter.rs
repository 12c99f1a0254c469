//! The filter of the list of failures, which is in the URL.

use jiff::Timestamp;
use postrider::api::FailureCause;

use super::super::messages::period::Period;
use crate::{api::ApiPath, query::Query};

/// Which failed attempts are listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) app: Option<String>,
    pub(super) endpoint: Option<String>,
    pub(super) event_type: Option<String>,
    pub(super) cause: Option<Cause>,
    pub(super) period: Period,
}

/// A cause as the filter has it: a status such as `404`, a class such as `5xx`, or a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Status(u16),
    Class(u16),
    Named(FailureCause),
}

impl Cause {
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Some(class) = text.strip_suffix("xx") {
            let class = class.parse::<u16>().ok().filter(|it| (1..=5).contains(it));
            return class.map(|it| Self::Class(it * 100));
        }
        if let Ok(status) = text.parse::<u16>() {
            return (100..=599).contains(&status).then_some(Self::Status(status));
        }
        FailureCause::ALL.into_iter().find(|it| it.name() == text).map(Self::Named)
    }
}

impl Filter {
    pub(super) fn read(query: &Query, now: Timestamp) -> Self {
        let text = |name| query.text(name).map(ToOwned::to_owned);
        Self {
            app: text("app"),
            endpoint: text("endpoint"),
            event_type: text("type"),
            cause: query.text("cause").and_then(Cause::parse),
            period: Period::read(query, now),
        }
    }

    /// The operation that lists the groups.
    pub(super) fn on(&self, path: ApiPath) -> ApiPath {
        let (mut status, mut class, mut named) = (None, None, None);
        match self.cause {
            Some(Cause::Status(it)) => status = Some(it),
            Some(Cause::Class(it)) => class = Some(it),
            Some(Cause::Named(it)) => named = Some(it.name()),
            None => {},
        }
        path.and("app_id", self.app.as_deref())
            .and("endpoint_id", self.endpoint.as_deref())
            .and("event_types", self.event_type.as_deref())
            .and("status_code", status)
            .and("status_code_class", class)
            .and("cause", named)
            .and("after", self.period.after)
            .and("before", self.period.before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::v1;

    #[test]
    fn causes_are_statuses_classes_or_names() {
        for (cause, expected) in [
            ("503", "?status_code=503"),
            ("5xx", "?status_code_class=500"),
            ("timeout", "?cause=timeout"),
            ("9xx", ""),
            ("1000", ""),
            ("nonsense", ""),
            ("", ""),
        ] {
            let query = Query::default().with("cause", cause);
            let filter = Filter::read(&query, Timestamp::UNIX_EPOCH);
            assert_eq!(
                filter.on(v1(&["x"])).to_string(),
                format!("/api/v1/x{expected}"),
                "{cause}"
            );
        }
    }
}
