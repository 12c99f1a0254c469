//! Which events of a stream a token lets through.

use postrider::EventTypeName;

/// What a token narrows a stream to, in addition to the filters of the endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// One of these; any if there is no list.
    pub event_types: Option<Vec<EventTypeName>>,
    /// At least one of these; any, and messages without channels, if there is no list.
    pub channels: Option<Vec<String>>,
}

impl Scope {
    /// Whether an event with this type and these channels is let through.
    pub fn admits(&self, event_type: &EventTypeName, channels: &[String]) -> bool {
        self.event_types.as_ref().is_none_or(|it| it.contains(event_type))
            && self.channels.as_ref().is_none_or(|it| it.iter().any(|one| channels.contains(one)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_narrows_types_and_channels() {
        let scope = |types: &[&str], channels: &[&str]| Scope {
            event_types: (!types.is_empty())
                .then(|| types.iter().map(|it| it.parse().unwrap()).collect()),
            channels: (!channels.is_empty())
                .then(|| channels.iter().map(|&it| it.to_owned()).collect()),
        };
        for (types, channels, expected) in [
            (&[][..], &[][..], true),
            (&["a.b"], &[], true),
            (&["a"], &[], false),
            (&["x", "a.b"], &["one"], true),
            (&["a.b"], &["two"], false),
            (&[], &["two", "one"], true),
            (&["a"], &["one"], false),
        ] {
            let admits =
                scope(types, channels).admits(&"a.b".parse().unwrap(), &["one".to_owned()]);
            assert_eq!(admits, expected, "{types:?} {channels:?}");
        }
        let none = scope(&[], &["one"]).admits(&"a.b".parse().unwrap(), &[]);
        assert!(!none);
    }
}
