//! Messages: the list, a message with its deliveries, and an attempt.

mod again;
pub(crate) mod attempt;
mod curl;
mod detail;
mod diff;
mod export;
mod filter;
mod journey;
mod list;
pub(crate) mod names;
mod payload;
pub(crate) mod period;
mod request;
mod resend;
pub(crate) mod rows;
mod saved;
mod schedule;
mod signature;
mod views;
mod why;

use crate::route::Routes;

/// The pages in the console.
pub(crate) fn console(routes: Routes) -> Routes {
    let routes = routes
        .page("/messages", list::page)
        .action("/apps/{app}/messages/{msg}/reschedule", schedule::reschedule)
        .action("/apps/{app}/messages/{msg}/cancel", schedule::cancel)
        .raw("/messages/export", export::download)
        .action("/messages/views", saved::change);
    shared(routes, "/apps/{app}/messages")
}

/// The pages in the portal.
pub(crate) fn portal(routes: Routes) -> Routes {
    shared(routes, "/portal/messages")
}

/// The messages of one application.
fn shared(routes: Routes, base: &str) -> Routes {
    let message = format!("{base}/{{msg}}");
    routes
        .page(base, list::page)
        .raw(&format!("{base}/export"), export::download)
        .page(&message, detail::page)
        .raw(&format!("{message}/payload"), payload::download)
        .action(&format!("{message}/resend"), resend::send)
        .action(&format!("{message}/expunge"), resend::expunge)
        .page(&format!("{message}/again"), again::page)
        .action(&format!("{message}/again"), again::send)
        .page(&format!("{message}/attempts/{{attempt}}"), attempt::page)
}
