//! Which entries of a feed a reader wants.

use postrider::{ApplicationId, EndpointId, EventTypeName};

use super::entry::{EntryKind, Facts};

/// Conditions on entries; all of them must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    /// Any if empty.
    pub(super) kinds: Vec<EntryKind>,
    pub(super) application: Option<ApplicationId>,
    pub(super) endpoint: Option<EndpointId>,
    /// Any if empty.
    pub(super) event_types: Vec<EventTypeName>,
    pub(super) delivered: Option<bool>,
}

impl Filter {
    pub(super) fn admits(&self, facts: &Facts) -> bool {
        let is_type = |it: &EventTypeName| self.event_types.contains(it);
        (self.kinds.is_empty() || self.kinds.contains(&facts.kind))
            && self.application.is_none_or(|it| facts.application == Some(it))
            && self.endpoint.is_none_or(|it| facts.endpoint == Some(it))
            && (self.event_types.is_empty() || facts.event_type.as_ref().is_some_and(is_type))
            && self.delivered.is_none_or(|it| facts.delivered == Some(it))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts {
            kind: EntryKind::Attempt,
            application: Some(ApplicationId::from_u128(1)),
            endpoint: Some(EndpointId::from_u128(2)),
            event_type: Some("a.b".parse().unwrap()),
            delivered: Some(true),
        }
    }

    #[test]
    fn all_conditions_must_hold() {
        let any = Filter::default();
        for (filter, expected) in [
            (any.clone(), true),
            (Filter { kinds: vec![EntryKind::Message, EntryKind::Attempt], ..any.clone() }, true),
            (Filter { kinds: vec![EntryKind::Message], ..any.clone() }, false),
            (Filter { application: Some(ApplicationId::from_u128(1)), ..any.clone() }, true),
            (Filter { application: Some(ApplicationId::from_u128(2)), ..any.clone() }, false),
            (Filter { endpoint: Some(EndpointId::from_u128(2)), ..any.clone() }, true),
            (Filter { endpoint: Some(EndpointId::from_u128(1)), ..any.clone() }, false),
            (Filter { event_types: vec!["a.b".parse().unwrap()], ..any.clone() }, true),
            (Filter { event_types: vec!["a".parse().unwrap()], ..any.clone() }, false),
            (Filter { delivered: Some(true), ..any.clone() }, true),
            (Filter { delivered: Some(false), ..any }, false),
        ] {
            assert_eq!(filter.admits(&facts()), expected, "{filter:?}");
        }
    }

    #[test]
    fn entries_without_a_fact_do_not_match_a_condition_on_it() {
        let facts = Facts {
            application: None,
            endpoint: None,
            event_type: None,
            delivered: None,
            ..facts()
        };
        let any = Filter::default();
        assert!(any.admits(&facts));
        let one = ApplicationId::from_u128(1);
        assert!(!Filter { application: Some(one), ..any.clone() }.admits(&facts));
        assert!(!Filter { delivered: Some(false), ..any }.admits(&facts));
    }
}
