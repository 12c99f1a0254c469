//! Resends many deliveries: first a dry run, then a task.

use std::sync::Arc;

use maud::{Markup, html};
use postrider::api::{EndpointOut, RecoverOut, ResendIn, ResendPreviewOut, ResendSampleOut};

use super::{
    super::messages::{
        names::{Names, Offered, app_link},
        period,
    },
    list::cause_field,
    scope::{self, MAX_UNCONFIRMED, STATUSES, is_confirmed, scope},
};
use crate::{
    api::{ApiFailure, v1},
    context::Context,
    form::Form,
    page::{ActionResult, Outcome, Page, PageResult, Section, Tone},
    query::Query,
    ui::{self, Field, form, notice, state},
    viewer::Action,
};

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    Ok(preview_page(&context, &context.query, None).await?)
}

/// What the scope consists of, in the form of names.
struct Described {
    names: Names,
    endpoint: Option<String>,
}

/// The dry run for the scope in these parameters.
async fn preview_page(
    context: &Context,
    query: &Query,
    problem: Option<&str>,
) -> Result<Page, ApiFailure> {
    let scope = scope(query, context.now, false);
    let preview = context.api.post::<ResendPreviewOut>(v1(&["resend", "preview"]), &scope);
    let (preview, offered) = tokio::join!(preview, Offered::read(context));
    let page = Page::new(Section::Failures, "Resend deliveries")
        .crumb("Failures", "/failures")
        .part(filters(context, query, &scope, &offered));
    let preview = match preview {
        Ok(preview) => preview,
        Err(error) if error.is_input() || error.status() == http::StatusCode::NOT_FOUND => {
            return Ok(
                page.part(notice(Tone::Bad, &html! { "This filter cannot be used: " (error) "." }))
            );
        },
        Err(error) => return Err(error),
    };
    let described = describe(context, &scope, &preview).await;
    Ok(page.part(html! {
        (dry_run(context, query, &scope, &preview, &described))
        @if preview.count > 0 && context.may(Action::Operate) {
            (start_form(context, query, &scope, &preview, problem))
        }
    }))
}

async fn describe(context: &Context, scope: &ResendIn, preview: &ResendPreviewOut) -> Described {
    let apps = preview.samples.iter().map(|it| it.app_id.to_string());
    let names = Names::read(context, apps.chain(scope.app_id.clone())).await;
    let endpoint = match (&scope.app_id, scope.endpoint_ids.first()) {
        (Some(app), Some(endpoint)) => {
            let found =
                context.api.find::<EndpointOut>(v1(&["app", app, "endpoint", endpoint])).await;
            Some(found.ok().flatten().map_or_else(|| endpoint.clone(), |it| it.url))
        },
        _ => None,
    };
    Described { names, endpoint }
}

fn filters(context: &Context, query: &Query, scope: &ResendIn, offered: &Offered) -> Markup {
    let text = |name| query.text(name).unwrap_or_default();
    let line = |name, label| Field::new(name, label).value(text(name));
    let statuses: Vec<_> = STATUSES.iter().map(|it| (it.0, it.1)).collect();
    let time = |name, label, value: Option<jiff::Timestamp>| {
        let value = value.map(period::input_value).unwrap_or_default();
        Field::new(name, label).kind("datetime-local").value(value).line()
    };
    ui::filters(
        context,
        &html! {
            (time("from", "Accepted since (UTC)", Some(scope.since)))
            (time("until", "Accepted before (UTC)", scope.until))
            (offered.app_field(text("app")))
            (line("endpoint", "Endpoint id").code(1).line())
            (line("status", "Delivery").select(&statuses))
            (cause_field(text("cause")))
            (offered.type_field(text("type")))
            (line("channel", "Channel").line())
            (line("tag", "Tag").line())
        },
    )
}

/// The number as far as it was counted.
fn count(preview: &ResendPreviewOut) -> String {
    let number = ui::number(preview.count);
    if preview.is_minimum { format!("at least {number}") } else { number }
}

