//! Sources: the URLs that providers post webhooks to.

mod actions;
mod body;
mod choose;
mod create;
mod detail;
mod edit;
mod endpoints;
mod form;
mod list;
mod load;
mod rejected;
mod sample;
mod secrets;
mod series;
mod setup;
mod signed;
mod state;

use crate::route::Routes;

/// The pages in the console.
pub(crate) fn console(routes: Routes) -> Routes {
    routes
        .page("/sources", list::page)
        .page("/sources/new", choose::page)
        .page("/sources/new/{provider}", create::page)
        .action("/sources/new/{provider}", create::create)
        .page("/sources/{source}", detail::page)
        .page("/sources/{source}/edit", edit::page)
        .action("/sources/{source}/edit", edit::save)
        .action("/sources/{source}/disabled", actions::disable)
        .action("/sources/{source}/delete", actions::delete)
        .action("/sources/{source}/token/rotate", actions::rotate_token)
        .page("/sources/{source}/secrets", secrets::page)
        .action("/sources/{source}/secrets", secrets::rotate)
        .page("/sources/{source}/sample", sample::page)
        .action("/sources/{source}/sample", sample::send)
        .page("/sources/{source}/endpoints/new", endpoints::page)
        .action("/sources/{source}/endpoints/new", endpoints::create)
        .page("/sources/{source}/rejected", rejected::page)
        .action("/sources/{source}/rejected/{log}/verify", rejected::verify)
        .action("/sources/{source}/rejected/{log}/accept", rejected::accept)
}
