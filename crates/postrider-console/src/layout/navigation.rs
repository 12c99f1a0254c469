//! The sidebar, the top bar, and the dialogs that are on every page.

use maud::{Markup, html};

use crate::{
    context::Context,
    page::Section,
    theme::{Theme, Zone},
    ui::{Icon, form::csrf, icon},
    viewer::Action,
};

/// An entry of the sidebar.
struct Entry {
    section: Section,
    name: &'static str,
    path: &'static str,
    shape: Icon,
}

const fn entry(section: Section, name: &'static str, path: &'static str, shape: Icon) -> Entry {
    Entry { section, name, path, shape }
}

/// The entries of the console in their groups.
const CONSOLE: [(&str, &[Entry]); 4] = [
    ("", &[entry(Section::Overview, "Overview", "/", Icon::Overview)]),
    (
        "Send",
        &[
            entry(Section::Applications, "Applications", "/apps", Icon::Applications),
            entry(Section::Endpoints, "Endpoints", "/endpoints", Icon::Endpoints),
            entry(Section::EventTypes, "Event types", "/event-types", Icon::Tag),
            entry(Section::Connectors, "Connectors", "/connectors", Icon::Plug),
        ],
    ),
    (
        "Receive",
        &[
            entry(Section::Sources, "Sources", "/sources", Icon::Sources),
            entry(Section::Consumers, "Consumers", "/consumers", Icon::Queue),
            entry(Section::Inspect, "Inspect", "/inspect", Icon::Inspect),
        ],
    ),
    (
        "Operate",
        &[
            entry(Section::Messages, "Messages", "/messages", Icon::Messages),
            entry(Section::Failures, "Failures", "/failures", Icon::Failures),
            entry(Section::Live, "Live", "/live", Icon::Live),
            entry(Section::Tasks, "Tasks", "/tasks", Icon::Tasks),
            entry(Section::Settings, "Settings", "/settings", Icon::Settings),
        ],
    ),
];

/// The path of the first page, without the prefix of the site.
pub(crate) const fn home(context: &Context) -> &'static str {
    match context.audience {
        crate::site::Audience::Console => "/",
        crate::site::Audience::Portal => "/portal",
    }
}

pub(super) fn sidebar(context: &Context, current: Section) -> Markup {
    html! {
        nav.sidebar #navigation aria-label="Main" {
            a.brand href=(context.link(home(context))) { (brand()) }
            @for (name, entries) in CONSOLE {
                @if !name.is_empty() { h2 { (name) } }
                ul {
                    @for it in entries {
                        li {
                            a href=(context.link(it.path)) aria-current=[(it.section == current).then_some("page")] {
                                (icon(it.shape)) (it.name)
                            }
                        }
                    }
                }
            }
            @if context.shared.settings.has_docs {
                ul.last { li { a href=(context.link("/docs")) { (icon(Icon::Book)) "API documentation" } } }
            }
        }
    }
}

fn brand() -> Markup {
    html! {
        svg.brand-mark viewBox="0 0 24 24" width="22" height="22" aria-hidden="true" {
            path d="M3 6h13l5 6-5 6H3l4-6z" {}
        }
        span.brand-name { "Postrider" }
    }
}

pub(super) fn topbar(context: &Context) -> Markup {
    html! {
        div.topbar {
            a.menu.button.plain href="#navigation" { "Menu" }
            form.search role="search" method="get" action=(context.link("/search")) {
                (icon(Icon::Search))
                input #search name="q" type="search" placeholder="Id, uid or URL" aria-label="Search by id, uid or URL" autocomplete="off" spellcheck="false";
                kbd aria-hidden="true" { "/" }
            }
            div.account {
                (view_button())
                button.plain type="button" popovertarget="account" aria-haspopup="dialog" {
                    (icon(Icon::User)) span.wide-only { (context.viewer.label()) }
                }
            }
        }
    }
}

/// The button that opens the preferences.
pub(super) fn view_button() -> Markup {
    html! {
        button.plain type="button" popovertarget="preferences" aria-haspopup="dialog" {
            (icon(Icon::Half)) span.wide-only { "View" }
        }
    }
}

/// Dialogs that the top bar opens. They are here, after the content, so that the keyboard reaches
/// them only when they are open.
pub(super) fn dialogs(context: &Context) -> Markup {
    html! {
        (preferences(context))
        @if !context.is_portal() {
            (account(context))
            (palette())
        }
        (help(context))
    }
}

fn preferences(context: &Context) -> Markup {
    let own = context.preferences;
    html! {
        div.menu-dialog popover #preferences role="dialog" aria-label="View" {
            form.stack method="post" action=(context.link(if context.is_portal() { "/portal/preferences" } else { "/preferences" })) {
                (csrf(context))
                input type="hidden" name="return_to" value=(context.query.on(&context.path));
                @if context.appearance.is_theme_given {
                    input type="hidden" name="theme" value=(own.theme.name());
                } @else {
                    fieldset {
                        legend { "Theme" }
                        @for theme in Theme::ALL {
                            label.choice {
                                input type="radio" name="theme" value=(theme.name()) checked[theme == own.theme];
                                (match theme { Theme::Auto => "As the system", Theme::Light => "Light", Theme::Dark => "Dark" })
                            }
                        }
                    }
                }
                fieldset {
                    legend { "Times" }
                    @for zone in Zone::ALL {
                        label.choice {
                            input type="radio" name="zone" value=(zone.name()) checked[zone == own.zone];
                            (match zone { Zone::Local => "Local", Zone::Utc => "UTC" })
                        }
                    }
                }
                label.choice {
                    input type="checkbox" name="keys" checked[!own.has_no_keys];
                    "Single-letter keys"
                }
                button type="submit" { "Apply" }
            }
        }
    }
}

fn account(context: &Context) -> Markup {
    let who = context.viewer.who();
    html! {
        div.menu-dialog popover #account role="dialog" aria-label="Account" {
            p { strong { (context.viewer.label()) } }
            p.hint {
                @if let Some(role) = who.role { "Role " (role) " · " }
                "organization " (who.env_id)
            }
            @if !context.may(Action::Operate) {
                p.hint { "You can look at everything, but not change it." }
            }
            form method="post" action=(context.link("/logout")) {
                (csrf(context))
                button.secondary type="submit" { "Sign out" }
            }
        }
    }
}

fn palette() -> Markup {
    html! {
        dialog #palette aria-label="Go to" {
            input #palette-input type="search" placeholder="Go to an application, endpoint, source, message or page" aria-label="Go to" autocomplete="off" spellcheck="false" role="combobox" aria-expanded="true" aria-controls="palette-list";
            div #palette-list role="listbox" aria-label="Matches" {}
        }
    }
}

fn help(context: &Context) -> Markup {
    let keys = [
        ("/", "Search", !context.is_portal()),
        ("Ctrl K", "Go to anything", !context.is_portal()),
        ("j, k", "Next or previous row", true),
        ("Enter", "Open the row", true),
        ("r", "Resend", true),
        ("?", "This list", true),
    ];
    html! {
        dialog #help aria-labelledby="help-title" {
            h2 #help-title { "Keys" }
            dl.keys { @for (key, meaning, _) in keys.iter().filter(|it| it.2) { div { dt { kbd { (key) } } dd { (meaning) } } } }
            form method="dialog" { button.secondary type="submit" { "Close" } }
        }
    }
}
