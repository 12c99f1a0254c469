//! Sending a message to an application.

use std::sync::Arc;

use maud::{Markup, html};
use postrider::{
    EventTypeName,
    api::{ApplicationOut, EventTypeOut, MessageOut},
};

use crate::{
    api::{ApiFailure, v1},
    context::Context,
    form::Form,
    page::{ActionResult, Outcome, Page, PageResult, Section, Tone},
    screens::{
        event_types::{catalog, schema, versions::Versions},
        message_body,
    },
    ui::{
        self, Field,
        form::{form, hidden, problems},
        refusal::Refusal,
    },
    viewer::Action,
};

/// The fields of the body that the form shows.
const FIELDS: [&str; 4] = ["payload", "eventId", "channels", "tags"];

/// What the page is about.
struct Subject {
    app: ApplicationOut,
    types: Vec<EventTypeOut>,
    /// The chosen event type, with its schemas.
    chosen: Option<EventTypeOut>,
}

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    context.require(Action::Publish)?;
    let subject = subject(&context, context.query.text("type")).await?;
    let example = subject.chosen.as_ref().and_then(example);
    let sent = Form::filled([("payload", example.unwrap_or_else(|| "{}".to_owned()))]);
    Ok(view(&context, &subject, &sent, &Refusal::default(), &[]))
}

async fn subject(context: &Context, name: Option<&str>) -> Result<Subject, ApiFailure> {
    let app = context.app();
    let path = v1(&["app", &app]);
    let (app, types) = tokio::try_join!(context.api.get(path), catalog::all(context, false))?;
    let name = name.and_then(|it| it.parse::<EventTypeName>().ok());
    let first = types.first().map(|it| it.name.clone());
    let chosen = match name.or(first) {
        Some(name) => context.api.find(v1(&["event-type", name.as_str()])).await?,
        None => None,
    };
    Ok(Subject { app, types, chosen })
}

fn example(event_type: &EventTypeOut) -> Option<String> {
    Versions::of(event_type).example()
}

/// The page. `differences` are those between the payload and the schema.
fn view(
    context: &Context,
    subject: &Subject,
    sent: &Form,
    refusal: &Refusal,
    differences: &[String],
) -> Page {
    let Subject { app, chosen, .. } = subject;
    let id = app.id.to_string();
    let page = Page::new(Section::Applications, "Send a message")
        .crumb("Applications", "/apps")
        .crumb(&app.name, context.app_path(&id, &[]));
    let Some(chosen) = chosen else { return page.part(no_types(context)) };
    page.part(html! {
        div.split {
            div.stack {
                (choice(context, subject))
                (form(context, &context.app_path(&id, &["send"]), &html! {
                    (hidden(&[("type", chosen.name.as_str())]))
                    (problems(refusal.failure.as_ref(), &FIELDS))
                    (warning(differences))
                    (fields(sent, refusal))
                    (buttons(context, &id, chosen, !differences.is_empty()))
                }))
            }
            aside.stack { (about(context, chosen)) }
        }
    })
}

/// Chooses the event type, whose example then becomes the payload.
fn choice(context: &Context, subject: &Subject) -> Markup {
    let chosen = subject.chosen.as_ref().map(|it| it.name.as_str()).unwrap_or_default();
    let names: Vec<_> = subject.types.iter().map(|it| it.name.as_str()).collect();
    let mut options: Vec<_> = names.iter().map(|name| (*name, *name)).collect();
    if !names.contains(&chosen) {
        options.push((chosen, chosen));
    }
    html! {
        form.filters method="get" action=(context.link(&context.path)) {
            div.field.wide { (Field::new("type", "Event type").value(chosen).select(&options)) }
            button.secondary type="submit" { "Load its example" }
        }
    }
}

fn fields(sent: &Form, refusal: &Refusal) -> Markup {
    let field = |name, label, path| refusal.field(sent, name, label, path).code(14);
    let has_options = ["channels", "tags", "event_id"].iter().any(|it| sent.text(it).is_some());
    html! {
        (field("payload", "Payload", "payload").required().area())
        details open[has_options] {
            summary { "Event id, channels and tags" }
            div.stack {
                (field("event_id", "Event id", "eventId").hint(html! {
                    "Your own id of the event. A second message with the same id is refused."
                }).line())
                (field("channels", "Channels", "channels").hint(html! {
                    "Endpoints can filter by them. Separate several with spaces; at most 5."
                }).line())
                (field("tags", "Tags", "tags").hint(html! {
                    "You can find messages by them. Separate several with spaces; at most 5."
                }).line())
            }
        }
    }
}

fn buttons(context: &Context, app: &str, chosen: &EventTypeOut, differs: bool) -> Markup {
    html! {
        div.buttons {
            button type="submit" { "Send " (chosen.name) }
            @if differs { button.secondary type="submit" name="anyway" value="yes" { "Send anyway" } }
            a.button.plain href=(context.link(&context.app_path(app, &[]))) { "Cancel" }
        }
    }
}

fn warning(differences: &[String]) -> Markup {
    if differences.is_empty() {
        return Markup::default();
    }
    ui::notice(
        Tone::Warning,
        &html! {
            p {
                strong { "The payload does not match the schema." }
                " Nothing was sent. The server accepts such messages, but receivers may not expect them."
            }
            ul.bullets { @for it in differences { li { (it) } } }
        },
    )
}

fn about(context: &Context, chosen: &EventTypeOut) -> Markup {
    let path = format!("/event-types{}", crate::site::join(&[chosen.name.as_str()]));
    let versions = Versions::of(chosen);
    html! {
        section.section {
            h2 { (ui::link(context, &path, chosen.name.as_str())) }
            @if !chosen.description.is_empty() { p { (chosen.description) } }
            @match versions.newest() {
                Some((_, schema)) => { (schema::outline(schema)) },
                None => { p.hint { "This event type has no schema, so any JSON object is a valid payload." } },
            }
        }
    }
}

fn no_types(context: &Context) -> Markup {
    ui::empty(
        "There are no event types yet",
        &html! {
            p { "A message has an event type, such as " code { "order.created" } ". Create one first; its schema and example help here." }
            @if context.may(Action::Operate) { a.button href=(context.link("/event-types/new")) { "Create event type" } }
        },
    )
}

pub(super) async fn send(context: Arc<Context>, form: Form) -> ActionResult {
    let subject = subject(&context, form.text("type")).await?;
    let again = |refusal: &Refusal, differences: &[String]| {
        Ok(Outcome::again(view(&context, &subject, &form, refusal, differences)))
    };
    let body = match message_body::body(&form) {
        Ok(body) => body,
        Err(problem) => return again(&problem.into(), &[]),
    };
    let differences =
        subject.chosen.as_ref().map(|it| Versions::of(it).differences(body.payload.get()));
    let differences = differences.unwrap_or_default();
    if !differences.is_empty() && !form.has("anyway") {
        return again(&Refusal::default(), &differences);
    }
    let app = subject.app.id.to_string();
    match context.api.post::<MessageOut>(v1(&["app", &app, "msg"]), &body).await {
        Ok(message) => {
            let path = context.app_path(&app, &["messages", &message.id.to_string()]);
            Ok(Outcome::done(path, format!("The message was accepted as {}.", message.id)))
        },
        Err(error) if error.is_input() => again(&error.into(), &differences),
        Err(error) => Err(error.into()),
    }
}
