//! The list of applications.

use std::{sync::Arc, time::Duration};

use maud::{Markup, html};

use super::{
    find::{Found, find},
    rows,
};
use crate::{
    context::Context,
    page::{Page, PageResult, Refresh, Section},
    ui::{self, Field, Icon, icon},
    viewer::Action,
};

/// The list reads every row separately, so it is not repeated with every event.
const REFRESH: Duration = Duration::from_secs(30);

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    let found = find(&context.api, &context.query).await?;
    let rows = rows::rows(&context, &found.apps).await;
    let refresh =
        if context.query.text("q").is_some() { Refresh::Never } else { Refresh::Every(REFRESH) };
    let page = Page::new(Section::Applications, "Applications");
    let page = if context.may(Action::Operate) { page.actions(create(&context)) } else { page };
    let list = html! {
        @if rows.is_empty() { (nothing(&context, &found)) } @else { (rows::table(&context, &rows)) }
        @if let Some(searched) = found.searched {
            p.hint { "Searched " (ui::plural(searched, "application")) "; there are more." }
        }
        (ui::pages(&context, found.iterator.as_deref(), found.done))
    };
    Ok(page.part(filters(&context)).live("apps", list).refresh(refresh))
}

fn create(context: &Context) -> Markup {
    html! { a.button href=(context.link("/apps/new")) { (icon(Icon::Plus)) "Create application" } }
}

fn filters(context: &Context) -> Markup {
    let value = |name| context.query.text(name).unwrap_or_default();
    let shown =
        [("", "All"), ("receiving", "With endpoints"), ("failing", "With failing endpoints")];
    let orders = [("", "Oldest first"), ("descending", "Newest first")];
    let text = Field::new("q", "Search").value(value("q")).placeholder("Name, uid, id or metadata");
    ui::filters(
        context,
        &html! {
            div.field.wide { (text.kind("search").line()) }
            (Field::new("show", "Show").value(value("show")).select(&shown))
            (Field::new("order", "Order").value(value("order")).select(&orders))
        },
    )
}

fn nothing(context: &Context, found: &Found) -> Markup {
    if let Some(text) = context.query.text("q") {
        let title = if found.done { "No application matches" } else { "No match so far" };
        return ui::empty(
            title,
            &html! {
                p { "No name, uid, id or metadata contains “" (text) "”." }
            },
        );
    }
    if context.query.text("show") == Some("failing") {
        return ui::empty(
            "No application has a failing endpoint",
            &html! {
                p { "An endpoint is failing from its first failed attempt until the next successful one." }
            },
        );
    }
    ui::empty(
        "No applications yet",
        &html! {
            p { "An application is one of your customers. Its endpoints receive the messages that you publish for it." }
            @if context.may(Action::Operate) { (create(context)) }
            (ui::code::block("Command line", "postrider app create name=Acme uid=acme"))
        },
    )
}
