//! Connectors: transformations of the organization that endpoints can begin with.

mod change;
mod create;
mod detail;
mod fields;
mod list;

use crate::route::Routes;

/// The pages in the console.
pub(crate) fn console(routes: Routes) -> Routes {
    routes
        .page("/connectors", list::page)
        .page("/connectors/new", create::choose)
        .page("/connectors/new/{kind}", create::page)
        .action("/connectors/new/{kind}", create::create)
        .page("/connectors/{connector}", detail::page)
        .page("/connectors/{connector}/edit", change::page)
        .action("/connectors/{connector}/edit", change::save)
        .action("/connectors/{connector}/delete", change::delete)
}
