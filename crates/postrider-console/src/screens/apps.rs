//! Applications: the customers whose endpoints receive webhooks.

mod body;
mod detail;
mod endpoints;
mod find;
mod form;
mod list;
mod mode;
mod portal_link;
mod recent;
mod remove;
mod rows;
mod send;
mod usage;

use crate::route::Routes;

/// The pages in the console.
pub(crate) fn console(routes: Routes) -> Routes {
    routes
        .page("/apps", list::page)
        .page("/apps/new", form::create_page)
        .action("/apps/new", form::create)
        .page("/apps/{app}", detail::page)
        .page("/apps/{app}/edit", form::edit_page)
        .action("/apps/{app}/edit", form::edit)
        .action("/apps/{app}/live", mode::live)
        .action("/apps/{app}/delete", remove::delete)
        .page("/apps/{app}/send", send::page)
        .action("/apps/{app}/send", send::send)
        .page("/apps/{app}/usage", usage::page)
        .page("/apps/{app}/portal", portal_link::page)
        .action("/apps/{app}/portal", portal_link::create)
        .action("/apps/{app}/portal/expire", portal_link::expire)
}
