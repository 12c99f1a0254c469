//! The pages of the console and their URLs.

pub(crate) mod login;
mod overview;
mod preferences;

use std::sync::Arc;

use axum::Router;

use crate::{
    assets::{self, Assets},
    context::Shared,
    route::Routes,
    settings::ConsoleSettings,
    site::{Audience, Site},
};

/// All pages.
pub fn router(settings: ConsoleSettings) -> Router {
    let site = Site::new(settings.public_url.clone());
    let shared = Arc::new(Shared { settings, site, assets: Assets::new() });
    let console = Routes::new(Arc::clone(&shared), Audience::Console)
        .page("/", overview::page)
        .action("/preferences", preferences::save);
    login::router(&shared).merge(assets::router(shared)).merge(console.into_router())
}
