//! Failures: failed attempts in groups, and resending many deliveries.

mod filter;
mod groups;
mod list;
mod resend;
mod scope;

use crate::route::Routes;

/// The pages in the console.
pub(crate) fn console(routes: Routes) -> Routes {
    routes
        .page("/failures", list::page)
        .page("/failures/resend", resend::page)
        .action("/failures/resend", resend::start)
}
