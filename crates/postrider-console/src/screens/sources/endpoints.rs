//! The endpoints that a source's messages are delivered to.

use std::sync::Arc;

use http::Method;
use maud::{Markup, html};
use postrider::api::{EndpointOut, IngestSourceOut};
use serde_json::{Value, json};

use super::load::{self, below, path};
use crate::{
    api::{ApiFailure, ingest},
    context::Context,
    form::Form,
    page::{ActionResult, Outcome, Page, PageResult, Tone},
    ui::{self, Field, Icon, badge, icon},
    viewer::Action,
};

/// The endpoints in the page of a source.
pub(super) fn section(
    context: &Context,
    source: &IngestSourceOut,
    endpoints: &[EndpointOut],
) -> Markup {
    let new = path(&source.id.to_string(), &["endpoints", "new"]);
    let create = html! {
        @if context.may(Action::ManageEndpoints) {
            a.button.secondary href=(context.link(&new)) { (icon(Icon::Plus)) "Create endpoint" }
        }
    };
    html! {
        section.section {
            div.section-head {
                h2 { "Endpoints" }
                @if !endpoints.is_empty() { (create) }
            }
            @if endpoints.is_empty() {
                (ui::empty("No endpoints", &html! {
                    p { "Messages are stored, but not delivered. Create an endpoint to receive them." }
                    (create)
                }))
            } @else {
                (ui::table("Endpoints", &["URL", "Event types", "State"], &html! {
                    @for it in endpoints { (line(context, source, it)) }
                }))
            }
        }
    }
}

fn line(context: &Context, source: &IngestSourceOut, it: &EndpointOut) -> Markup {
    let app = source.app_id.to_string();
    let to = context.app_path(&app, &["endpoints", &it.id.to_string()]);
    let types = it.event_types.0.as_deref().unwrap_or_default();
    html! {
        tr {
            td {
                a href=(context.link(&to)) { (it.url) }
                @if !it.description.is_empty() { small { (it.description) } }
            }
            td {
                @if types.is_empty() { span.soft { "all" } }
                @else { (types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")) }
            }
            td {
                @if it.disabled { (badge(Tone::Neutral, Icon::Pause, "Disabled")) }
                @else { (badge(Tone::Good, Icon::Check, "Enabled")) }
            }
        }
    }
}

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    let source = load::source(&context).await?;
    Ok(view(&context, &source, &Form::default(), None))
}

pub(super) async fn create(context: Arc<Context>, form: Form) -> ActionResult {
    let source = load::source(&context).await?;
    let id = source.id.to_string();
    let to = ingest(&["source", &id, "endpoint"]);
    match context.api.send::<EndpointOut>(Method::POST, to, &body(&form)).await {
        Ok(_) => Ok(Outcome::done(path(&id, &[]), "The endpoint was created.")),
        Err(error) if error.is_input() => {
            Ok(Outcome::again(view(&context, &source, &form, Some(&error))))
        },
        Err(error) => Err(error.into()),
    }
}

fn body(form: &Form) -> Value {
    let types = form.words("event_types");
    json!({
        "url": form.text("url").unwrap_or_default(),
        "description": form.text("description").unwrap_or_default(),
        "eventTypes": if types.is_empty() { Value::Null } else { json!(types) },
    })
}

fn view(
    context: &Context,
    source: &IngestSourceOut,
    sent: &Form,
    failure: Option<&ApiFailure>,
) -> Page {
    let id = source.id.to_string();
    let fields = html! {
        (ui::form::problems(failure, &["url", "description", "eventTypes"]))
        (Field::new("url", "URL").sent(sent, failure, "url").kind("url").code(1).required()
            .placeholder("https://example.com/webhooks").line())
        (Field::new("description", "Description").sent(sent, failure, "description").line())
        (Field::new("event_types", "Event types").sent(sent, failure, "eventTypes").code(2)
            .hint(html! { "Only these, separated by spaces; all if empty." }).area())
        (ui::submit(context, "Create endpoint", Some(&path(&id, &[]))))
    };
    below(source, "Create endpoint").part(html! {
        div.narrow {
            (ui::form(context, &path(&id, &["endpoints", "new"]), &fields))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_event_types_mean_all() {
        let body = |text: &str| body(&Form::parse(text.as_bytes()));
        assert_eq!(body("url=https://a.test")["eventTypes"], Value::Null);
        assert_eq!(body("url=u&event_types=a,+b")["eventTypes"], json!(["a", "b"]));
    }
}
