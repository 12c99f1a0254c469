//! The head of every document, and documents for people who are not signed in.

use maud::{DOCTYPE, Markup, html};

use crate::{context::Shared, theme::Theme};

/// The head of a page.
pub(super) fn head(shared: &Shared, title: &str) -> Markup {
    content(shared, title, false)
}

/// The head of a page that may sign in at once: scripts run before anything is shown.
pub(super) fn sign_in_head(shared: &Shared, title: &str) -> Markup {
    content(shared, title, true)
}

fn content(shared: &Shared, title: &str, is_script_first: bool) -> Markup {
    let asset = |name| shared.site.path(&shared.assets.path(name));
    html! {
        meta charset="utf-8";
        meta name="viewport" content="width=device-width, initial-scale=1";
        meta name="color-scheme" content="light dark";
        title { (title) }
        link rel="stylesheet" href=(asset("console.css"));
        link rel="icon" href=(shared.site.path("/favicon.svg")) type="image/svg+xml";
        script type="module" src=(asset("app.js")) blocking=[is_script_first.then_some("render")] {}
    }
}

/// A document without navigation.
pub(crate) fn bare(shared: &Shared, theme: Theme, title: &str, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" data-theme=(theme.name()) {
            head { (sign_in_head(shared, title)) }
            body.bare { main #content { (content) } }
        }
    }
}
