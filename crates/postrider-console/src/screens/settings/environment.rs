//! The settings of the organization, and its export and import.

use std::sync::Arc;

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{Method, header};
use maud::{Markup, html};
use serde_json::{Map, Value, json};

use super::tabs;
use crate::{
    api::{ApiFailure, v1},
    context::Context,
    failure::Failure,
    form::Form,
    page::{ActionResult, Outcome, Page, PageResult, Tone},
    screens::event_types::validation,
    ui::{self, Field},
    viewer::Action,
};

/// The switches: the name in the API, the label, and what it does.
const SWITCHES: [(&str, &str, &str); 5] = [
    ("enforceHttps", "Endpoints need https", "New URLs of endpoints must begin with https://."),
    (
        "requireEndpointFilterTypes",
        "Endpoints need event types",
        "An endpoint cannot subscribe to all event types.",
    ),
    (
        "requireEndpointChannel",
        "Endpoints need channels",
        "An endpoint cannot subscribe to all channels.",
    ),
    (
        "disableEndpointOnFailure",
        "Disable endpoints that keep failing",
        "After the time that the server’s configuration sets, their deliveries stop until they are enabled again.",
    ),
    (
        "readOnly",
        "Customers can only read",
        "Tokens of applications, and so the portal, can change nothing.",
    ),
];

const LIMIT: &str = "endpointsPerAppLimit";
const VALIDATION: &str = "schemaValidation";

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    let settings = load(&context).await?;
    Ok(view(&context, &filled(&settings), &settings, None))
}

async fn load(context: &Context) -> Result<Map<String, Value>, ApiFailure> {
    context.api.get(v1(&["management", "environment-settings"])).await
}

fn filled(settings: &Map<String, Value>) -> Form {
    let is_on = |name: &str| settings.get(name) == Some(&Value::Bool(true));
    let switches = SWITCHES.iter().filter(|it| is_on(it.0)).map(|it| (it.0, "on".to_owned()));
    let limit = settings.get(LIMIT).and_then(Value::as_u64).map(|it| (LIMIT, it.to_string()));
    let mode = settings.get(VALIDATION).and_then(Value::as_str);
    let mode = mode.map(|it| (VALIDATION, it.to_owned()));
    Form::filled(switches.chain(limit).chain(mode))
}

/// The body that changes the settings.
fn body(form: &Form) -> Value {
    let switches = SWITCHES.iter().map(|it| (it.0.to_owned(), json!(form.has(it.0))));
    let mut body: Map<String, Value> = switches.collect();
    let limit =
        form.text(LIMIT).map(|it| it.parse::<u64>().map_or_else(|_| json!(it), Value::from));
    body.insert(LIMIT.to_owned(), limit.unwrap_or(Value::Null));
    if let Some(mode) = form.text(VALIDATION) {
        body.insert(VALIDATION.to_owned(), mode.into());
    }
    Value::Object(body)
}

pub(super) async fn save(context: Arc<Context>, form: Form) -> ActionResult {
    let path = v1(&["management", "environment-settings"]);
    match context.api.send::<Value>(Method::PATCH, path, &body(&form)).await {
        Ok(_) => Ok(Outcome::done("/settings", "The settings were saved.")),
        Err(error) if error.is_input() => {
            let settings = load(&context).await?;
            Ok(Outcome::again(view(&context, &form, &settings, Some(&error))))
        },
        Err(error) => Err(error.into()),
    }
}

fn view(
    context: &Context,
    form: &Form,
    settings: &Map<String, Value>,
    failure: Option<&ApiFailure>,
) -> Page {
    let is_admin = context.may(Action::Administer);
    tabs::page(context).part(html! {
        section.section.narrow {
            h2 { "Rules for endpoints and customers" }
            p.hint { "Organization " code { (context.viewer.who().env_id) } ". How long messages and payloads are kept, when failed deliveries are repeated, and all limits are in the configuration of the server: " code { "postrider config" } " shows it." }
            @if is_admin { (ui::form(context, "/settings", &fields(form, failure))) }
            @else { (read_only(settings)) }
        }
        @if is_admin { (transfer(context)) }
    })
}

fn fields(form: &Form, failure: Option<&ApiFailure>) -> Markup {
    let names: Vec<_> = SWITCHES.iter().map(|it| it.0).chain([LIMIT, VALIDATION]).collect();
    html! {
        (ui::form::problems(failure, &names))
        @for (name, label, hint) in SWITCHES {
            (Field::new(name, label).sent(form, failure, name).hint(html! { (hint) }).checkbox())
        }
        (Field::new(LIMIT, "Most endpoints of an application").sent(form, failure, LIMIT).kind("number")
            .placeholder("as the server allows").line())
        (Field::new(VALIDATION, validation::LABEL).sent(form, failure, VALIDATION)
            .hint(html! { "Event types can have a setting of their own." }).select(&validation::MODES))
        div { button type="submit" { "Save" } }
    }
}

fn read_only(settings: &Map<String, Value>) -> Markup {
    let facts = SWITCHES.map(|(name, label, _)| {
        let is_on = settings.get(name) == Some(&Value::Bool(true));
        (label, html! { (if is_on { "yes" } else { "no" }) })
    });
    html! {
        (ui::facts(&facts))
        (ui::notice(Tone::Neutral, &html! { "Only the role " strong { (Action::Administer.least_role()) } " can change these settings." }))
    }
}

fn transfer(context: &Context) -> Markup {
    let import = html! {
        (Field::new("environment", "Exported environment").code(4).required()
            .placeholder(r#"{ "eventTypes": […], "settings": {…} }"#)
            .hint(html! { "Event types are created or replaced, and settings changed. Nothing is deleted." }).area())
        div { button.secondary type="submit" { "Import" } }
    };
    html! {
        section.section.narrow {
            h2 { "Copy to another organization" }
            p { "The export contains the event types and these settings, as JSON, for example to bring what was tested to production." }
            div { a.button.secondary href=(context.link("/settings/environment.json")) download="environment.json" { "Export" } }
            (ui::form(context, "/settings/environment", &import))
        }
    }
}

pub(super) async fn export(context: Arc<Context>) -> Result<Response, Failure> {
    let body = Body::from("{}");
    let exported = context.api.call(Method::POST, v1(&["environment", "export"]), body).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"environment.json\""),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, exported).into_response())
}

pub(super) async fn import(context: Arc<Context>, form: Form) -> ActionResult {
    let text = form.text("environment").unwrap_or_default().to_owned();
    let path = v1(&["environment", "import"]);
    match context.api.call(Method::POST, path, Body::from(text)).await {
        Ok(_) => Ok(Outcome::done("/settings", "The environment was imported.")),
        Err(error) if error.is_input() => {
            Ok(Outcome::failed("/settings", format!("Nothing was imported: {error}.")))
        },
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches_that_are_off_are_sent_too() {
        let body =
            body(&Form::parse(b"enforceHttps=on&endpointsPerAppLimit=3&schemaValidation=warn"));
        let expected = json!({
            "enforceHttps": true, "requireEndpointFilterTypes": false,
            "requireEndpointChannel": false, "disableEndpointOnFailure": false,
            "readOnly": false, "endpointsPerAppLimit": 3, "schemaValidation": "warn",
        });
        assert_eq!(body, expected);
    }
}
