//! A temporary URL that shows what a sender sends.

mod events;
mod guess;
mod key;
mod listener;
mod page;
mod request;

use crate::route::Routes;

/// The pages in the console.
pub(crate) fn console(routes: Routes) -> Routes {
    routes.page("/inspect", page::page).action("/inspect/requests", listener::listen)
}
