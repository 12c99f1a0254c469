//! The first page, with all operations, and the results of a search.

use maud::{Markup, html};

use super::{
    document::{Document, Operation},
    layout, markdown,
    operation::{breakable, method},
    schema, search,
};
use crate::{standalone::Standalone, ui::code};

/// The first page.
pub(super) fn page(common: &Standalone, document: &Document) -> Markup {
    html! {
        header.page-head {
            h1 { "API reference" }
            p.lead { "Version " (document.info("version")) }
        }
        div.start {
            div.prose { (markdown::block(document.info("description"))) }
            div.stack {
                (code::block("Base URL", &common.site.url("")))
                (code::block("A first request", &first_request(common)))
                p.hint {
                    "Every request needs a token. " code { "postrider token create" }
                    " creates one, and so do the settings of the console."
                }
            }
        }
        section.section aria-labelledby="operations" {
            h2 #operations { "Operations" }
            (list(common, document.operations()))
        }
        (errors(document))
    }
}

fn first_request(common: &Standalone) -> String {
    let url = common.site.url("/api/v1/app");
    format!(
        "export POSTRIDER_TOKEN=…\ncurl -H \"Authorization: Bearer $POSTRIDER_TOKEN\" \"{url}\""
    )
}

/// The bodies of errors.
const ERRORS: [(&str, &str); 2] =
    [("ValidationErrorOut", "Status 422"), ("ErrorOut", "All other errors")];

fn errors(document: &Document) -> Markup {
    html! {
        section.section aria-labelledby="errors" {
            h2 #errors { "Errors" }
            div.grid {
                @for (name, title) in ERRORS {
                    div.stack {
                        h3 { (title) }
                        (schema::fields(document, name))
                        @if let Some(example) = document.example_of(name) { (code::example("Example", example)) }
                    }
                }
            }
        }
    }
}

/// The results of a search.
pub(super) fn results(common: &Standalone, document: &Document, query: &str) -> Markup {
    let found = search::find(document.operations(), query);
    html! {
        header.page-head {
            h1 { (crate::ui::plural(found.len() as u64, "operation")) }
            p.lead { "containing “" (query) "”" a href=(common.link("/docs")) { "Show all" } }
        }
        @if found.is_empty() {
            (crate::ui::empty("No operation matches", &html! {
                p { "Search for words of the method, the path, the summary or the operation's id, such as " code { "post endpoint" } "." }
            }))
        } @else { (list(common, found)) }
    }
}

/// Operations by topic.
pub(super) fn list<'a>(
    common: &Standalone,
    operations: impl IntoIterator<Item = &'a Operation>,
) -> Markup {
    let all: Vec<_> = operations.into_iter().collect();
    html! {
        div.topics {
            @for group in all.chunk_by(|one, other| one.topic == other.topic) {
                @let topic = &group[0].topic;
                section.topic aria-label=(topic.title) {
                    header {
                        h3 { a href=(common.link(&layout::path(topic))) { (topic.title) } }
                        p.hint { (topic.description) }
                    }
                    ul.operations {
                        @for it in group { (row(common, it)) }
                    }
                }
            }
        }
    }
}

fn row(common: &Standalone, it: &Operation) -> Markup {
    html! {
        li data-words=(search::searched(it)) {
            a href={ (common.link(&layout::path(&it.topic))) "#" (it.id) } {
                (method(&it.method))
                code { (breakable(&it.path)) }
                span.summary { (markdown::inline(&it.summary)) }
            }
        }
    }
}
