//! What every page of the portal has: the name and the logo of the platform, and the navigation.
//! Inside another page, which has a name and a logo itself, there is only the navigation.

use maud::{DOCTYPE, Markup, html};

use super::{navigation, shell};
use crate::{
    context::{Context, Shared},
    page::{Page, Refresh, Section},
    theme::Appearance,
    ui::{Icon, form::csrf, icon},
};

/// The pages in the navigation: their names and paths.
const PAGES: [(Section, &str, &str, Icon); 5] = [
    (Section::Endpoints, "Endpoints", "/portal/endpoints", Icon::Endpoints),
    (Section::Messages, "Messages", "/portal/messages", Icon::Messages),
    (Section::EventTypes, "Event catalog", "/portal/event-types", Icon::Tag),
    (Section::Overview, "Metrics", "/portal/metrics", Icon::Overview),
    (Section::Verify, "Verify", "/portal/verify", Icon::Shield),
];

/// The document of a page.
pub(super) fn document(context: &Context, page: &Page, content: &Markup) -> Markup {
    let appearance = &context.appearance;
    let title = format!("{} · {}", page.title, appearance.name);
    html! {
        (DOCTYPE)
        html lang="en" data-theme=(appearance.theme.name()) data-framed[appearance.is_framed] data-transparent[appearance.is_transparent] {
            head {
                (shell::head(&context.shared, &title))
                (sheet(&context.shared, appearance))
            }
            body.portal data-live[page.refresh != Refresh::Never] data-no-keys[context.preferences.has_no_keys] {
                a.skip href="#content" { "Skip to content" }
                header.portal-head {
                    (bar(context))
                    (tabs(context, page.section))
                }
                main #content tabindex="-1" { (content) }
                (navigation::dialogs(context))
            }
        }
    }
}

/// A document without navigation, for people who are not signed in.
pub(crate) fn bare(
    shared: &Shared,
    appearance: &Appearance,
    title: &str,
    content: &Markup,
) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" data-theme=(appearance.theme.name()) data-framed[appearance.is_framed] data-transparent[appearance.is_transparent] {
            head {
                (shell::sign_in_head(shared, title))
                (sheet(shared, appearance))
            }
            body.bare.portal { main #content { (content) } }
        }
    }
}

/// The link to the style sheet of the theme.
fn sheet(shared: &Shared, appearance: &Appearance) -> Markup {
    let path = appearance.sheet(shared.assets.version());
    html! { @if let Some(path) = path { link rel="stylesheet" href=(shared.site.path(&path)); } }
}

/// The name and the logo of the platform, and the buttons that concern the session.
fn bar(context: &Context) -> Markup {
    let appearance = &context.appearance;
    html! {
        div.portal-bar {
            a.brand href=(context.link("/portal")) {
                @if let Some(logo) = &appearance.logo { img src=(logo) alt=""; }
                span.brand-name { (appearance.name) }
            }
            div.portal-account {
                (navigation::view_button())
                form.inline.sign-out method="post" action=(context.link("/portal/logout")) {
                    (csrf(context))
                    button.plain type="submit" { "Sign out" }
                }
            }
        }
    }
}

fn tabs(context: &Context, current: Section) -> Markup {
    html! {
        nav.portal-tabs aria-label="Main" {
            ul {
                @for (section, name, path, shape) in PAGES {
                    li {
                        a href=(context.link(path)) aria-current=[(section == current).then_some("page")] {
                            (icon(shape)) (name)
                        }
                    }
                }
            }
        }
    }
}
