//! What happens, as it happens.

mod entry;
mod filter;
mod page;
mod sse;
mod stream;

use crate::route::Routes;

/// The pages in the console.
pub(crate) fn console(routes: Routes) -> Routes {
    routes.page("/live", page::page).raw("/live/stream", stream::open)
}
