//! Saves and removes views of the list, and shows them as tabs.

use std::{sync::Arc, time::Duration};

use maud::{Markup, html};

use super::{
    filter::Filter,
    views::{MAX_NAME, Views},
};
use crate::{
    context::Context,
    cookie,
    form::Form,
    page::{ActionResult, Outcome},
    query::Query,
    response::{append, redirect},
    ui::{self, Field, Icon, form, icon},
};

/// How long views are kept: a year.
const LIFETIME: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Views that everybody has.
const COMMON: [(&str, &str); 3] = [("All", ""), ("Failed", "status=2"), ("Retrying", "status=3")];

/// The views of the person; those of the portal are only the common ones.
fn own(context: &Context) -> Views {
    let transport = context.shared.site.transport();
    let found = cookie::VIEWS.find(&context.headers, transport).filter(|_| !context.is_portal());
    found.map(Views::parse).unwrap_or_default()
}

/// The views as tabs, and what saves or removes one.
pub(super) fn tabs(context: &Context) -> Markup {
    let present = Filter::parameters(&context.query).to_string();
    let own = own(context);
    let saved = own.pairs().iter().map(|it| (it.0.as_str(), it.1.as_str()));
    let all: Vec<_> = COMMON.into_iter().chain(saved).collect();
    let tabs: Vec<_> = all
        .iter()
        .map(|(name, query)| {
            (*name, Query::parse(Some(query)).on(&context.path), *query == present)
        })
        .collect();
    let is_common = COMMON.iter().any(|it| it.1 == present);
    let current = own.pairs().iter().find(|it| it.1 == present);
    html! {
        div.views {
            (ui::tabs(context, "Views", &tabs))
            @if !context.is_portal() && !is_common {
                @match current {
                    Some((name, _)) => (remove(context, name)),
                    None => (save(context, &present)),
                }
            }
        }
    }
}

fn save(context: &Context, present: &str) -> Markup {
    html! {
        button.plain type="button" popovertarget="save-view" aria-haspopup="dialog" { (icon(Icon::Plus)) "Save view" }
        div.dialog popover #save-view role="dialog" aria-labelledby="save-view-title" {
            (form(context, "/messages/views", &html! {
                h2 #save-view-title { "Save this view" }
                (Field::new("name", "Name").required().hint(html! { "The filter is kept in this browser, up to ten of them." }).line())
                (form::hidden(&[("query", present), ("path", &context.path)]))
                div.buttons {
                    button type="submit" { "Save" }
                    button.plain type="button" popovertarget="save-view" popovertargetaction="hide" { "Cancel" }
                }
            }))
        }
    }
}

fn remove(context: &Context, name: &str) -> Markup {
    html! {
        form.inline method="post" action=(context.link("/messages/views")) {
            (form::csrf(context))
            (form::hidden(&[("remove", name), ("path", &context.path)]))
            button.plain type="submit" { "Remove view" }
        }
    }
}

/// Saves or removes a view.
pub(super) async fn change(context: Arc<Context>, form: Form) -> ActionResult {
    let mut views = own(&context);
    let query = Filter::parameters(&Query::parse(form.text("query")));
    let path = form.text("path").filter(|it| is_list(it)).unwrap_or("/messages");
    let mut to = path.to_owned();
    if let Some(name) = form.text("remove") {
        views.remove(name);
    } else {
        let name = form.text("name").map_or("View", |it| it);
        let name: String = name.chars().take(MAX_NAME).collect();
        views.save(&name, &query.to_string());
        to = query.on(path);
    }
    let mut response = redirect(&context.link(&to));
    let transport = context.shared.site.transport();
    append(&mut response, cookie::VIEWS.set(&views.to_text(), Some(LIFETIME), transport));
    Ok(Outcome::Response(Box::new(response)))
}

/// Whether a path is that of a list of messages.
fn is_list(path: &str) -> bool {
    path == "/messages" || (path.starts_with("/apps/") && path.ends_with("/messages"))
}
