//! Event types: the kinds of events that an organization publishes.

mod body;
pub(crate) mod catalog;
mod change;
mod detail;
mod example;
mod form;
mod import;
mod list;
mod report;
pub(crate) mod schema;
mod tree;
pub(crate) mod validation;
pub(crate) mod versions;

use crate::route::Routes;

/// The pages in the console.
pub(crate) fn console(routes: Routes) -> Routes {
    shared(routes, "/event-types")
        .raw("/event-types/export", import::export)
        .page("/event-types/new", form::create_page)
        .action("/event-types/new", form::create)
        .page("/event-types/import", import::page)
        .action("/event-types/import", import::import)
        .page("/event-types/{name}/edit", form::edit_page)
        .action("/event-types/{name}/edit", form::edit)
        .action("/event-types/{name}/archive", change::archive)
        .action("/event-types/{name}/delete", change::delete)
        .page("/event-types/{name}/send", example::page)
        .action("/event-types/{name}/send", example::send)
}

/// The pages in the portal, where event types cannot be changed.
pub(crate) fn portal(routes: Routes) -> Routes {
    shared(routes, "/portal/event-types")
}

fn shared(routes: Routes, base: &str) -> Routes {
    routes.page(base, list::page).page(&format!("{base}/{{name}}"), detail::page)
}
