//! Import of event types from an `OpenAPI` document, and their export as one.

use std::sync::Arc;

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, Method, header};
use maud::{Markup, html};
use postrider::api::{
    EventTypeOut,
    environment::{EventTypeFromOpenApi, EventTypeImportOpenApiIn, EventTypeImportOpenApiOut},
};

use super::catalog::{self, path};
use crate::{
    api::v1,
    context::Context,
    failure::Failure,
    form::Form,
    page::{ActionResult, Outcome, Page, PageResult, Section, Tone},
    ui::{
        self, Icon, badge,
        form::{form, problems},
        refusal::Refusal,
    },
    viewer::Action,
};

/// What an import would change, with the event types that exist.
struct Preview {
    changes: Vec<EventTypeFromOpenApi>,
    existing: Vec<EventTypeOut>,
}

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    context.require(Action::Operate)?;
    Ok(view(&context, &Form::default(), &Refusal::default(), None))
}

fn view(context: &Context, sent: &Form, refusal: &Refusal, preview: Option<&Preview>) -> Page {
    let list = path(context, &[]);
    Page::new(Section::EventTypes, "Import from OpenAPI").crumb("Event types", &list).part(html! {
        p.narrow { "Every webhook of the document becomes an event type, with its description and the schema of its body. Event types that exist already are replaced." }
        (form(context, "/event-types/import", &html! {
            (problems(refusal.failure.as_ref(), &["specRaw"]))
            @if let Some(preview) = preview { (changes(preview)) }
            (document(sent, refusal))
            (refusal.field(sent, "replace", "Archive event types that are not in the document", "replaceAll").checkbox())
            (buttons(context, &list, preview))
        }))
    })
}

fn document(sent: &Form, refusal: &Refusal) -> Markup {
    html! {
        div.field data-file="field-spec" hidden {
            label for="spec-file" { "File" }
            input #spec-file type="file" accept=".json,.yaml,.yml,application/json,application/yaml";
        }
        (refusal.field(sent, "spec", "OpenAPI 3.1 document, as JSON or YAML", "specRaw").required().code(14)
            .placeholder("openapi: 3.1.0\nwebhooks:\n  invoice.paid:\n    post:\n      …").area())
    }
}

fn buttons(context: &Context, list: &str, preview: Option<&Preview>) -> Markup {
    let can_import = preview.is_some_and(|it| !it.changes.is_empty());
    html! {
        div.buttons {
            @if can_import { button type="submit" name="import" value="yes" { "Import" } }
            button.secondary[can_import] type="submit" { @if can_import { "Preview again" } @else { "Preview" } }
            a.button.plain href=(context.link(list)) { "Cancel" }
        }
    }
}

fn changes(preview: &Preview) -> Markup {
    if preview.changes.is_empty() {
        return ui::notice(
            Tone::Neutral,
            &html! { "Nothing would change: the event types are as the document describes them." },
        );
    }
    let rows = html! {
        @for it in &preview.changes {
            tr {
                td { code { (it.name) } }
                td { (change(it, &preview.existing)) }
                td { (it.description) }
            }
        }
    };
    html! {
        section.section {
            h2 { (ui::plural(preview.changes.len() as u64, "event type")) " would change" }
            (ui::table("Changes", &["Event type", "Change", "Description"], &rows))
        }
    }
}

fn change(it: &EventTypeFromOpenApi, existing: &[EventTypeOut]) -> Markup {
    if it.archived {
        return badge(Tone::Warning, Icon::Pause, "Archived");
    }
    let is_new = !existing.iter().any(|old| old.name == it.name);
    if is_new {
        badge(Tone::Good, Icon::Plus, "New")
    } else {
        badge(Tone::Neutral, Icon::Repeat, "Replaced")
    }
}

pub(super) async fn import(context: Arc<Context>, form: Form) -> ActionResult {
    let is_final = form.has("import");
    let body = EventTypeImportOpenApiIn {
        dry_run: !is_final,
        replace_all: form.has("replace"),
        spec: None,
        spec_raw: Some(form.text("spec").unwrap_or_default().to_owned()),
    };
    let api_path = v1(&["event-type", "import", "openapi"]);
    let result: EventTypeImportOpenApiOut = match context.api.post(api_path, &body).await {
        Ok(result) => result,
        Err(error) if error.is_input() => {
            return Ok(Outcome::again(view(&context, &form, &error.into(), None)));
        },
        Err(error) => return Err(error.into()),
    };
    if is_final {
        let count = result.data.modified.len() as u64;
        let message = format!("Imported {}.", ui::plural(count, "event type"));
        return Ok(Outcome::done(path(&context, &[]), message));
    }
    let existing = catalog::all(&context, true).await?;
    let preview = Preview { changes: result.data.to_modify.unwrap_or_default(), existing };
    Ok(Outcome::page(view(&context, &form, &Refusal::default(), Some(&preview))))
}

/// The event types as an `OpenAPI` document.
pub(super) async fn export(context: Arc<Context>) -> Result<Response, Failure> {
    let api_path = v1(&["event-type", "export", "openapi"]);
    let document = context.api.call(Method::POST, api_path, Body::empty()).await?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (
            header::CONTENT_DISPOSITION,
            HeaderValue::from_static("attachment; filename=\"event-types.json\""),
        ),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    Ok((headers, document).into_response())
}
