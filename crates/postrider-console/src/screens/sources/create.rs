//! Creating a source.

use std::sync::Arc;

use http::Method;
use maud::html;
use postrider::{
    api::{ApplicationOut, IngestSourceOut, ListResponse},
    provider::{self, Provider},
};

use super::{
    body,
    form::{SHOWN, SourceForm},
    load::{path, provider_name},
    setup,
};
use crate::{
    api::{ApiFailure, ingest, v1},
    context::Context,
    failure::Failure,
    form::Form,
    page::{ActionResult, Outcome, Page, PageResult, Section},
    site::join,
    ui,
};

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    let kind = kind(&context)?;
    let name = if provider::find(kind).is_some() { provider_name(kind) } else { String::new() };
    view(&context, &Form::filled([("name", name)]), None).await
}

pub(super) async fn create(context: Arc<Context>, form: Form) -> ActionResult {
    let kind = kind(&context)?;
    let body = body::creation(&form, kind, provider::find(kind));
    let created = context.api.send::<IngestSourceOut>(Method::POST, ingest(&["source"]), &body);
    match created.await {
        Ok(source) => Ok(Outcome::done(
            path(&source.id.to_string(), &[]),
            "The source was created. Enter its URL at the provider.",
        )),
        Err(error) if error.is_input() => {
            Ok(Outcome::again(view(&context, &form, Some(&error)).await?))
        },
        Err(error) => Err(error.into()),
    }
}

/// The provider of the path, if it exists.
fn kind(context: &Context) -> Result<&str, Failure> {
    let kind = context.param("provider");
    let exists = ["custom", "generic-webhook"].contains(&kind) || provider::find(kind).is_some();
    if exists { Ok(kind) } else { Err(Failure::NotFound("this provider")) }
}

async fn view(context: &Context, sent: &Form, failure: Option<&ApiFailure>) -> PageResult {
    let kind = kind(context)?;
    let provider = provider::find(kind);
    let applications = v1(&["app"]).with("limit", 250);
    let applications: ListResponse<ApplicationOut> = context.api.get(applications).await?;
    let applications = &applications.data[..];
    let fields = SourceForm { kind, provider, source: None, applications, sent, failure };
    let title = format!("Create source: {}", provider_name(kind));
    let page = Page::new(Section::Sources, title)
        .crumb("Sources", "/sources")
        .crumb("Choose a provider", "/sources/new");
    let form = html! {
        (ui::form::problems(failure, &SHOWN))
        (fields.fields())
        (ui::submit(context, "Create source", Some("/sources/new")))
    };
    Ok(page.part(html! {
        div.split {
            (ui::form(context, &join(&["sources", "new", kind]), &form))
            @if let Some(provider) = provider { (about(provider)) }
        }
    }))
}

fn about(provider: &Provider) -> maud::Markup {
    html! {
        aside.card aria-label={ "About " (provider.name) } {
            h2 { "About " (provider.name) }
            (setup::about(provider))
        }
    }
}
