//! The settings of an endpoint, and its deletion.

use std::sync::Arc;

use http::Method;
use maud::{Markup, html};
use postrider::api::EndpointOut;

use super::{
    body, event_types,
    fields::Shown,
    subject::{Subject, Tab, pending},
};
use crate::{
    api::ApiFailure,
    context::Context,
    failure::Failure,
    form::Form,
    page::{ActionResult, Outcome, Page, PageResult},
    ui::{self, Icon},
    viewer::Action,
};

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    let subject = Subject::read(&context).await?;
    let fields = body::filled(&subject.endpoint);
    let form = Form::filled(fields.iter().map(|(name, value)| (name.as_str(), value.clone())));
    show(&context, &subject, &form, None).await
}

/// Changes the settings.
pub(super) async fn save(context: Arc<Context>, form: Form) -> ActionResult {
    let subject = Subject::read(&context).await?;
    let body = body::change(&subject.endpoint, &form);
    let path = subject.api(&[]).and("check", form.has("check").then_some(true));
    match context.api.send::<EndpointOut>(Method::PATCH, path, &body).await {
        Ok(_) => Ok(Outcome::done(subject.path(&context, &[]), "The settings have been saved.")),
        Err(error) if error.is_input() => {
            Ok(Outcome::again(show(&context, &subject, &form, Some(&error)).await?))
        },
        Err(error) => Err(error.into()),
    }
}

/// Deletes the endpoint.
pub(super) async fn delete(context: Arc<Context>, _: Form) -> ActionResult {
    let subject = Subject::read(&context).await?;
    context.api.delete(subject.api(&[])).await?;
    let list = context.app_path(&subject.app, &["endpoints"]);
    Ok(Outcome::done(list, format!("The endpoint {} has been deleted.", subject.name())))
}

async fn show(
    context: &Context,
    subject: &Subject,
    form: &Form,
    failure: Option<&ApiFailure>,
) -> Result<Page, Failure> {
    let event_types = event_types::read(context).await?;
    let stored = subject.endpoint.config.as_ref().map(|it| &it.0);
    let kind = subject.endpoint.kind;
    let shown = Shown { kind, form, failure, event_types: &event_types, stored, is_new: false };
    let content = html! {
        (shown.fields())
        (ui::Field::new("check", "Save only if the endpoint can be reached now").sent(form, failure, "check").checkbox())
        (ui::submit(context, "Save", Some(&subject.path(context, &[]))))
    };
    let path = subject.path(context, &["settings"]);
    let page = subject.page(context, Tab::Settings);
    Ok(page.part(html! {
        div.narrow.endpoint-form { (ui::form(context, &path, &content)) }
        @if context.may(Action::ManageEndpoints) { (deletion(context, subject)) }
    }))
}

fn deletion(context: &Context, subject: &Subject) -> Markup {
    let confirm = ui::form::Confirm {
        id: "delete",
        button: "Delete endpoint",
        shape: Icon::Cross,
        title: "Delete this endpoint?",
        submit: "Delete endpoint",
        path: &subject.path(context, &["delete"]),
        is_dangerous: true,
    };
    html! {
        section.section.narrow.danger-zone {
            h2 { "Delete" }
            p.soft { "To stop messages for a while, disable the endpoint instead." }
            div { (ui::confirm(context, &confirm, &html! {
                p { strong { (subject.title()) } " gets no more messages. Its " (pending(&subject.state)) " are cancelled, and its signing secret is lost." }
                p { "This cannot be undone." }
            })) }
        }
    }
}
