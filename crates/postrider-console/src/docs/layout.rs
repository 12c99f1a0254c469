//! What every page of the documentation has: the navigation and the search.

use maud::{Markup, html};

use super::{document::Document, markdown, topic::Topic};
use crate::{
    standalone::Standalone,
    ui::{Icon, icon},
};

/// The body of a page.
pub(super) fn body(
    common: &Standalone,
    document: &Document,
    current: Option<&Topic>,
    query: &str,
    content: &Markup,
) -> Markup {
    html! {
        body.docs {
            a.skip href="#content" { "Skip to content" }
            div.shell {
                (sidebar(common, document, current))
                div.main {
                    (topbar(common, query))
                    main #content tabindex="-1" {
                        div.part #results hidden data-source=(common.link("/docs/operations")) {}
                        div.part #page { (content) }
                    }
                }
            }
        }
    }
}

fn topbar(common: &Standalone, query: &str) -> Markup {
    html! {
        div.topbar {
            a.menu.button.plain href="#navigation" { "Menu" }
            form.search role="search" method="get" action=(common.link("/docs")) {
                (icon(Icon::Search))
                input #search name="q" type="search" value=(query) placeholder="Search operations" aria-label="Search operations" autocomplete="off" spellcheck="false";
                kbd aria-hidden="true" { "/" }
            }
            div.account {
                a.button.plain href=(common.link("/api/v1/openapi.json")) { "OpenAPI" }
            }
        }
    }
}

fn sidebar(common: &Standalone, document: &Document, current: Option<&Topic>) -> Markup {
    let topics = document.topics();
    html! {
        nav.sidebar #navigation aria-label="Topics" {
            (common.brand())
            ul {
                li {
                    a href=(common.link("/docs")) aria-current=[current.is_none().then_some("page")] { "Overview" }
                }
                li { a href=(common.link("/docs#errors")) { "Errors" } }
            }
            @for group in topics.chunk_by(|one, other| one.group == other.group) {
                h2 { (group[0].group) }
                ul {
                    @for topic in group {
                        li { (entry(common, document, topic, current == Some(*topic))) }
                    }
                }
            }
        }
    }
}

fn entry(common: &Standalone, document: &Document, topic: &Topic, is_current: bool) -> Markup {
    html! {
        a href=(common.link(&path(topic))) aria-current=[is_current.then_some("page")] { (topic.title) }
        @if is_current {
            ul.contents data-contents {
                @for it in document.operations_of(topic) {
                    li { a href={ "#" (it.id) } { (markdown::inline(&it.summary)) } }
                }
            }
        }
    }
}

/// The path of a topic's page, without the prefix of the site.
pub(super) fn path(topic: &Topic) -> String {
    format!("/docs/{}", topic.slug)
}
