//! The list of tasks.

use std::{sync::Arc, time::Duration};

use maud::{Markup, html};
use postrider::api::{BackgroundTaskOut, ListResponse};

use super::render;
use crate::{
    api::v1,
    context::Context,
    page::{Page, PageResult, Refresh, Section},
    ui::{self, Field},
};

/// How often the list is updated while a task runs, and while none does.
const WHILE_RUNNING: Duration = Duration::from_secs(2);
const WHILE_IDLE: Duration = Duration::from_secs(15);

const STATUSES: [(&str, &str); 4] = [
    ("", "Any"),
    ("running", "Running"),
    ("finished", "Finished"),
    ("failed", "Failed or canceled"),
];

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    let query = &context.query;
    let status = query.text("status").filter(|it| STATUSES.iter().any(|known| known.0 == *it));
    let kind = query.text("kind").filter(|it| render::KINDS.iter().any(|known| known.0 == *it));
    let path = v1(&["background-task"]).with("order", "descending").with("limit", 50);
    let path = path.and("status", status).and("kind", kind).and("iterator", query.text("iterator"));
    let found: ListResponse<BackgroundTaskOut> = context.api.get(path).await?;
    let is_running = found.data.iter().any(|it| render::is_running(it.state));
    Ok(Page::new(Section::Tasks, "Tasks")
        .part(filters(&context))
        .live("tasks", results(&context, &found))
        .refresh(Refresh::Every(if is_running { WHILE_RUNNING } else { WHILE_IDLE })))
}

fn filters(context: &Context) -> Markup {
    let field =
        |name, label| Field::new(name, label).value(context.query.text(name).unwrap_or_default());
    ui::filters(
        context,
        &html! {
            (field("status", "State").select(&STATUSES))
            (field("kind", "Task").select(&render::KINDS))
        },
    )
}

fn results(context: &Context, found: &ListResponse<BackgroundTaskOut>) -> Markup {
    if found.data.is_empty() {
        return nothing(context);
    }
    let rows = html! { @for it in &found.data { (row(context, it)) } };
    html! {
        div.task-list { (ui::table("Tasks", &["Task", "State", "Progress", "Started by", "Started"], &rows)) }
        (ui::pages(context, found.iterator.as_deref(), found.done))
    }
}

fn row(context: &Context, it: &BackgroundTaskOut) -> Markup {
    html! {
        tr {
            td { a.strong href=(context.link(&format!("/tasks/{}", it.id))) { (render::kind(it.kind)) } }
            td { (render::state(it.state)) }
            td { (render::progress_words(it)) (render::bar(it)) }
            td { code.soft { (it.started_by) } }
            td { (ui::time(context, it.created_at)) }
        }
    }
}

fn nothing(context: &Context) -> Markup {
    ui::empty(
        "No tasks",
        &html! {
            p { "Work that takes long runs as a task: resending or canceling many deliveries, recovering an endpoint, deleting payloads. Nothing of that has run, or the filter excludes it." }
            a.button.secondary href=(context.link("/failures")) { "Look at failures" }
        },
    )
}
