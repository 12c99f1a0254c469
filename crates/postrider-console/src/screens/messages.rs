//! Pages about messages.

use crate::route::Routes;

/// The pages in the console.
pub(crate) fn console(routes: Routes) -> Routes {
    routes
}

/// The pages in the portal.
pub(crate) fn portal(routes: Routes) -> Routes {
    routes
}
