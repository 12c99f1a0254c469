//! What a search leads to.

use postrider::api::{LookupMatchOut, LookupType};

use crate::site::join;

/// A page that a search leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) kind: &'static str,
    pub(super) label: String,
    pub(super) id: Option<String>,
    pub(super) path: String,
}

/// The page about something that the API found.
pub(super) fn target(found: LookupMatchOut) -> Target {
    let app = found.app_id.map(|it| it.to_string()).unwrap_or_default();
    let message = found.msg_id.map(|it| it.to_string()).unwrap_or_default();
    let source = found.source_id.clone().unwrap_or_default();
    let id = found.id.as_str();
    let (kind, path) = match found.r#type {
        LookupType::Application => ("Application", join(&["apps", id])),
        LookupType::Endpoint => ("Endpoint", join(&["apps", &app, "endpoints", id])),
        LookupType::Source => ("Source", join(&["sources", id])),
        LookupType::Consumer => ("Consumer", join(&["consumers", id])),
        LookupType::EventType => ("Event type", join(&["event-types", id])),
        LookupType::Message => ("Message", join(&["apps", &app, "messages", id])),
        LookupType::Attempt => {
            ("Attempt", join(&["apps", &app, "messages", &message, "attempts", id]))
        },
        LookupType::Rejection => ("Rejected request", join(&["sources", &source, "rejected"])),
    };
    let label = found.label.or(found.uid).unwrap_or_else(|| found.id.clone());
    Target { kind, label, id: Some(found.id), path }
}

/// Pages and actions with these words in their names.
pub(super) fn pages(text: &str) -> Vec<Target> {
    const PAGES: [(&str, &str, &str); 19] = [
        ("Page", "Overview", "/"),
        ("Page", "Applications", "/apps"),
        ("Page", "Endpoints", "/endpoints"),
        ("Page", "Event types", "/event-types"),
        ("Page", "Connectors", "/connectors"),
        ("Page", "Sources", "/sources"),
        ("Page", "Consumers", "/consumers"),
        ("Page", "Inspect requests", "/inspect"),
        ("Page", "Messages", "/messages"),
        ("Page", "Failures", "/failures"),
        ("Page", "Live", "/live"),
        ("Page", "Tasks", "/tasks"),
        ("Page", "Settings", "/settings"),
        ("Action", "Create an application", "/apps/new"),
        ("Action", "Create a source", "/sources/new"),
        ("Action", "Create an event type", "/event-types/new"),
        ("Action", "Create a connector", "/connectors/new"),
        ("Action", "Create an API key", "/settings/keys"),
        ("Page", "Audit log", "/settings/audit-log"),
    ];
    let words = text.to_lowercase();
    let is_match =
        |name: &str| words.split_whitespace().all(|word| name.to_lowercase().contains(word));
    let found = PAGES.iter().filter(|(_, name, _)| is_match(name));
    let target = |(kind, name, path): &(&'static str, &str, &str)| Target {
        kind,
        label: (*name).to_owned(),
        id: None,
        path: (*path).to_owned(),
    };
    found.map(target).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_found_by_words_of_their_names() {
        let labels = |text| pages(text).into_iter().map(|it| it.label).collect::<Vec<_>>();
        assert_eq!(labels("create key"), ["Create an API key"]);
        assert_eq!(labels("xyz"), Vec::<String>::new());
        assert_eq!(labels("").len(), 19);
    }
}
