//! Sending the example of an event type to an endpoint.

use std::sync::Arc;

use maud::{Markup, html};
use postrider::api::{
    ApplicationOut, EndpointOut, EventExampleIn, EventTypeOut, ListResponse, MessageOut,
};

use super::{catalog::path, versions::Versions};
use crate::{
    api::{ApiFailure, v1},
    context::Context,
    form::Form,
    page::{ActionResult, Outcome, Page, PageResult, Section, Tone},
    ui::{
        self, Field, code,
        form::{form, hidden, problems},
    },
    viewer::Action,
};

/// Most applications and endpoints that are offered.
const MAX_OFFERED: u64 = 250;

/// What the page is about: the event type, and an application with its endpoints, if one is chosen.
struct Subject {
    event_type: EventTypeOut,
    apps: Vec<ApplicationOut>,
    chosen: Option<(ApplicationOut, Vec<EndpointOut>)>,
}

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    context.require(Action::CreateAttempts)?;
    let subject = subject(&context, context.query.text("app")).await?;
    Ok(view(&context, &subject, None))
}

async fn subject(context: &Context, app: Option<&str>) -> Result<Subject, ApiFailure> {
    let apps = v1(&["app"]).with("limit", MAX_OFFERED).with("exclude_apps_with_no_endpoints", true);
    let (event_type, apps) = tokio::try_join!(
        context.api.get(v1(&["event-type", context.param("name")])),
        context.api.get::<ListResponse<_>>(apps),
    )?;
    let chosen = match app {
        Some(app) => chosen(context, app).await?,
        None => None,
    };
    Ok(Subject { event_type, apps: apps.data, chosen })
}

async fn chosen(
    context: &Context,
    app: &str,
) -> Result<Option<(ApplicationOut, Vec<EndpointOut>)>, ApiFailure> {
    let Some(app) = context.api.find::<ApplicationOut>(v1(&["app", app])).await? else {
        return Ok(None);
    };
    let endpoints = v1(&["app", &app.id.to_string(), "endpoint"]).with("limit", MAX_OFFERED);
    let endpoints: ListResponse<EndpointOut> = context.api.get(endpoints).await?;
    let endpoints = endpoints.data.into_iter().filter(|it| !it.disabled).collect();
    Ok(Some((app, endpoints)))
}

fn view(context: &Context, subject: &Subject, failure: Option<&ApiFailure>) -> Page {
    let name = subject.event_type.name.as_str();
    Page::new(Section::EventTypes, "Send an example")
        .crumb("Event types", path(context, &[]))
        .crumb(name, path(context, &[name]))
        .part(html! {
            div.narrow.stack {
                (choice(context, subject))
                @match &subject.chosen {
                    Some((app, endpoints)) => { (target(context, subject, app, endpoints, failure)) },
                    None => { @if context.query.text("app").is_some() {
                        (ui::notice(Tone::Bad, &html! { "No application has this id or uid." }))
                    } },
                }
            }
        })
}

fn choice(context: &Context, subject: &Subject) -> Markup {
    let chosen = subject.chosen.as_ref().map(|it| identifier(&it.0));
    let value = chosen.or_else(|| context.query.text("app").map(ToOwned::to_owned));
    let field =
        Field::new("app", "Application").value(value.unwrap_or_default()).code(1).list("apps");
    html! {
        form.filters method="get" action=(context.link(&context.path)) {
            div.field.wide { (field.placeholder("Id or uid").required().line()) }
            datalist #apps { @for app in &subject.apps { option value=(identifier(app)) { (app.name) } } }
            button.secondary type="submit" { "Choose endpoint" }
        }
    }
}

fn identifier(app: &ApplicationOut) -> String {
    app.uid.as_ref().map_or_else(|| app.id.to_string(), ToString::to_string)
}

fn target(
    context: &Context,
    subject: &Subject,
    app: &ApplicationOut,
    endpoints: &[EndpointOut],
    failure: Option<&ApiFailure>,
) -> Markup {
    let id = app.id.to_string();
    if endpoints.is_empty() {
        return ui::empty(
            "This application has no enabled endpoint",
            &html! {
                a.button.secondary href=(context.link(&context.app_path(&id, &["endpoints", "new"]))) { "Add endpoint" }
            },
        );
    }
    let ids: Vec<_> = endpoints.iter().map(|it| (it.id.to_string(), it.url.as_str())).collect();
    let options: Vec<_> = ids.iter().map(|(id, url)| (id.as_str(), *url)).collect();
    let name = subject.event_type.name.as_str();
    let example = Versions::of(&subject.event_type).example();
    form(
        context,
        &path(context, &[name, "send"]),
        &html! {
            (hidden(&[("app", &id)]))
            (problems(failure, &[]))
            (Field::new("endpoint", "Endpoint").hint(html! {
                "It receives the example even if it does not subscribe to " code { (name) } ". Other endpoints do not."
            }).select(&options))
            @match example {
                Some(example) => { (code::json("Payload", &example, None)) (ui::submit(context, "Send example", Some(&path(context, &[name])))) },
                None => { (ui::notice(Tone::Warning, &html! {
                    "The event type has no schema with an example. "
                    (ui::link(context, &format!("{}?type={name}", context.app_path(&id, &["send"])), "Send a message instead")) "."
                })) },
            }
        },
    )
}

pub(super) async fn send(context: Arc<Context>, form: Form) -> ActionResult {
    let name = context.param("name");
    let (app, endpoint) =
        (form.text("app").unwrap_or_default(), form.text("endpoint").unwrap_or_default());
    let body = EventExampleIn { event_type: name.to_owned(), example_index: None, payload: None };
    let api_path = v1(&["app", app, "endpoint", endpoint, "send-example"]);
    match context.api.post::<MessageOut>(api_path, &body).await {
        Ok(message) => {
            let path = context.app_path(app, &["messages", &message.id.to_string()]);
            Ok(Outcome::done(path, format!("Sent an example of {name}.")))
        },
        Err(error) if error.is_input() => {
            let subject = subject(&context, Some(app)).await?;
            Ok(Outcome::again(view(&context, &subject, Some(&error))))
        },
        Err(error) => Err(error.into()),
    }
}
