//! The page of an event type.

use std::sync::Arc;

use maud::{Markup, html};
use postrider::api::{EventTypeOut, OrganizationMessageOut, SearchResponse};

use super::{catalog::path, change, list::states, report, schema, validation, versions::Versions};
use crate::{
    api::{ApiFailure, v1},
    context::Context,
    failure::Failure,
    page::{Page, PageResult, Section},
    ui::{self, code},
    viewer::Action,
};

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    let name = context.param("name");
    let (event_type, messages, report) = tokio::join!(
        context.api.get(v1(&["event-type", name])),
        messages(&context, name),
        report::read(&context, name),
    );
    let event_type: EventTypeOut = event_type?;
    if context.is_portal() && event_type.archived {
        return Err(Failure::NotFound("this event type"));
    }
    let (versions, report) = (Versions::of(&event_type), report?);
    let (name, title) = (
        event_type.name.as_str(),
        if context.is_portal() { "Event catalog" } else { "Event types" },
    );
    let page = Page::new(Section::EventTypes, name)
        .crumb(title, path(&context, &[]))
        .lead(html! {
            (states(&event_type))
            @if event_type.description.is_empty() { "No description" } @else { (event_type.description) }
        })
        .part(html! {
            div.split {
                div.stack.wide-gap {
                    (schema_section(&context, &versions))
                    (example(&versions))
                    @if let Some(report) = &report { (report::section(&context, report)) }
                }
                aside.stack.wide-gap { (facts(&context, &event_type)) (latest(&context, name, &messages?)) }
            }
        });
    if context.is_portal() {
        return Ok(page);
    }
    let command = format!("postrider event-type get {name}");
    let page =
        page.part(ui::api_panel(&context, &event_type, &v1(&["event-type", name]), Some(&command)));
    Ok(if context.may(Action::Operate) {
        page.actions(change::actions(&context, &event_type))
    } else {
        page
    })
}

async fn messages(
    context: &Context,
    name: &str,
) -> Result<Vec<OrganizationMessageOut>, ApiFailure> {
    let path = v1(&["msg"]).with("event_types", name).with("limit", 5);
    let found: Result<SearchResponse<_>, _> = context.api.get(path).await;
    Ok(found?.data)
}

fn schema_section(context: &Context, versions: &Versions) -> Markup {
    let Some((version, schema)) = versions.find(context.query.text("version")) else {
        return html! {
            section.section {
                h2 { "Schema" }
                p.hint { "This event type has no schema, so its payload can be any JSON object." }
            }
        };
    };
    html! {
        section.section {
            div.section-head {
                h2 { "Payload" }
                @if versions.names().count() > 1 { (choice(context, versions, version)) }
            }
            (schema::table(schema))
            details {
                summary { "JSON schema" }
                (code::json("JSON schema", schema.get(), None))
            }
        }
    }
}

fn choice(context: &Context, versions: &Versions, current: &str) -> Markup {
    html! {
        nav.ranges aria-label="Version" {
            @for name in versions.names() {
                a href=(context.link(&context.query.with("version", name).on(&context.path)))
                    aria-current=[(name == current).then_some("true")] { "Version " (name) }
            }
        }
    }
}

fn example(versions: &Versions) -> Markup {
    let Some(example) = versions.example() else { return Markup::default() };
    html! {
        section.section {
            h2 { "Example" }
            (code::json("Example", &example, None))
        }
    }
}

fn facts(context: &Context, it: &EventTypeOut) -> Markup {
    let flags = it.feature_flags.0.as_deref().unwrap_or_default();
    let mut facts = vec![("Name", ui::id(it.name.as_str()))];
    facts.extend(it.group_name.as_ref().map(|group| ("Group", html! { (group) })));
    if !flags.is_empty() && !context.is_portal() {
        facts.push(("Only with feature flag", html! { (flags.join(", ")) }));
    }
    if !context.is_portal() {
        facts.push((
            "Payloads that do not match",
            html! { (validation::words(it.schema_validation)) },
        ));
    }
    facts.push(("Created", ui::time(context, it.created_at)));
    facts.push(("Updated", ui::time(context, it.updated_at)));
    html! { section.section.type-facts { h2 { "Details" } (ui::facts(&facts)) } }
}

fn latest(context: &Context, name: &str, messages: &[OrganizationMessageOut]) -> Markup {
    let all = if context.is_portal() { "/portal/messages" } else { "/messages" };
    html! {
        section.section {
            div.section-head {
                h2 { "Latest messages" }
                @if !messages.is_empty() { (ui::link(context, &format!("{all}?type={name}"), "All")) }
            }
            @if messages.is_empty() { p.hint { "There are none." } }
            ul.latest {
                @for it in messages {
                    @let path = context.app_path(&it.app_id.to_string(), &["messages", &it.msg.id.to_string()]);
                    li {
                        a.truncate href=(context.link(&path)) { code { (it.msg.id) } }
                        span.soft.small {
                            @if let Some(uid) = it.app_uid.as_ref().filter(|_| !context.is_portal()) { (uid) ", " }
                            (ui::time(context, it.msg.timestamp))
                        }
                    }
                }
            }
        }
    }
}
