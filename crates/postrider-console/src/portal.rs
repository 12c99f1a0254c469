//! The pages of the portal and their URLs: the customer's part of the pages of one application.

mod metrics;
pub(crate) mod next;
mod session;
mod sheet;
mod verify;

use std::sync::Arc;

use axum::Router;

use crate::{
    context::Shared,
    route::Routes,
    screens::{endpoints, event_types, messages, preferences},
    site::Audience,
};

/// All pages of the portal.
pub(crate) fn router(shared: &Arc<Shared>) -> Router {
    let routes = Routes::new(Arc::clone(shared), Audience::Portal)
        .raw("/portal", session::home)
        .page("/portal/metrics", metrics::page)
        .page("/portal/verify", verify::page)
        .page("/portal/{*path}", session::not_found)
        .action("/portal/logout", session::logout)
        .action("/portal/preferences", preferences::save);
    [endpoints::portal, messages::portal, event_types::portal]
        .into_iter()
        .fold(routes, |routes, add| add(routes))
        .into_router()
        .merge(sheet::router())
        .merge(session::router(shared))
}
