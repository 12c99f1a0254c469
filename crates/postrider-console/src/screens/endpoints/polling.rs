//! How clients poll an endpoint: its URL, its token, and the consumers with their progress.

use std::sync::Arc;

use maud::{Markup, html};
use postrider::api::{
    ApiTokenOut,
    polling::{PollingConsumerOut, PollingConsumersOut, RotatePollerTokenIn},
};

use super::subject::{Subject, Tab};
use crate::{
    api::{ApiPath, v1},
    context::Context,
    form::Form,
    page::{ActionResult, Outcome, Page, PageResult, Tone},
    ui::{self, Icon, code, icon},
    viewer::Action,
};

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    let subject = Subject::read(&context).await?;
    let consumers = consumers(&context, &subject).await?;
    Ok(show(&context, &subject, &consumers, None))
}

/// Does what the pressed button says.
pub(super) async fn act(context: Arc<Context>, form: Form) -> ActionResult {
    let subject = Subject::read(&context).await?;
    if let Some(consumer) = form.text("remove") {
        context.api.delete(consumer_path(&subject, &[consumer])).await?;
        let consumers = consumers(&context, &subject).await?;
        return Ok(Outcome::page(show(&context, &subject, &consumers, None)));
    }
    let token = if form.has("rotate") {
        let body = RotatePollerTokenIn::default();
        context.api.post::<ApiTokenOut>(token_path(&subject, &["rotate"]), &body).await?
    } else {
        context.api.get::<ApiTokenOut>(token_path(&subject, &[])).await?
    };
    let consumers = consumers(&context, &subject).await?;
    let shown = Shown { token: &token.token, is_new: form.has("rotate") };
    Ok(Outcome::page(show(&context, &subject, &consumers, Some(shown))))
}

/// A token that is shown.
#[derive(Clone, Copy, Debug)]
struct Shown<'a> {
    token: &'a str,
    /// Whether it has just replaced another one.
    is_new: bool,
}

async fn consumers(
    context: &Context,
    subject: &Subject,
) -> Result<PollingConsumersOut, crate::api::ApiFailure> {
    context.api.get(consumer_path(subject, &[])).await
}

fn consumer_path(subject: &Subject, rest: &[&str]) -> ApiPath {
    v1(&[&["app", &subject.app, "polling-endpoint", &subject.id, "consumer"], rest].concat())
}

fn token_path(subject: &Subject, rest: &[&str]) -> ApiPath {
    v1(&[&["auth", "app", &subject.app, "poller", &subject.id, "token"], rest].concat())
}

fn show(
    context: &Context,
    subject: &Subject,
    consumers: &PollingConsumersOut,
    shown: Option<Shown<'_>>,
) -> Page {
    subject.page(context, Tab::Polling).part(html! {
        div.stack {
            @if shown.is_some_and(|it| it.is_new) {
                (ui::notice(Tone::Good, &html! { "The token has been replaced. The old one stays valid for 5 minutes." }))
            }
            (access(context, subject, shown))
            section.card {
                h2 { "Consumers" }
                p.soft { "Each consumer reads all messages once and keeps its own progress. The newest message has the offset " (ui::number(consumers.last_offset)) "." }
                @if consumers.data.is_empty() {
                    (ui::empty("No consumer has polled yet", &html! { p { "A consumer exists as soon as it polls. Its name is the last part of the URL." } }))
                } @else {
                    (table(context, subject, consumers))
                }
            }
        }
    })
}

/// The URL, the token, and what a client has to call.
fn access(context: &Context, subject: &Subject, shown: Option<Shown<'_>>) -> Markup {
    let url = context.shared.site.url(&consumer_path(subject, &["worker"]).to_string());
    let token = shown.map_or("sk_poll_…", |it| it.token);
    html! {
        section.card {
            h2 { "Poll" }
            p.soft { "Clients get messages with a request, in the order in which they were published, and commit the last offset when they are done. Until then, no other client of the same consumer gets them." }
            (code::block("URL", &url))
            (token_of(context, subject, shown))
            (code::block("Get messages", &format!("curl -H 'Authorization: Bearer {token}' \\\n  '{url}?limit=50'")))
            (code::block("Commit them", &format!("curl -H 'Authorization: Bearer {token}' \\\n  -H 'Content-Type: application/json' -d '{{\"offset\": 50}}' \\\n  '{url}/commit'")))
        }
    }
}

fn token_of(context: &Context, subject: &Subject, shown: Option<Shown<'_>>) -> Markup {
    html! {
        div.endpoint-secret {
            @match shown {
                Some(shown) => (ui::id(shown.token)),
                None => code aria-label="Hidden token" { "sk_poll_••••••••••••••••••••••••" },
            }
            form.inline method="post" action=(context.link(&subject.path(context, &["polling"]))) {
                (ui::form::csrf(context))
                @if shown.is_none() && context.may(Action::ReadSecret) {
                    button type="submit" name="reveal" value="yes" { (icon(Icon::Key)) "Reveal token" }
                }
                @if context.may(Action::RotateSecret) {
                    button.secondary type="submit" name="rotate" value="yes" { (icon(Icon::Repeat)) "Rotate token" }
                }
            }
        }
        p.hint { "The token is for polling this endpoint only. The audit log records who reveals it." }
    }
}

fn table(context: &Context, subject: &Subject, consumers: &PollingConsumersOut) -> Markup {
    let rows = html! {
        @for consumer in &consumers.data { (row(context, subject, consumer)) }
    };
    ui::table(
        "Consumers",
        &["Name", "#Committed offset", "#Behind", "Has messages until", "Last poll", ""],
        &rows,
    )
}

fn row(context: &Context, subject: &Subject, consumer: &PollingConsumerOut) -> Markup {
    let path = subject.path(context, &["polling"]);
    html! {
        tr {
            td { code { (consumer.id) } }
            td.number { (ui::number(consumer.committed_offset)) }
            td.number { (ui::number(consumer.lag)) }
            td { @if let Some(until) = consumer.leased_until { (ui::time(context, until)) } @else { "–" } }
            td { (ui::time(context, consumer.last_poll_at)) }
            td {
                @if context.may(Action::ManageEndpoints) {
                    (ui::action_button(context, &path, (Icon::Cross, "Remove"), &[("remove", &consumer.id)]))
                }
            }
        }
    }
}
