//! What the pages of settings have in common.

use maud::html;

use crate::{
    context::Context,
    page::{Page, Section, Tone},
    ui,
    viewer::Action,
};

/// The pages: the name, and the path.
const TABS: [(&str, &str); 7] = [
    ("Organization", "/settings"),
    ("API keys", "/settings/keys"),
    ("Sign-in", "/settings/access"),
    ("Audit log", "/settings/audit"),
    ("Portal theme", "/settings/theme"),
    ("Operational webhooks", "/settings/webhooks"),
    ("Server", "/settings/server"),
];

/// A page of settings, which begins with the tabs.
pub(super) fn page(context: &Context) -> Page {
    let current = TABS.iter().rfind(|it| context.path.starts_with(it.1)).map_or("", |it| it.1);
    let tabs = TABS.map(|(name, path)| (name, path.to_owned(), path == current));
    Page::new(Section::Settings, "Settings").part(ui::tabs(context, "Settings", &tabs))
}

/// The page for a person who may not see it; none if the person may.
pub(super) fn refusal(context: &Context) -> Option<Page> {
    if context.may(Action::Administer) {
        return None;
    }
    let least = Action::Administer.least_role();
    Some(page(context).part(ui::notice(
        Tone::Neutral,
        &html! {
            "Only people and keys with the role " strong { (least) } " can see this. "
            @if let Some(role) = context.viewer.who().role { "Yours is " strong { (role) } "." }
        },
    )))
}
