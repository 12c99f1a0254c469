//! Tables, filters and pagination.

use maud::{Markup, html};

use super::icon::{Icon, icon};
use crate::context::Context;

/// A table. Its label tells screen readers what it lists; an empty head is a column of buttons. A
/// head that begins with `#` is a column of numbers.
pub(crate) fn table(label: &str, heads: &[&str], rows: &Markup) -> Markup {
    html! {
        div.table-scroll tabindex="0" role="region" aria-label=(label) {
            table.data {
                thead { tr {
                    @for head in heads {
                        @if let Some(number) = head.strip_prefix('#') {
                            th.number scope="col" { (number) }
                        } @else if head.is_empty() {
                            td {}
                        } @else {
                            th scope="col" { (head) }
                        }
                    }
                } }
                tbody data-rows { (rows) }
            }
        }
    }
}

/// Why a list is empty, and how to fill it.
pub(crate) fn empty(title: &str, text: &Markup) -> Markup {
    html! { div.empty { p.empty-title { (title) } div.empty-text { (text) } } }
}

/// Names with their values.
pub(crate) fn facts(facts: &[(&str, Markup)]) -> Markup {
    html! {
        dl.facts {
            @for (name, value) in facts { div { dt { (name) } dd { (value) } } }
        }
    }
}

/// A form whose fields are parameters of the page's URL.
pub(crate) fn filters(context: &Context, fields: &Markup) -> Markup {
    html! {
        form.filters method="get" action=(context.link(&context.path)) role="search" aria-label="Filters" {
            (fields)
            button.secondary type="submit" { "Filter" }
            @if !context.query.pairs().is_empty() {
                a.button.plain href=(context.link(&context.path)) { "Clear" }
            }
        }
    }
}

/// Tabs, which are links: the name, the path, and whether it is the present one.
pub(crate) fn tabs(context: &Context, label: &str, tabs: &[(&str, String, bool)]) -> Markup {
    html! {
        nav.tabs aria-label=(label) {
            @for (name, path, is_current) in tabs {
                a href=(context.link(path)) aria-current=[is_current.then_some("page")] { (name) }
            }
        }
    }
}

/// Links to the next and to the first page of a list. `iterator` is that of the API's response.
pub(crate) fn pages(context: &Context, iterator: Option<&str>, done: bool) -> Markup {
    let next = iterator.filter(|_| !done);
    let is_first = context.query.text("iterator").is_none();
    if is_first && next.is_none() {
        return Markup::default();
    }
    let without = context.query.without("iterator");
    html! {
        nav.pages aria-label="Pages" {
            @if !is_first {
                a.button.secondary href=(context.link(&without.on(&context.path))) { "First page" }
            }
            @if let Some(next) = next {
                a.button.secondary rel="next" href=(context.link(&without.with("iterator", next).on(&context.path))) {
                    "Next page" (icon(Icon::Arrow))
                }
            }
        }
    }
}
