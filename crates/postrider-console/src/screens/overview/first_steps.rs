//! The first steps, which check themselves off.

use maud::{Markup, html};
use postrider::api::{ApplicationOut, EndpointCountOut, ListResponse, StatisticsSeriesOut};
use tokio::try_join;

use crate::{
    api::{ApiFailure, v1},
    context::Context,
    range::Range,
    site::join,
    ui::{Icon, code, icon},
    viewer::Action,
};

/// How far a new installation is.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    /// An application, if there is one.
    application: Option<ApplicationOut>,
    has_endpoint: bool,
    has_sent: bool,
    has_received: bool,
}

impl Progress {
    pub(super) const fn are_done(&self) -> bool {
        self.application.is_some() && self.has_endpoint && self.has_sent && self.has_received
    }
}

pub(super) async fn progress(context: &Context) -> Result<Progress, ApiFailure> {
    let month = Range::Month.on(v1(&["stats", "series"]), context.now);
    let (applications, endpoints, series) = try_join!(
        context.api.get::<ListResponse<ApplicationOut>>(v1(&["app"]).with("limit", 1)),
        context.api.get::<EndpointCountOut>(v1(&["stats", "endpoint", "count"])),
        context.api.get::<StatisticsSeriesOut>(month),
    )?;
    Ok(Progress {
        application: applications.data.into_iter().next(),
        has_endpoint: endpoints.active + endpoints.disabled > 0,
        has_sent: series.total.accepted > 0,
        has_received: series.total.delivered > 0,
    })
}

pub(super) fn view(context: &Context, progress: &Progress) -> Markup {
    let app = progress.application.as_ref();
    let app = app.map(|it| it.uid.as_ref().map_or_else(|| it.id.to_string(), ToString::to_string));
    let of_app = |segments: &[&str]| {
        app.as_ref().map(|app| format!("{}{}", join(&["apps", app]), join(segments)))
    };
    html! {
        section.card.first-steps aria-labelledby="first-steps-title" {
            h2 #first-steps-title { "First steps" }
            ol {
                (step(context, app.is_some(), "Create an application", "An application is one of your customers: it receives messages at its endpoints.", Some(("Create an application", "/apps/new".to_owned()))))
                (step(context, progress.has_endpoint, "Add an endpoint", "The URL of a server that receives webhooks.", of_app(&["endpoints", "new"]).map(|it| ("Add an endpoint", it))))
                (step(context, progress.has_sent, "Send a message", "Postrider stores it, and delivers it to each endpoint.", of_app(&["send"]).map(|it| ("Send a message", it))))
                (step(context, progress.has_received, "See that it was delivered", "Every attempt is kept with its request and its response.", Some(("Messages", "/messages".to_owned()))))
            }
            @if let Some(welcome) = &context.shared.settings.welcome {
                p.small {
                    "This server was started with " code { "postrider dev" } ": the endpoint of the application "
                    code { (welcome.application) } " is an "
                    a href=(context.link(&welcome.inbox_path)) { "inbox" } " that shows what it receives."
                }
            }
            details {
                summary { "The same with curl" }
                (code::block("Shell", &commands(context)))
            }
        }
    }
}

fn step(
    context: &Context,
    is_done: bool,
    title: &str,
    text: &str,
    link: Option<(&str, String)>,
) -> Markup {
    html! {
        li.done[is_done] {
            span.mark { (icon(if is_done { Icon::Check } else { Icon::Dot })) }
            div {
                strong { (title) }
                @if is_done { span.soft { " – done" } }
                p.hint { (text) }
            }
            @if let Some((label, path)) = link.filter(|_| !is_done && context.may(Action::Operate)) {
                a.button.secondary href=(context.link(&path)) { (label) }
            }
        }
    }
}

/// The whole flow as commands.
fn commands(context: &Context) -> String {
    let url = |path: &str| context.shared.site.url(path);
    if let Some(welcome) = &context.shared.settings.welcome {
        return format!(
            "export POSTRIDER_TOKEN=$(postrider token create)\n{}",
            publish(&url, &welcome.application, &welcome.event_type)
        );
    }
    format!(
        "export POSTRIDER_TOKEN=$(postrider token create)\n\
         curl -X POST '{app}' -H \"Authorization: Bearer $POSTRIDER_TOKEN\" \
         -H 'Content-Type: application/json' -d '{{\"name\": \"Acme\", \"uid\": \"acme\"}}'\n\
         curl -X POST '{endpoint}' -H \"Authorization: Bearer $POSTRIDER_TOKEN\" \
         -H 'Content-Type: application/json' -d '{{\"url\": \"https://example.com/webhooks\"}}'\n{publish}",
        app = url("/api/v1/app"),
        endpoint = url("/api/v1/app/acme/endpoint"),
        publish = publish(&url, "acme", "order.created"),
    )
}

fn publish(url: &impl Fn(&str) -> String, application: &str, event_type: &str) -> String {
    format!(
        "curl -X POST '{}' -H \"Authorization: Bearer $POSTRIDER_TOKEN\" \
         -H 'Content-Type: application/json' \
         -d '{{\"eventType\": \"{event_type}\", \"payload\": {{\"hello\": \"world\"}}}}'",
        url(&format!("/api/v1/app{}/msg", join(&[application])))
    )
}
