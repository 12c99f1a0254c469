//! The choice of event types, as a tree.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};
use postrider::api::{EventTypeOut, ListResponse, list::MAX_LIMIT};

use crate::{
    api::{ApiFailure, v1},
    context::Context,
    form::Form,
    ui,
};

/// Most event types that a form offers.
const MAX_OFFERED: usize = 2_000;

/// All event types that endpoints can receive.
pub(super) async fn read(context: &Context) -> Result<Vec<EventTypeOut>, ApiFailure> {
    let (mut all, mut iterator) = (Vec::new(), None::<String>);
    loop {
        let path = v1(&["event-type"]).with("limit", MAX_LIMIT).and("iterator", iterator.as_ref());
        let page: ListResponse<EventTypeOut> = context.api.get(path).await?;
        all.extend(page.data);
        if page.done || page.iterator.is_none() || all.len() >= MAX_OFFERED {
            return Ok(all);
        }
        iterator = page.iterator;
    }
}

/// A group of the tree: event types with the same beginning of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Group<'a> {
    prefix: &'a str,
    /// Names and descriptions.
    types: Vec<(&'a str, &'a str)>,
}

/// The groups of these event types. Those that are alone with their beginning come last, together.
fn groups<'a>(types: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<Group<'a>> {
    let mut by_prefix = BTreeMap::<&str, Vec<_>>::new();
    for (name, description) in types {
        let prefix = name.split_once('.').map_or(name, |it| it.0);
        by_prefix.entry(prefix).or_default().push((name, description));
    }
    let (mut groups, mut alone) = (Vec::new(), Vec::new());
    for (prefix, types) in by_prefix {
        if types.len() == 1 {
            alone.extend(types);
        } else {
            groups.push(Group { prefix, types });
        }
    }
    if !alone.is_empty() {
        groups.push(Group { prefix: "", types: alone });
    }
    groups
}

/// The choice between all event types and selected ones. `problem` is what the API said about it.
pub(super) fn choice(known: &[EventTypeOut], form: &Form, problem: Option<&str>) -> Markup {
    let selected: BTreeSet<&str> = form.all("eventTypes").collect();
    let names: BTreeSet<&str> = known.iter().map(|it| it.name.as_str()).collect();
    let gone = selected.difference(&names).map(|it| (*it, "Archived, or not an event type"));
    let all = known.iter().map(|it| (it.name.as_str(), it.description.as_str()));
    let groups = groups(all.chain(gone));
    let is_selection = form.text("types") == Some("selected");
    html! {
        fieldset.event-types {
            legend { "Event types" }
            @if let Some(problem) = problem { p.problem role="alert" { (problem) } }
            div.buttons {
                label.choice { input type="radio" name="types" value="all" checked[!is_selection]; "All event types, also future ones" }
                label.choice { input type="radio" name="types" value="selected" checked[is_selection]; "Selected event types" }
            }
            @if groups.is_empty() {
                p.hint { "There are no event types yet. Messages of every type are sent to the endpoint." }
            } @else {
                div.type-tree {
                    @for group in &groups { (branch(group, &selected, groups.len() == 1)) }
                }
            }
        }
    }
}

fn branch(group: &Group<'_>, selected: &BTreeSet<&str>, is_only: bool) -> Markup {
    let chosen = group.types.iter().filter(|it| selected.contains(it.0)).count() as u64;
    let name = if group.prefix.is_empty() { "Others" } else { group.prefix };
    let is_open = is_only || chosen > 0 || group.types.len() <= 12;
    html! {
        details open[is_open] {
            summary {
                (name) span.soft.small {
                    " " (ui::plural(group.types.len() as u64, "event type"))
                    @if chosen > 0 { ", " (chosen) " selected" }
                }
            }
            ul {
                @for (name, description) in &group.types {
                    li { label.choice {
                        input type="checkbox" name="eventTypes" value=(name) checked[selected.contains(name)];
                        span { code { (name) } @if !description.is_empty() { small { (description) } } }
                    } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_types_are_grouped_by_the_beginning_of_their_names() {
        let names = ["order.paid", "ping", "order.sent", "user.login", "order.item.added"];
        let groups = groups(names.into_iter().map(|it| (it, "")));
        let shown: Vec<_> = groups
            .iter()
            .map(|it| (it.prefix, it.types.iter().map(|it| it.0).collect::<Vec<_>>()))
            .collect();
        let expected = [
            ("order", vec!["order.paid", "order.sent", "order.item.added"]),
            ("", vec!["ping", "user.login"]),
        ];
        assert_eq!(shown, expected);
    }
}
