//! Changing and deleting a connector.

use std::sync::Arc;

use http::Method;
use maud::{Markup, html};
use postrider::api::connector::ConnectorOut;

use super::fields;
use crate::{
    api::{ApiFailure, v1},
    context::Context,
    form::Form,
    page::{ActionResult, Outcome, Page, PageResult, Section},
    site::join,
    ui::{self, Icon, form::Confirm, icon},
    viewer::Action,
};

fn path(id: &str, rest: &[&str]) -> String {
    join(&[&["connectors", id], rest].concat())
}

/// The buttons of a connector's page.
pub(super) fn actions(context: &Context, it: &ConnectorOut) -> Markup {
    let id = it.id.to_string();
    let confirm = Confirm {
        id: "delete-connector",
        button: "Delete",
        shape: Icon::Cross,
        title: &format!("Delete {}?", it.name),
        submit: "Delete connector",
        path: &path(&id, &["delete"]),
        is_dangerous: true,
    };
    let text =
        html! { p { "Endpoints that started from it keep their code. This cannot be undone." } };
    html! {
        (ui::confirm(context, &confirm, &text))
        a.button href=(context.link(&path(&id, &["edit"]))) { (icon(Icon::Settings)) "Edit" }
    }
}

async fn read(context: &Context) -> Result<ConnectorOut, ApiFailure> {
    context.api.get(v1(&["connector", context.param("connector")])).await
}

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    context.require(Action::Operate)?;
    let it = read(&context).await?;
    Ok(view(&context, &it, &fields::filled(&it), None))
}

pub(super) async fn save(context: Arc<Context>, form: Form) -> ActionResult {
    let it = read(&context).await?;
    let id = it.id.to_string();
    let body = fields::change(&form);
    match context.api.send::<ConnectorOut>(Method::PATCH, v1(&["connector", &id]), &body).await {
        Ok(_) => Ok(Outcome::done(path(&id, &[]), "The connector has been saved.")),
        Err(error) if error.is_input() => {
            Ok(Outcome::again(view(&context, &it, &form, Some(&error))))
        },
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn delete(context: Arc<Context>, _: Form) -> ActionResult {
    context.api.delete(v1(&["connector", context.param("connector")])).await?;
    Ok(Outcome::done("/connectors", "The connector has been deleted."))
}

fn view(context: &Context, it: &ConnectorOut, sent: &Form, failure: Option<&ApiFailure>) -> Page {
    let id = it.id.to_string();
    let content = html! {
        (fields::fields(sent, failure, false))
        (ui::submit(context, "Save changes", Some(&path(&id, &[]))))
    };
    Page::new(Section::Connectors, format!("Edit {}", it.name))
        .crumb("Connectors", "/connectors")
        .crumb(it.name.clone(), path(&id, &[]))
        .part(html! { div.editor { (ui::form(context, &path(&id, &["edit"]), &content)) } })
}