fn dry_run(
    context: &Context,
    query: &Query,
    scope: &ResendIn,
    preview: &ResendPreviewOut,
    described: &Described,
) -> Markup {
    let app = scope.app_id.as_deref().map(|it| described.names.of(it));
    let words = scope::words(query, scope, app, described.endpoint.as_deref());
    html! {
        section.section.card aria-labelledby="dry-run-title" {
            h2 #dry-run-title { "Dry run" }
            p.scope-count { strong { (count(preview)) } " " (if preview.count == 1 && !preview.is_minimum { "delivery matches" } else { "deliveries match" }) }
            p { "These are all " (words) "." }
            @if preview.count == 0 {
                p.soft { "Nothing would be sent. Deliveries that are still being retried do not count: they are sent again by themselves." }
            } @else {
                p.soft { "Nothing has been sent yet. Some of them:" }
                (samples(context, &preview.samples, &described.names))
            }
        }
    }
}

fn samples(context: &Context, samples: &[ResendSampleOut], names: &Names) -> Markup {
    let rows = html! {
        @for it in samples {
            @let app = it.app_id.to_string();
            tr {
                td { a href=(context.link(&context.app_path(&app, &["messages", &it.msg_id.to_string()]))) { (it.event_type) } }
                td { (state::delivery(it.status)) }
                td.number { (ui::count(it.attempts.into())) }
                td { (app_link(context, names, &app)) }
                td { code.soft { (it.endpoint_id) } }
                td { (ui::time(context, it.timestamp)) }
            }
        }
    };
    let heads = ["Event type", "Delivery", "#Attempts", "Application", "Endpoint", "Accepted"];
    ui::table("Some of the deliveries", &heads, &rows)
}

fn start_form(
    context: &Context,
    query: &Query,
    scope: &ResendIn,
    preview: &ResendPreviewOut,
    problem: Option<&str>,
) -> Markup {
    let fields = scope::fields(query, scope);
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let number = ui::number(preview.count);
    let label = format!(
        "Resend {} {}",
        count(preview),
        if preview.count == 1 { "delivery" } else { "deliveries" }
    );
    html! {
        section.section.narrow aria-labelledby="start-title" {
            h2 #start-title { "Resend them" }
            (form(context, "/failures/resend", &html! {
                (form::hidden(&fields))
                (Field::new("retry", "If an attempt fails, retry on the usual schedule")
                    .hint(html! { "Otherwise each delivery gets one attempt." }).checkbox())
                @if preview.count > MAX_UNCONFIRMED {
                    (Field::new("number", "Number of deliveries").required()
                        .hint(html! { "These are many. Enter " strong { (number) } " to confirm that you mean all of them." })
                        .problem(problem.map(ToOwned::to_owned)).line())
                }
                div.buttons {
                    button type="submit" data-key="r" { (label) }
                    a.button.plain href=(context.link("/failures")) { "Cancel" }
                }
            }))
        }
    }
}

/// Starts the task, unless the number has to be confirmed.
pub(super) async fn start(context: Arc<Context>, form: Form) -> ActionResult {
    let query = form.pairs().iter().fold(Query::default(), |query, (name, value)| {
        query.and(name, Some(value).filter(|_| is_parameter(name)))
    });
    let scope = scope(&query, context.now, form.has("retry"));
    let preview: ResendPreviewOut = context.api.post(v1(&["resend", "preview"]), &scope).await?;
    if !is_confirmed(preview.count, form.text("number")) {
        let problem =
            format!("Enter {}, the present number of deliveries", ui::number(preview.count));
        return Ok(Outcome::again(preview_page(&context, &query, Some(&problem)).await?));
    }
    let task: RecoverOut = context.api.post(v1(&["resend"]), &scope).await?;
    Ok(Outcome::done(format!("/tasks/{}", task.id), "Resending has begun."))
}

fn is_parameter(name: &str) -> bool {
    scope::NAMES.contains(&name) || period::NAMES.contains(&name)
}
