//! Operational webhooks: endpoints that learn what happens to the organization's endpoints.

use std::sync::Arc;

use http::Method;
use maud::{Markup, html};
use postrider::api::{EndpointOut, EndpointSecretOut, ListResponse, OperationalEvent};
use serde_json::{Value, json};

use super::tabs;
use crate::{
    api::{ApiFailure, v1},
    context::Context,
    form::Form,
    page::{ActionResult, Outcome, Page, PageResult},
    site::join,
    ui::{self, Field, Icon, code, form::Confirm},
    viewer::Action,
};

/// What the page shows.
struct Shown {
    endpoints: ListResponse<EndpointOut>,
    /// The endpoint that the URL names, with its secret.
    revealed: Option<(String, EndpointSecretOut)>,
}

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    let shown = load(&context).await?;
    Ok(view(&context, &shown, &Form::default(), None))
}

/// Reading a secret is audited, so it is read only if the URL says so.
async fn load(context: &Context) -> Result<Shown, ApiFailure> {
    let path = v1(&["operational-webhook", "endpoint"]).with("limit", 50);
    let endpoints = context.api.get(path.and("iterator", context.query.text("iterator"))).await?;
    let revealed = match context.query.text("reveal") {
        Some(id) => {
            let path = v1(&["operational-webhook", "endpoint", id, "secret"]);
            context.api.find(path).await?.map(|secret| (id.to_owned(), secret))
        },
        None => None,
    };
    Ok(Shown { endpoints, revealed })
}

pub(super) async fn create(context: Arc<Context>, form: Form) -> ActionResult {
    let path = v1(&["operational-webhook", "endpoint"]);
    match context.api.send::<EndpointOut>(Method::POST, path, &body(&form)).await {
        Ok(_) => Ok(Outcome::done("/settings/webhooks", "The endpoint was created.")),
        Err(error) if error.is_input() => {
            let shown = load(&context).await?;
            Ok(Outcome::again(view(&context, &shown, &form, Some(&error))))
        },
        Err(error) => Err(error.into()),
    }
}

fn body(form: &Form) -> Value {
    let types: Vec<_> = form.all("events").collect();
    json!({
        "url": form.text("url").unwrap_or_default(),
        "description": form.text("description").unwrap_or_default(),
        "eventTypes": if types.is_empty() { Value::Null } else { json!(types) },
    })
}

pub(super) async fn delete(context: Arc<Context>, _: Form) -> ActionResult {
    let path = v1(&["operational-webhook", "endpoint", context.param("endpoint")]);
    context.api.delete(path).await?;
    Ok(Outcome::done("/settings/webhooks", "The endpoint was deleted."))
}

fn view(context: &Context, shown: &Shown, form: &Form, failure: Option<&ApiFailure>) -> Page {
    tabs::page(context).part(html! {
        p.narrow { "Operational webhooks tell your own systems what happens here: an endpoint was disabled, a message could not be delivered. They are signed and repeated like all others." }
        div.split {
            section.section {
                h2 { "Endpoints" }
                (list(context, shown))
            }
            @if context.may(Action::ManageEndpoints) {
                section.card {
                    h2 { "Create an endpoint" }
                    (ui::form(context, "/settings/webhooks", &fields(form, failure)))
                }
            }
        }
    })
}

fn fields(form: &Form, failure: Option<&ApiFailure>) -> Markup {
    html! {
        (ui::form::problems(failure, &["url", "description"]))
        (Field::new("url", "URL").sent(form, failure, "url").kind("url").code(1).required().placeholder("https://example.com/postrider").line())
        (Field::new("description", "Description").sent(form, failure, "description").line())
        fieldset {
            legend { "Events" }
            p.hint { "All if none is checked." }
            @for name in OperationalEvent::NAMES {
                label.choice {
                    input type="checkbox" name="events" value=(name) checked[form.all("events").any(|it| it == name)];
                    code { (name) }
                }
            }
        }
        div { button type="submit" { "Create endpoint" } }
    }
}

fn list(context: &Context, shown: &Shown) -> Markup {
    let Shown { endpoints, revealed } = shown;
    if endpoints.data.is_empty() {
        return ui::empty(
            "No endpoints",
            &html! { p { "Create one, for example to be notified when an endpoint of a customer was disabled." } },
        );
    }
    html! {
        @if let Some((id, secret)) = revealed {
            (code::block(&format!("Secret of {id}"), &secret.key))
        }
        (ui::table("Endpoints of operational webhooks", &["URL", "Events", ""], &html! {
            @for it in &endpoints.data { (line(context, it)) }
        }))
        (ui::pages(context, endpoints.iterator.as_deref(), endpoints.done))
    }
}

fn line(context: &Context, it: &EndpointOut) -> Markup {
    let id = it.id.to_string();
    let types = it.event_types.0.as_deref().unwrap_or_default();
    let confirm = Confirm {
        id: &format!("delete-{id}"),
        button: "Delete",
        shape: Icon::Cross,
        title: "Delete this endpoint?",
        submit: "Delete endpoint",
        path: &join(&["settings", "webhooks", &id, "delete"]),
        is_dangerous: true,
    };
    html! {
        tr {
            td { (it.url) @if !it.description.is_empty() { small { (it.description) } } }
            td { @if types.is_empty() { span.soft { "all" } } @else { @for it in types { code { (it) } br; } } }
            td.actions-cell {
                div.buttons.end {
                    @if context.may(Action::ReadSecret) {
                        a.button.secondary href=(context.link(&format!("/settings/webhooks?reveal={id}"))) { "Show secret" }
                    }
                    @if context.may(Action::ManageEndpoints) {
                        (ui::confirm(context, &confirm, &html! { p { "Its pending deliveries are cancelled. This cannot be undone." } }))
                    }
                }
            }
        }
    }
}
