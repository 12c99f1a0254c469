//! Creating a consumer.

use std::sync::Arc;

use http::Method;
use maud::{Markup, html};
use postrider::api::{ConsumerOut, QueueKind};

use super::{
    fields::{self, Input, KindField, MAPPING},
    state,
};
use crate::{
    api::{ApiFailure, v1},
    context::Context,
    failure::Failure,
    form::Form,
    page::{ActionResult, Outcome, Page, PageResult, Section},
    site::join,
    ui::{self, Field},
};

pub(super) async fn choose(context: Arc<Context>) -> PageResult {
    let page = Page::new(Section::Consumers, "Create consumer").crumb("Consumers", "/consumers");
    Ok(page.lead(html! { "Which queue do the messages come from?" }).part(html! {
        ul.providers.wide {
            @for kind in QueueKind::ALL {
                @let (name, text) = state::kind(kind);
                li.provider {
                    a href=(context.link(&join(&["consumers", "new", kind.name()]))) { (name) }
                    p.hint { (text) }
                }
            }
        }
    }))
}

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    Ok(view(&context, kind(&context)?, &Form::default(), None))
}

pub(super) async fn create(context: Arc<Context>, form: Form) -> ActionResult {
    let kind = kind(&context)?;
    let body = fields::creation(&form, kind);
    match context.api.send::<ConsumerOut>(Method::POST, v1(&["consumer"]), &body).await {
        Ok(created) => Ok(Outcome::done(
            join(&["consumers", &created.id.to_string()]),
            "The consumer was created and reads the queue now.",
        )),
        Err(error) if error.is_input() => {
            Ok(Outcome::again(view(&context, kind, &form, Some(&error))))
        },
        Err(error) => Err(error.into()),
    }
}

fn kind(context: &Context) -> Result<QueueKind, Failure> {
    let name = context.param("kind");
    let found = QueueKind::ALL.into_iter().find(|it| it.name() == name);
    found.ok_or(Failure::NotFound("this kind of queue"))
}

fn view(context: &Context, kind: QueueKind, sent: &Form, failure: Option<&ApiFailure>) -> Page {
    let paths: Vec<_> = fields::of(kind).iter().map(|it| format!("config.{}", it.name)).collect();
    let shown = paths.iter().map(String::as_str).chain(["uid", "description", "mapping"]);
    let content = html! {
        (ui::form::problems(failure, &shown.collect::<Vec<_>>()))
        (Field::new("description", "Description").sent(sent, failure, "description").line())
        @for field in fields::of(kind) { (control(field, sent, failure)) }
        (mapping(sent, failure))
        (Field::new("uid", "Your own id").sent(sent, failure, "uid").code(1)
            .hint(html! { "It can be used wherever the id can." }).line())
        (ui::submit(context, "Create consumer", Some("/consumers/new")))
    };
    Page::new(Section::Consumers, format!("Create consumer: {}", state::kind(kind).0))
        .crumb("Consumers", "/consumers")
        .crumb("Choose a queue", "/consumers/new")
        .part(html! { div.narrow { (ui::form(context, &join(&["consumers", "new", kind.name()]), &content)) } })
}

fn control(it: &KindField, sent: &Form, failure: Option<&ApiFailure>) -> Markup {
    let path = format!("config.{}", it.name);
    let field = Field::new(it.name, it.label).sent(sent, failure, &path);
    let field = if it.is_required { field.required() } else { field };
    let field = if it.hint.is_empty() { field } else { field.hint(html! { (it.hint) }) };
    match it.input {
        Input::Line | Input::Words => field.code(1).line(),
        Input::Password => field.kind("password").line(),
        Input::Number => field.kind("number").line(),
        Input::Area => field.code(3).area(),
        Input::Checkbox => field.checkbox(),
        Input::Choice(options) => field.select(options),
    }
}

fn mapping(sent: &Form, failure: Option<&ApiFailure>) -> Markup {
    html! {
        details open[failure.is_some()] {
            summary { "How a queue’s message becomes a message" }
            div.stack {
                p.hint {
                    "Leave this empty if the body is " code { r#"{"appId": …, "message": {"eventType": …, "payload": …}}"# }
                    ". Otherwise, each field is a path such as " code { "$.body.id" } " or a template such as " code { "order.{{ body.kind }}" } "."
                }
                @for (name, path, label, example) in MAPPING {
                    (Field::new(name, label).sent(sent, failure, &format!("mapping.{path}")).placeholder(example).code(1).line())
                }
            }
        }
    }
}
