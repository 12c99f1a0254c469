//! Consumers: queues that messages are read from.

mod create;
mod dead_letter;
mod detail;
mod fields;
mod list;
mod state;

use crate::route::Routes;

/// The pages in the console.
pub(crate) fn console(routes: Routes) -> Routes {
    routes
        .page("/consumers", list::page)
        .page("/consumers/new", create::choose)
        .page("/consumers/new/{kind}", create::page)
        .action("/consumers/new/{kind}", create::create)
        .page("/consumers/{consumer}", detail::page)
        .action("/consumers/{consumer}/disabled", detail::disable)
        .action("/consumers/{consumer}/delete", detail::delete)
        .page("/consumers/{consumer}/dead-letters/{letter}", dead_letter::page)
        .action("/consumers/{consumer}/dead-letters/{letter}/retry", dead_letter::retry)
        .action("/consumers/{consumer}/dead-letters/{letter}/delete", dead_letter::delete)
}
