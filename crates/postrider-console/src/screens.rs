//! The pages of the console and their URLs.

pub(crate) mod apps;
mod connectors;
mod consumers;
pub(crate) mod endpoints;
pub(crate) mod event_types;
mod failures;
mod inspect;
mod live;
pub(crate) mod login;
pub(crate) mod message_body;
pub(crate) mod messages;
mod missing;
mod overview;
pub(crate) mod preferences;
mod search;
mod settings;
mod sources;
mod tasks;

use std::sync::Arc;

use axum::{Router, routing::any};

use crate::{
    assets::Assets,
    context::Shared,
    portal,
    route::Routes,
    settings::ConsoleSettings,
    site::{Audience, Site},
};

/// All pages.
pub fn router(settings: ConsoleSettings) -> Router {
    let site = Site::new(settings.public_url.clone());
    let shared = Arc::new(Shared { settings, site, assets: Assets::new() });
    let routes = Routes::new(Arc::clone(&shared), Audience::Console)
        .page("/", overview::page)
        .action("/preferences", preferences::save);
    let routes = [
        apps::console,
        connectors::console,
        consumers::console,
        endpoints::console,
        event_types::console,
        failures::console,
        inspect::console,
        live::console,
        messages::console,
        search::console,
        settings::console,
        sources::console,
        tasks::console,
    ]
    .into_iter()
    .fold(routes, |routes, add| add(routes));
    login::router(&shared)
        .merge(portal::router(&shared))
        .merge(shared.assets.router())
        .merge(routes.into_router())
        .merge(Router::new().route("/{*path}", any(missing::missing)).with_state(shared))
}
