//! Creating an endpoint: the choice of its kind, and its form.

use std::sync::Arc;

use http::StatusCode;
use maud::{Markup, html};
use postrider::{
    ConnectorId,
    api::{EndpointKind, EndpointOut},
};

use super::{body, event_types, fields::Shown, kinds, shaping, subject};
use crate::{
    api::{ApiFailure, v1},
    context::Context,
    failure::Failure,
    form::Form,
    page::{ActionResult, Outcome, Page, PageResult},
    ui::{self, Field},
};

/// The choice of the kind.
pub(super) async fn kinds(context: Arc<Context>) -> PageResult {
    let app = context.app();
    let name = subject::app_name(&context, &app).await?;
    let page = subject::above(&context, &app, name.as_deref(), "Create an endpoint");
    let path = |kind: EndpointKind| context.app_path(&app, &["endpoints", "new", kind.name()]);
    Ok(page.part(html! {
        p.soft { "Where do messages go? The kind of an endpoint cannot be changed later." }
        ul.kind-cards.first { (card(&context, &path(EndpointKind::Http), EndpointKind::Http)) }
        @for (group, kinds) in kinds::GROUPS {
            section.section {
                h2 { (group) }
                ul.kind-cards { @for kind in kinds { (card(&context, &path(*kind), *kind)) } }
            }
        }
    }))
}

fn card(context: &Context, path: &str, kind: EndpointKind) -> Markup {
    let form = kinds::form(kind);
    html! {
        li { a href=(context.link(path)) {
            strong { (form.title) @if kind.is_http() { span.badge.neutral { "Default" } } }
            span { (form.summary) }
        } }
    }
}

/// The form of a kind.
pub(super) async fn page(context: Arc<Context>) -> PageResult {
    let kind = context.id::<EndpointKind>("kind")?;
    let fields = body::empty(kind);
    let form = Form::filled(fields.iter().map(|(name, value)| (name.as_str(), value.clone())));
    show(&context, kind, &form, None).await
}

/// Creates the endpoint.
pub(super) async fn create(context: Arc<Context>, form: Form) -> ActionResult {
    let kind = context.id::<EndpointKind>("kind")?;
    let app = context.app();
    let path = v1(&["app", &app, "endpoint"]).and("check", form.has("check").then_some(true));
    match context.api.post::<EndpointOut>(path, &body::create(kind, &form)).await {
        Ok(created) => {
            let path = context.app_path(&app, &["endpoints", &created.id.to_string()]);
            Ok(created_at(&path, kind, form.text("connector")))
        },
        Err(error) if error.is_input() => {
            Ok(Outcome::again(show(&context, kind, &form, Some(&error)).await?))
        },
        Err(error) => Err(error.into()),
    }
}

/// The page of a new endpoint, or the one where the person continues.
fn created_at(path: &str, kind: EndpointKind, connector: Option<&str>) -> Outcome {
    if kind == EndpointKind::Polling {
        return Outcome::done(
            format!("{path}/polling"),
            "The endpoint has been created. Clients can poll it.",
        );
    }
    match connector.and_then(|it| it.parse::<ConnectorId>().ok()) {
        Some(connector) => Outcome::done(
            format!("{path}/filter?from={connector}"),
            "The endpoint has been created. Its connector is used when you save the transformation.",
        ),
        None => Outcome::done(
            path,
            "The endpoint has been created. Send a test to see how the receiver responds.",
        ),
    }
}

fn connector_field(form: &Form, connectors: &[(String, String)]) -> Markup {
    let named = connectors.iter().map(|(id, name)| (id.as_str(), name.as_str()));
    let options: Vec<_> = std::iter::once(("", "None")).chain(named).collect();
    let field = Field::new("connector", "Connector").sent(form, None, "");
    field
        .hint(html! { "Code that makes of each message what a service expects. You can look at it before it is used." })
        .select(&options)
}

async fn show(
    context: &Context,
    kind: EndpointKind,
    form: &Form,
    failure: Option<&ApiFailure>,
) -> Result<Page, Failure> {
    let app = context.app();
    let (name, event_types, connectors) = tokio::try_join!(
        subject::app_name(context, &app),
        event_types::read(context),
        shaping::connectors(context),
    )?;
    let texts = kinds::form(kind);
    let title = format!("Create an endpoint: {}", texts.title);
    let page = subject::above(context, &app, name.as_deref(), &title);
    let shown =
        Shown { kind, form, failure, event_types: &event_types, stored: None, is_new: true };
    let path = context.app_path(&app, &["endpoints", "new", kind.name()]);
    let back = context.app_path(&app, &["endpoints"]);
    let other = context.app_path(&app, &["endpoints", "new"]);
    let content = html! {
        (shown.fields())
        @if kind != EndpointKind::Polling {
            @if !connectors.is_empty() { (connector_field(form, &connectors)) }
            (Field::new("check", "Create it only if it can be reached now").sent(form, failure, "check").checkbox())
        }
        (ui::submit(context, "Create endpoint", Some(&back)))
    };
    let page = page.lead(
        html! { span { (texts.summary) } a href=(context.link(&other)) { "Choose another kind" } },
    );
    Ok(page
        .part(html! { div.narrow.endpoint-form { (ui::form(context, &path, &content)) } })
        .status(StatusCode::OK))
}
