//! Settings: access, the audit log, the organization, the portal's theme, and the server.

mod access;
mod audit;
mod environment;
mod keys;
mod server;
mod tabs;
mod theme;
mod webhooks;

use crate::route::Routes;

/// The pages in the console.
pub(crate) fn console(routes: Routes) -> Routes {
    routes
        .page("/settings", environment::page)
        .action("/settings", environment::save)
        .raw("/settings/environment.json", environment::export)
        .action("/settings/environment", environment::import)
        .page("/settings/keys", keys::page)
        .action("/settings/keys", keys::create)
        .action("/settings/keys/{key}/rename", keys::rename)
        .action("/settings/keys/{key}/revoke", keys::revoke)
        .page("/settings/access", access::page)
        .action("/settings/access/links", access::link)
        .action("/settings/access/expire", access::expire)
        .page("/settings/audit", audit::page)
        .raw("/settings/audit.ndjson", audit::export)
        .page("/settings/theme", theme::page)
        .action("/settings/theme", theme::save)
        .page("/settings/webhooks", webhooks::page)
        .action("/settings/webhooks", webhooks::create)
        .action("/settings/webhooks/{endpoint}/delete", webhooks::delete)
        .page("/settings/server", server::page)
}
