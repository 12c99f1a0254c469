//! What the provider says about a person, and the role that follows from it.

use std::collections::BTreeMap;

use openidconnect::AdditionalClaims;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::auth::Role;

/// All claims that are not standard ones.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct OtherClaims(BTreeMap<String, Value>);

impl AdditionalClaims for OtherClaims {}

impl OtherClaims {
    /// The values of a claim: the items of a list, or the words of a text; none if there is no such
    /// claim. The name may contain dots, which lead into objects.
    pub(super) fn values(&self, name: &str) -> Option<Vec<String>> {
        let found = self.0.get(name).or_else(|| {
            let (first, rest) = name.split_once('.')?;
            rest.split('.').try_fold(self.0.get(first)?, |object, field| object.get(field))
        })?;
        Some(match found {
            Value::Array(items) => {
                items.iter().filter_map(|it| it.as_str().map(str::to_owned)).collect()
            },
            Value::String(text) => text.split_whitespace().map(str::to_owned).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
        })
    }
}

/// The role of the first listed value that is among these.
pub(super) fn role_of(values: &[String], roles: &[(String, Role)]) -> Option<Role> {
    roles.iter().find(|(value, _)| values.contains(value)).map(|(_, role)| *role)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_values_of_a_claim_are_a_list_or_words() {
        let claims = json!({
            "groups": ["a", 1, "b c"],
            "roles": "x y",
            "realm": { "access": { "roles": ["z"] } },
            "https://example.com/groups": ["n"],
            "none": null,
        });
        let claims: OtherClaims = serde_json::from_value(claims).unwrap();
        for (name, expected) in [
            ("groups", Some(vec!["a", "b c"])),
            ("roles", Some(vec!["x", "y"])),
            ("realm.access.roles", Some(vec!["z"])),
            ("https://example.com/groups", Some(vec!["n"])),
            ("none", Some(vec![])),
            ("realm.missing", None),
            ("missing", None),
        ] {
            let expected = expected.map(|it| it.into_iter().map(str::to_owned).collect());
            assert_eq!(claims.values(name), expected, "{name}");
        }
    }

    #[test]
    fn a_person_has_the_first_of_their_roles_and_none_by_default() {
        let roles = [("ops".to_owned(), Role::Operator), ("all".to_owned(), Role::Viewer)];
        for (groups, expected) in [
            (vec!["all", "ops"], Some(Role::Operator)),
            (vec!["all", "other"], Some(Role::Viewer)),
            (vec!["ALL"], None),
            (vec![], None),
        ] {
            let groups: Vec<_> = groups.into_iter().map(str::to_owned).collect();
            assert_eq!(role_of(&groups, &roles), expected, "{groups:?}");
        }
    }
}
