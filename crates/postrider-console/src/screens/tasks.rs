//! Background tasks.

mod detail;
mod list;
mod render;

use crate::route::Routes;

/// The pages in the console.
pub(crate) fn console(routes: Routes) -> Routes {
    routes
        .page("/tasks", list::page)
        .page("/tasks/{task}", detail::page)
        .action("/tasks/{task}/cancel", detail::cancel)
}
