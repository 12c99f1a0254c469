//! The catalogue of event types.

use std::sync::Arc;

use maud::{Markup, html};
use postrider::api::EventTypeOut;

use super::{
    catalog::{self, path},
    tree::{Item, tree},
};
use crate::{
    context::Context,
    page::{Page, PageResult, Section, Tone},
    ui::{self, Field, Icon, badge, icon},
    viewer::Action,
};

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    let show = context.query.text("show").filter(|_| !context.is_portal());
    let all = catalog::all(&context, show.is_some()).await?;
    let has_none = all.is_empty();
    let text = context.query.text("q").map(str::to_lowercase);
    let shown: Vec<_> = all
        .into_iter()
        .filter(|it| is_shown(it, show) && text.as_deref().is_none_or(|text| contains(it, text)))
        .collect();
    let title = if context.is_portal() { "Event catalog" } else { "Event types" };
    let page = Page::new(Section::EventTypes, title);
    let page = if context.may(Action::Operate) { page.actions(actions(&context)) } else { page };
    let list = html! {
        @if shown.is_empty() { (nothing(&context, has_none)) } @else {
            p.hint { (ui::plural(shown.len() as u64, "event type")) }
            div.catalog { (view(&context, &tree(&shown))) }
        }
    };
    Ok(page.part(filters(&context)).part(list))
}

fn is_shown(it: &EventTypeOut, show: Option<&str>) -> bool {
    match show {
        Some("archived") => it.archived,
        Some("deprecated") => it.deprecated,
        Some(_) | None => true,
    }
}

fn contains(it: &EventTypeOut, text: &str) -> bool {
    let group = it.group_name.as_deref().unwrap_or_default();
    [it.name.as_str(), &it.description, group].iter().any(|it| it.to_lowercase().contains(text))
}

fn actions(context: &Context) -> Markup {
    html! {
        a.button.plain href=(context.link("/event-types/export")) download="event-types.json" { "Export" }
        a.button.secondary href=(context.link("/event-types/import")) { "Import from OpenAPI" }
        a.button href=(context.link("/event-types/new")) { (icon(Icon::Plus)) "Create event type" }
    }
}

fn filters(context: &Context) -> Markup {
    let value = |name| context.query.text(name).unwrap_or_default();
    let shown =
        [("", "Active"), ("all", "All"), ("deprecated", "Deprecated"), ("archived", "Archived")];
    ui::filters(
        context,
        &html! {
            div.field.wide {
                (Field::new("q", "Search").value(value("q")).placeholder("Name, group or description").kind("search").line())
            }
            @if !context.is_portal() { (Field::new("show", "Show").value(value("show")).select(&shown)) }
        },
    )
}

fn view(context: &Context, items: &[Item<'_>]) -> Markup {
    html! {
        ul { @for item in items {
            @match item {
                Item::Group(name, count, items) => { li.group {
                    details open {
                        summary { code { (name) } span.soft.small { (count) } }
                        (view(context, items))
                    }
                } },
                Item::Type(it) => { (leaf(context, it)) },
            }
        } }
    }
}

fn leaf(context: &Context, it: &EventTypeOut) -> Markup {
    html! {
        li.type {
            a.strong href=(context.link(&path(context, &[it.name.as_str()]))) { code { (it.name) } }
            span { (it.description) }
            (states(it))
        }
    }
}

/// Whether an event type is deprecated or archived.
pub(super) fn states(it: &EventTypeOut) -> Markup {
    html! {
        @if it.deprecated || it.archived {
            span.cell-line {
                @if it.deprecated { (badge(Tone::Warning, Icon::Warning, "Deprecated")) }
                @if it.archived { (badge(Tone::Neutral, Icon::Pause, "Archived")) }
            }
        }
    }
}

fn nothing(context: &Context, has_none: bool) -> Markup {
    if !has_none {
        return ui::empty(
            "No event type matches",
            &html! {
                p { "Change the filter, or " (ui::link(context, &context.path, "show all event types")) "." }
            },
        );
    }
    ui::empty(
        "No event types yet",
        &html! {
            @if context.is_portal() {
                p { "Nothing can be subscribed to yet." }
            } @else {
                p { "An event type names a kind of event, such as " code { "invoice.paid" } ". Endpoints subscribe to event types; a schema and an example tell customers what to expect." }
                @if context.may(Action::Operate) {
                    div.buttons {
                        a.button href=(context.link("/event-types/new")) { "Create event type" }
                        a.button.secondary href=(context.link("/event-types/import")) { "Import from OpenAPI" }
                    }
                }
                (ui::code::block("Command line", "postrider event-type create name=invoice.paid description='An invoice was paid'"))
            }
        },
    )
}
