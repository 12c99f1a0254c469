//! Creating a connector.

use std::sync::Arc;

use maud::html;
use postrider::api::{
    ListResponse,
    connector::{ConnectorKind, ConnectorOut, ConnectorTemplateOut},
};

use super::fields::{self, kind_name};
use crate::{
    api::{ApiFailure, v1},
    context::Context,
    failure::Failure,
    form::Form,
    page::{ActionResult, Outcome, Page, PageResult, Section},
    site::join,
    ui,
    viewer::Action,
};

/// Chooses a template.
pub(super) async fn choose(context: Arc<Context>) -> PageResult {
    context.require(Action::Operate)?;
    let mut templates = read(&context).await?;
    templates.sort_by_key(|it| it.kind != ConnectorKind::Custom);
    let page =
        Page::new(Section::Connectors, "Create connector").crumb("Connectors", "/connectors");
    Ok(page.lead(html! { "Which service do the messages go to?" }).part(html! {
        ul.providers.wide {
            @for it in &templates {
                li.provider {
                    a href=(context.link(&join(&["connectors", "new", &kind_name(it.kind)]))) {
                        @if it.kind == ConnectorKind::Custom { "Your own code" } @else { (it.name) }
                    }
                    p.hint { (it.description) }
                }
            }
        }
    }))
}

async fn read(context: &Context) -> Result<Vec<ConnectorTemplateOut>, ApiFailure> {
    let path = v1(&["connector-template"]);
    let found: ListResponse<ConnectorTemplateOut> = context.api.get(path).await?;
    Ok(found.data)
}

async fn template(context: &Context) -> Result<ConnectorTemplateOut, Failure> {
    let kind = context.param("kind");
    let found = read(context).await?.into_iter().find(|it| kind_name(it.kind) == kind);
    found.ok_or(Failure::NotFound("this template"))
}

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    context.require(Action::Operate)?;
    let template = template(&context).await?;
    Ok(view(&context, &template, &fields::of_template(&template), None))
}

pub(super) async fn create(context: Arc<Context>, form: Form) -> ActionResult {
    let template = template(&context).await?;
    let body = fields::creation(&form, template.kind);
    match context.api.post::<ConnectorOut>(v1(&["connector"]), &body).await {
        Ok(created) => Ok(Outcome::done(
            join(&["connectors", &created.id.to_string()]),
            "The connector has been created. Endpoints can start from it now.",
        )),
        Err(error) if error.is_input() => {
            Ok(Outcome::again(view(&context, &template, &form, Some(&error))))
        },
        Err(error) => Err(error.into()),
    }
}

fn view(
    context: &Context,
    template: &ConnectorTemplateOut,
    sent: &Form,
    failure: Option<&ApiFailure>,
) -> Page {
    let path = join(&["connectors", "new", &kind_name(template.kind)]);
    let content = html! {
        (fields::fields(sent, failure, true))
        (ui::submit(context, "Create connector", Some("/connectors/new")))
    };
    Page::new(Section::Connectors, format!("Create connector: {}", template.name))
        .crumb("Connectors", "/connectors")
        .crumb("Choose a template", "/connectors/new")
        .part(html! { div.editor { (ui::form(context, &path, &content)) } })
}
