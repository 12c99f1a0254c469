//! What every page has: the navigation, the title, the message after an action.

mod navigation;
mod portal;
mod shell;

use maud::{DOCTYPE, Markup, html};

pub(crate) use self::{portal::bare as portal_bare, shell::bare};
use crate::{
    context::Context,
    failure::Failure,
    page::{Page, Refresh, Region, Section, Tone},
    ui::{Icon, icon, notice},
};

/// The document of a page.
pub(crate) fn document(context: &Context, page: &Page) -> Markup {
    if context.is_portal() {
        return portal::document(context, page, &content(context, page));
    }
    html! {
        (DOCTYPE)
        html lang="en" data-theme=(context.preferences.theme.name()) {
            head { (shell::head(&context.shared, &format!("{} · Postrider", page.title))) }
            body data-live[page.refresh != Refresh::Never] data-no-keys[context.preferences.has_no_keys] {
                a.skip href="#content" { "Skip to content" }
                div.shell {
                    (navigation::sidebar(context, page.section))
                    div.main {
                        (navigation::topbar(context))
                        main #content tabindex="-1" { (content(context, page)) }
                    }
                }
                (navigation::dialogs(context))
            }
        }
    }
}

fn content(context: &Context, page: &Page) -> Markup {
    html! {
        header.page-head {
            @if !page.crumbs.is_empty() {
                nav.crumbs aria-label="Breadcrumb" {
                    ol { @for (name, path) in &page.crumbs { li { a href=(context.link(path)) { (name) } } } }
                }
            }
            div.title-line {
                h1 { (page.title) }
                @if let Some(actions) = &page.actions { div.actions { (actions) } }
            }
            @if let Some(lead) = &page.lead { div.lead { (lead) } }
        }
        div #stale hidden { (notice(Tone::Warning, &html! {
            span #stale-text {} " " a href="" { "Reload" }
        })) }
        @if let Some((tone, text)) = &context.flash { (notice(*tone, &html! { (text) })) }
        @for region in &page.regions { (part(region)) }
    }
}

fn part(region: &Region) -> Markup {
    html! {
        @match region.id {
            Some(id) => { div.part id=(id) { (region.markup) } },
            None => { div.part { (region.markup) } },
        }
    }
}

/// A page that says why there is no other, and what to do.
pub(crate) fn failure(context: &Context, failure: &Failure) -> Page {
    let (title, advice) = match failure {
        Failure::Api(error) if error.status() == http::StatusCode::FORBIDDEN => (
            "Not permitted",
            html! {
                @if let Some(role) = context.viewer.who().role {
                    "You are signed in as " strong { (context.viewer.label()) } " with the role "
                    strong { (role) } ". Sign in with a role that may do this, or ask an administrator for it."
                } @else { "Your access to the portal does not include this." }
            },
        ),
        Failure::NotPermitted(action) => (
            "Not permitted",
            html! {
                @if context.viewer.who().role.is_some() {
                    "You are signed in as " strong { (context.viewer.label()) } ". This needs the role "
                    strong { (action.least_role()) } " or a higher one."
                } @else { "Your access to the portal does not include this." }
            },
        ),
        Failure::NotFound(_) => {
            ("Not found", html! { "It may have been deleted, or the link is incomplete." })
        },
        Failure::Api(error) if error.status() == http::StatusCode::NOT_FOUND => {
            ("Not found", html! { "It may have been deleted, or the link is incomplete." })
        },
        Failure::Api(error) if error.status().is_server_error() => (
            "The server could not do this",
            html! { "Nothing was changed. Try again; if it persists, the server's log says why." },
        ),
        Failure::SignedOut | Failure::Forged | Failure::Api(_) | Failure::TooLarge(_) => {
            ("This did not work", html! { "Nothing was changed." })
        },
    };
    Page::new(Section::None, title).status(failure.status()).part(html! {
        (notice(Tone::Bad, &html! { p { (failure) } p { (advice) } }))
        p.buttons {
            a.button.secondary href="" { (icon(Icon::Repeat)) "Try again" }
            a.button.plain href=(context.link(navigation::home(context))) { "Go to the first page" }
        }
    })
}
