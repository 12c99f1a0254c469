//! A task.

use std::{sync::Arc, time::Duration};

use maud::{Markup, html};
use postrider::api::{BackgroundTaskOut, BackgroundTaskState};
use serde_json::{Map, Value};

use super::{
    super::messages::names::{Names, app_link},
    render,
};
use crate::{
    api::v1,
    context::Context,
    form::Form,
    page::{ActionResult, Outcome, Page, PageResult, Refresh, Section, Tone},
    ui::{self, Icon, form::Confirm, notice, time::duration},
    viewer::Action,
};

/// Applications whose names are shown.
const MAX_NAMED: usize = 50;

/// How often a running task is updated.
const PERIOD: Duration = Duration::from_secs(2);

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    let path = v1(&["background-task", context.param("task")]);
    let task: BackgroundTaskOut = context.api.get(path.clone()).await?;
    let id = task.id.to_string();
    let is_running = render::is_running(task.state);
    let names = Names::read(&context, apps(&task.parameters)).await;
    Ok(Page::new(Section::Tasks, render::kind(task.kind))
        .crumb("Tasks", "/tasks")
        .lead(html! { (ui::id(&id)) span { "started " (ui::time(&context, task.created_at)) " by " (task.started_by) } })
        .live("task", state(&context, &task))
        .part(html! {
            (parameters(&context, &task.parameters, &names))
            (ui::api_panel(&context, &task, &path, Some(&format!("postrider task get {id}"))))
        })
        .refresh(if is_running { Refresh::Every(PERIOD) } else { Refresh::Never }))
}

fn cancel_button(context: &Context, task: &BackgroundTaskOut) -> Markup {
    if task.state != BackgroundTaskState::Running || !context.may(Action::Operate) {
        return Markup::default();
    }
    let path = format!("/tasks/{}/cancel", task.id);
    let confirm = Confirm {
        id: "cancel",
        button: "Cancel task",
        shape: Icon::Cross,
        title: "Cancel this task?",
        submit: "Cancel task",
        path: &path,
        is_dangerous: true,
    };
    let text = html! { p { "It ends at its next batch. What it has done so far stays done." } };
    ui::confirm(context, &confirm, &text)
}

fn state(context: &Context, task: &BackgroundTaskOut) -> Markup {
    html! {
        section.card.task-state aria-label="Progress" {
            div.task-line { (render::state(task.state)) strong { (render::progress_words(task)) } (cancel_button(context, task)) }
            (render::bar(task))
            (ui::facts(&numbers(context, task)))
        }
        @if let Some(error) = &task.error {
            (notice(if task.state == BackgroundTaskState::Failed { Tone::Bad } else { Tone::Warning }, &html! { (error) }))
        }
        @if !render::is_running(task.state) { (result(task)) }
    }
}

fn numbers(context: &Context, task: &BackgroundTaskOut) -> Vec<(&'static str, Markup)> {
    let progress = &task.progress;
    let mut facts = vec![
        ("Found", ui::count(progress.found)),
        ("Done", ui::count(progress.done)),
        ("Rate", html! { (ui::number(progress.per_second)) " per second" }),
    ];
    if let Some(left) = remaining(task) {
        facts.push(("Time left", html! { "about " (duration(left)) }));
    }
    facts.push(("Updated", ui::time(context, task.updated_at)));
    facts
}

/// About how long a task still takes, if that can be known.
fn remaining(task: &BackgroundTaskOut) -> Option<Duration> {
    let progress = &task.progress;
    let is_known = task.state == BackgroundTaskState::Running && !progress.is_minimum;
    let left =
        progress.total.filter(|_| is_known)?.checked_sub(progress.found.max(progress.done))?;
    let seconds = left.checked_div(progress.per_second)?;
    (seconds > 0).then_some(Duration::from_secs(seconds))
}

fn result(task: &BackgroundTaskOut) -> Markup {
    if task.data.is_empty() {
        return Markup::default();
    }
    let json = serde_json::to_string_pretty(&task.data).unwrap_or_default();
    html! {
        section.section aria-labelledby="result-title" {
            h2 #result-title { "Result" }
            (ui::code::json("Result", &json, None))
        }
    }
}

/// The applications that the task was started with.
fn apps(parameters: &Map<String, Value>) -> Vec<String> {
    let several = parameters.get("appIds").and_then(Value::as_array).into_iter().flatten();
    let all = parameters.get("appId").into_iter().chain(several.take(MAX_NAMED));
    all.filter_map(Value::as_str).map(ToOwned::to_owned).collect()
}

/// What the task was started with; without what was not given.
fn parameters(context: &Context, parameters: &Map<String, Value>, names: &Names) -> Markup {
    let given: Vec<_> = parameters.iter().filter(|it| !is_empty(it.1)).collect();
    if given.is_empty() {
        return Markup::default();
    }
    let app = parameters.get("appId").and_then(Value::as_str);
    let values: Vec<_> = given
        .iter()
        .map(|(name, value)| (label(name), shown(context, (app, names), name, value)))
        .collect();
    html! {
        section.section aria-labelledby="parameters-title" {
            h2 #parameters-title { "Filter" }
            (ui::facts(&values))
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(items) => items.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(true) | Value::Number(_) | Value::Object(_) => false,
    }
}

fn label(name: &str) -> &str {
    match name {
        "appId" => "Application",
        "appIds" => "Applications",
        "endpointId" => "Endpoint",
        "endpointIds" => "Endpoints",
        "since" => "Messages accepted since",
        "until" | "createdBefore" => "Messages accepted before",
        "statuses" => "Deliveries",
        "eventTypes" => "Event types",
        "channel" => "Channel",
        "tag" => "Tag",
        "cause" => "Cause",
        "retry" => "Retries",
        other => other,
    }
}

fn shown(
    context: &Context,
    (app, names): (Option<&str>, &Names),
    name: &str,
    value: &Value,
) -> Markup {
    match (name, value) {
        (_, Value::Array(items)) => {
            let item = |it| shown(context, (app, names), name, it);
            html! { @for (place, it) in items.iter().enumerate() { @if place > 0 { ", " } (item(it)) } }
        },
        ("appId" | "appIds", Value::String(id)) => app_link(context, names, id),
        ("endpointId" | "endpointIds", Value::String(id)) if app.is_some() => {
            let path = context.app_path(app.unwrap_or_default(), &["endpoints", id]);
            ui::link(context, &path, id)
        },
        ("retry", Value::Bool(true)) => html! { "On the usual schedule" },
        ("statuses", Value::String(status)) => html! { (status_word(status)) },
        (_, Value::String(text)) => {
            let at = text.parse().ok().map(|it| ui::time::instant(context, it));
            at.unwrap_or_else(|| html! { (text) })
        },
        (_, other) => html! { code { (other) } },
    }
}

fn status_word(status: &str) -> &str {
    match status {
        "success" => "delivered",
        "fail" => "failed",
        "sending" => "retrying",
        other => other,
    }
}

pub(super) async fn cancel(context: Arc<Context>, _: Form) -> ActionResult {
    let task = context.param("task").to_owned();
    let _: Value = context.api.post(v1(&["background-task", &task, "cancel"]), &Map::new()).await?;
    Ok(Outcome::done(format!("/tasks/{task}"), "The task ends at its next batch."))
}
