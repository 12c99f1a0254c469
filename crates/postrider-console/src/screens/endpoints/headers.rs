//! The headers that every request to an endpoint has.

use std::{collections::BTreeMap, sync::Arc};

use http::Method;
use maud::{Markup, html};
use postrider::api::{EndpointHeadersOut, EndpointHeadersPatchIn};

use super::subject::{Subject, Tab};
use crate::{
    api::ApiFailure,
    context::Context,
    failure::Failure,
    form::Form,
    page::{ActionResult, Outcome, Page, PageResult},
    ui::{self, Field, Icon},
    viewer::Action,
};

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    let subject = Subject::read(&context).await?;
    show(&context, &subject, &Form::default(), None).await
}

/// Adds a header, or replaces its value.
pub(super) async fn set(context: Arc<Context>, form: Form) -> ActionResult {
    let subject = Subject::read(&context).await?;
    let name = form.text("name").unwrap_or_default().to_owned();
    let value = form.text("value").unwrap_or_default().to_owned();
    match patch(&context, &subject, name.clone(), Some(value)).await {
        Ok(()) => {
            let path = subject.path(&context, &["headers"]);
            Ok(Outcome::done(path, format!("Requests now have the header {name}.")))
        },
        Err(error) if error.is_input() => {
            Ok(Outcome::again(show(&context, &subject, &form, Some(&error)).await?))
        },
        Err(error) => Err(error.into()),
    }
}

/// Removes a header.
pub(super) async fn remove(context: Arc<Context>, form: Form) -> ActionResult {
    let subject = Subject::read(&context).await?;
    let name = form.text("name").unwrap_or_default();
    patch(&context, &subject, name.to_owned(), None).await?;
    let path = subject.path(&context, &["headers"]);
    Ok(Outcome::done(path, format!("The header {name} has been removed.")))
}

async fn patch(
    context: &Context,
    subject: &Subject,
    name: String,
    value: Option<String>,
) -> Result<(), ApiFailure> {
    let headers = BTreeMap::from([(name, value)]);
    let body = EndpointHeadersPatchIn { headers, delete_headers: Vec::new() };
    context.api.send(Method::PATCH, subject.api(&["headers"]), &body).await
}

async fn show(
    context: &Context,
    subject: &Subject,
    form: &Form,
    failure: Option<&ApiFailure>,
) -> Result<Page, Failure> {
    let headers: EndpointHeadersOut = context.api.get(subject.api(&["headers"])).await?;
    let page = subject.page(context, Tab::Headers).part(list(context, subject, &headers));
    if !context.may(Action::ManageEndpoints) {
        return Ok(page);
    }
    Ok(page.part(addition(context, subject, form, failure)))
}

fn list(context: &Context, subject: &Subject, headers: &EndpointHeadersOut) -> Markup {
    let shown = headers.headers.iter().map(|(name, value)| (name, Some(value)));
    let all: BTreeMap<_, _> = shown.chain(headers.sensitive.iter().map(|it| (it, None))).collect();
    if all.is_empty() {
        return ui::empty(
            "No headers",
            &html! {
                p { "Requests have the headers of Standard Webhooks (webhook-id, webhook-timestamp, webhook-signature). Add headers that the receiver requires, such as an API key." }
            },
        );
    }
    let may = context.may(Action::ManageEndpoints);
    let path = subject.path(context, &["headers", "remove"]);
    ui::table(
        "Headers",
        &["Name", "Value", ""],
        &html! {
            @for (name, value) in all {
                tr {
                    td { code { (name) } }
                    td {
                        @match value {
                            Some(value) => code { (value) },
                            None => span.soft { "•••••••• (hidden, because it usually is a credential)" },
                        }
                    }
                    td.actions-cell {
                        @if may { (ui::action_button(context, &path, (Icon::Cross, "Remove"), &[("name", name)])) }
                    }
                }
            }
        },
    )
}

fn addition(
    context: &Context,
    subject: &Subject,
    form: &Form,
    failure: Option<&ApiFailure>,
) -> Markup {
    // The API names the header in the location of a problem.
    let problem = failure.and_then(|it| it.of_field("headers"));
    let content = html! {
        (ui::form::problems(failure, &["headers"]))
        div.two {
            (Field::new("name", "Name").placeholder("X-Api-Key").required().sent(form, None, "").problem(problem).line())
            (Field::new("value", "Value").required().sent(form, None, "").line())
        }
        (ui::submit(context, "Save header", None))
    };
    html! {
        section.section.narrow {
            h2 { "Add or replace a header" }
            (ui::form(context, &subject.path(context, &["headers"]), &content))
        }
    }
}
