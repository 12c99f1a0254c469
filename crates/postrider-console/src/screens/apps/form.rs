//! Creating and editing applications.

use std::sync::Arc;

use http::Method;
use maud::{Markup, html};
use postrider::api::ApplicationOut;

use super::body;
use crate::{
    api::v1,
    context::Context,
    form::Form,
    page::{ActionResult, Outcome, Page, PageResult, Section},
    ui::{
        self,
        form::{form, problems},
        refusal::Refusal,
    },
    viewer::Action,
};

/// The fields of the body that the form shows.
const FIELDS: [&str; 5] = ["name", "uid", "throttleRate", "mode", "metadata"];

pub(super) async fn create_page(context: Arc<Context>) -> PageResult {
    context.require(Action::Operate)?;
    Ok(create_form(&context, &Form::default(), &Refusal::default()))
}

fn create_form(context: &Context, sent: &Form, refusal: &Refusal) -> Page {
    Page::new(Section::Applications, "Create an application").crumb("Applications", "/apps").part(
        html! { div.narrow {
            (form(context, "/apps/new", &html! {
                (fields(sent, refusal))
                (ui::submit(context, "Create application", Some("/apps")))
            }))
        } },
    )
}

pub(super) async fn create(context: Arc<Context>, form: Form) -> ActionResult {
    let body = match body::body(&form) {
        Ok(body) => body,
        Err(problem) => return again(create_form(&context, &form, &problem.into())),
    };
    match context.api.post::<ApplicationOut>(v1(&["app"]), &body).await {
        Ok(app) => {
            let path = context.app_path(&app.id.to_string(), &[]);
            Ok(Outcome::done(path, format!("Created the application {}.", app.name)))
        },
        Err(error) if error.is_input() => again(create_form(&context, &form, &error.into())),
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn edit_page(context: Arc<Context>) -> PageResult {
    context.require(Action::Operate)?;
    let app: ApplicationOut = context.api.get(v1(&["app", &context.app()])).await?;
    Ok(edit_form(&context, &app, &body::fields(&app), &Refusal::default()))
}

fn edit_form(context: &Context, app: &ApplicationOut, sent: &Form, refusal: &Refusal) -> Page {
    let id = app.id.to_string();
    let back = context.app_path(&id, &[]);
    Page::new(Section::Applications, format!("Edit {}", app.name))
        .crumb("Applications", "/apps")
        .crumb(&app.name, &back)
        .part(html! { div.narrow {
            (form(context, &context.app_path(&id, &["edit"]), &html! {
                (fields(sent, refusal))
                (ui::submit(context, "Save changes", Some(&back)))
            }))
        } })
}

pub(super) async fn edit(context: Arc<Context>, form: Form) -> ActionResult {
    let path = v1(&["app", &context.app()]);
    let app: ApplicationOut = context.api.get(path.clone()).await?;
    let body = match body::body(&form) {
        Ok(body) => body,
        Err(problem) => return again(edit_form(&context, &app, &form, &problem.into())),
    };
    match context.api.send::<ApplicationOut>(Method::PUT, path, &body).await {
        Ok(app) => Ok(Outcome::done(context.app_path(&app.id.to_string(), &[]), "Saved.")),
        Err(error) if error.is_input() => again(edit_form(&context, &app, &form, &error.into())),
        Err(error) => Err(error.into()),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "it is what actions return")]
fn again(page: Page) -> ActionResult {
    Ok(Outcome::again(page))
}

fn fields(sent: &Form, refusal: &Refusal) -> Markup {
    let field = |name, label, path| refusal.field(sent, name, label, path);
    html! {
        (problems(refusal.failure.as_ref(), &FIELDS))
        (field("name", "Name", "name").required().hint(html! { "Shown in the console and in lists of the API." }).line())
        (field("uid", "Uid", "uid").code(1).placeholder("acme").hint(html! {
            "Your own identifier for this customer. The API accepts it wherever it accepts the id."
        }).line())
        (field("rate", "Rate limit", "throttleRate").kind("number").hint(html! {
            "Maximum number of attempts per second to all endpoints of the application together. No limit if empty."
        }).line())
        (field("mode", "Messages", "mode").hint(html! {
            "In shadow mode, attempts record the signed requests, so that you can compare them with those of another system."
        }).select(&[("live", "Are sent"), ("shadow", "Shadow mode: are recorded, and not sent")]))
        (field("metadata", "Metadata", "metadata").code(4).placeholder("plan=team").hint(html! {
            "One " code { "key=value" } " per line, stored and returned unchanged."
        }).area())
    }
}
