//! Event types grouped by the parts of their names.

use postrider::api::EventTypeOut;

/// A group or an event type.
#[derive(Debug)]
pub(super) enum Item<'a> {
    /// The name, how many event types it contains, and its items.
    Group(String, usize, Vec<Self>),
    Type(&'a EventTypeOut),
}

/// Groups event types by what is before the last dot of their names, unless they name a group.
pub(super) fn tree(event_types: &[EventTypeOut]) -> Vec<Item<'_>> {
    let mut placed: Vec<_> = event_types.iter().map(|it| (groups(it), it)).collect();
    placed.sort_by(|left, right| (&left.0, &left.1.name).cmp(&(&right.0, &right.1.name)));
    items(&placed, 0)
}

fn groups(event_type: &EventTypeOut) -> Vec<&str> {
    if let Some(group) = &event_type.group_name {
        return group.split('.').collect();
    }
    let mut parts: Vec<_> = event_type.name.as_str().split('.').collect();
    parts.pop();
    parts
}

/// The items at a depth of event types that are sorted by their groups.
fn items<'a>(placed: &[(Vec<&'a str>, &'a EventTypeOut)], depth: usize) -> Vec<Item<'a>> {
    let same =
        |left: &(Vec<&str>, _), right: &(Vec<&str>, _)| left.0.get(depth) == right.0.get(depth);
    let mut found = Vec::new();
    for chunk in placed.chunk_by(same) {
        match chunk[0].0.get(depth) {
            Some(_) => {
                let name = chunk[0].0[..=depth].join(".");
                found.push(Item::Group(name, chunk.len(), items(chunk, depth + 1)));
            },
            None => found.extend(chunk.iter().map(|it| Item::Type(it.1))),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event_type(name: &str, group: Option<&str>) -> EventTypeOut {
        serde_json::from_value(json!({
            "name": name, "description": "", "archived": false, "deprecated": false,
            "groupName": group,
            "createdAt": "2026-11-27T00:00:00Z", "updatedAt": "2026-11-27T00:00:00Z",
        }))
        .unwrap()
    }

    fn show(items: &[Item<'_>]) -> String {
        let one = |item: &Item<'_>| match item {
            Item::Group(name, count, items) => format!("{name}:{count}({})", show(items)),
            Item::Type(it) => it.name.to_string(),
        };
        items.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn names_become_groups() {
        for (names, expected) in [
            (&[("ping", None)][..], "ping"),
            (
                &[("a.x", None), ("a.b.y", None), ("a.b.z", None), ("b", None)],
                "b a:3(a.x a.b:2(a.b.y a.b.z))",
            ),
            (&[("a.x", Some("Billing")), ("c.y", Some("Billing"))], "Billing:2(a.x c.y)"),
        ] {
            let types: Vec<_> = names.iter().map(|it| event_type(it.0, it.1)).collect();
            assert_eq!(show(&tree(&types)), expected);
        }
    }
}
