//! An attempt: what was sent, what came back, and why it failed.

mod compare;
pub(crate) mod explain;

use std::sync::Arc;

use jiff::SignedDuration;
use maud::{Markup, html};
use postrider::api::{
    EndpointOut, FailureCause, ListResponse, MessageAttemptHeadersOut, MessageAttemptOut,
    MessageOut, MessageStatus, OrganizationAttemptOut, SearchResponse,
};

use self::{
    compare::comparison,
    explain::{explanation, stage_list, stages},
};
use super::{
    detail::{crumbs, name},
    journey::trigger,
    payload,
    request::{Exchange, request, response, tools},
};
use crate::{
    api::{ApiFailure, v1},
    context::Context,
    page::{Page, PageResult, Section},
    ui::{self, Icon, form, icon, state},
    viewer::Action,
};

/// Attempts of the same delivery that are read, to number them.
const MAX_SIBLINGS: usize = 250;

/// An attempt with everything that its page shows.
struct Found {
    app: String,
    message: MessageOut,
    attempt: MessageAttemptOut,
    headers: MessageAttemptHeadersOut,
    payload: Option<String>,
    /// None if it was deleted.
    endpoint: Option<EndpointOut>,
    /// The attempts of the same delivery, newest first.
    siblings: Vec<MessageAttemptOut>,
    cause: Option<(FailureCause, Option<String>)>,
}

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    let app = context.app();
    let (found, name) = tokio::join!(read(&context, app.clone()), name(&context, &app));
    let it = found?;
    let id = it.attempt.id.to_string();
    let message = it.message.id.to_string();
    let of_message = context.app_path(&app, &["messages", &message]);
    let object = v1(&["app", &app, "msg", &message, "attempt", &id]);
    let command = format!("postrider attempt get {app} {message} {id}");
    let comparison = compared(&context, &it).await?;
    let page = crumbs(Page::new(Section::Messages, it.title()), &context, &app, &name);
    Ok(page
        .crumb(it.message.event_type.to_string(), of_message)
        .lead(html! { (ui::id(&id)) span { (ui::time(&context, it.attempt.timestamp)) } })
        .actions(actions(&context, &it))
        .part(html! {
            (outcome(&it))
            (facts(&context, &it))
            (transformation(&it))
            (exchange(&context, &it))
            (comparison)
            (ui::api_panel(&context, &it.attempt, &object, Some(&command)))
        }))
}

async fn read(context: &Context, app: String) -> Result<Found, ApiFailure> {
    let api = &context.api;
    let (message, id) = (context.param("msg"), context.param("attempt"));
    let path = v1(&["app", &app, "msg", message, "attempt", id]);
    let headers = v1(&["app", &app, "msg", message, "attempt", id, "headers"]);
    let of_message = v1(&["app", &app, "msg", message]).with("with_content", false);
    let (attempt, headers, found, payload) = tokio::try_join!(
        api.get::<MessageAttemptOut>(path),
        api.get::<MessageAttemptHeadersOut>(headers),
        api.get::<MessageOut>(of_message),
        payload::read(context, &app, message),
    )?;
    let endpoint = attempt.endpoint_id.to_string();
    let siblings = v1(&["app", &app, "attempt", "msg", message]).with("endpoint_id", &endpoint);
    let siblings = siblings.with("limit", MAX_SIBLINGS).with("with_content", false);
    let (endpoint, siblings, cause) = tokio::join!(
        api.find::<EndpointOut>(v1(&["app", &app, "endpoint", &endpoint])),
        api.get::<ListResponse<MessageAttemptOut>>(siblings),
        cause(context, &app, &attempt),
    );
    Ok(Found {
        message: found,
        headers,
        payload,
        endpoint: endpoint?,
        // Those of a deleted endpoint cannot be listed.
        siblings: siblings.map(|it| it.data).unwrap_or_default(),
        cause,
        attempt,
        app,
    })
}

/// Why the attempt failed, which only the list of all attempts tells.
async fn cause(
    context: &Context,
    app: &str,
    attempt: &MessageAttemptOut,
) -> Option<(FailureCause, Option<String>)> {
    if attempt.status == MessageStatus::Success {
        return None;
    }
    let after = attempt.timestamp.checked_add(SignedDuration::from_millis(1)).ok()?;
    let path = v1(&["attempt"]).with("app_id", app).with("endpoint_id", attempt.endpoint_id);
    let path = path.with("after", attempt.timestamp).with("before", after).with("limit", 250);
    let found: SearchResponse<OrganizationAttemptOut> = context.api.get(path).await.ok()?;
    let found = found.data.into_iter().find(|it| it.attempt.id == attempt.id)?;
    Some((found.cause?, found.remedy))
}

impl Found {
    /// The place of the attempt among those of its delivery, the first one being 1.
    fn number(&self) -> Option<usize> {
        let place = self.siblings.iter().position(|it| it.id == self.attempt.id)?;
        Some(self.siblings.len() - place)
    }

    fn title(&self) -> String {
        match self.number() {
            Some(number) => format!("Attempt {number} of {}", self.siblings.len()),
            None => "Attempt".to_owned(),
        }
    }

    /// The attempt before or after this one.
    fn sibling(&self, is_later: bool) -> Option<&MessageAttemptOut> {
        let place = self.siblings.iter().position(|it| it.id == self.attempt.id)?;
        let place = if is_later { place.checked_sub(1)? } else { place + 1 };
        self.siblings.get(place)
    }

    fn path(&self, context: &Context, attempt: &MessageAttemptOut) -> String {
        let message = self.message.id.to_string();
        context.app_path(&self.app, &["messages", &message, "attempts", &attempt.id.to_string()])
    }

    fn endpoint_link(&self, context: &Context) -> Markup {
        let Some(endpoint) = &self.endpoint else {
            return html! { "the endpoint, which was deleted" };
        };
        let text =
            if endpoint.description.is_empty() { &endpoint.url } else { &endpoint.description };
        let path = context.app_path(&self.app, &["endpoints", &endpoint.id.to_string()]);
        ui::link(context, &path, text)
    }
}

fn actions(context: &Context, it: &Found) -> Markup {
    let message = it.message.id.to_string();
    let path = context.app_path(&it.app, &["messages", &message, "resend"]);
    let can_resend = it.endpoint.as_ref().is_some_and(|it| !it.disabled) && it.payload.is_some();
    html! {
        @if let Some(earlier) = it.sibling(false) { a.button.secondary href=(context.link(&it.path(context, earlier))) { "Earlier" } }
        @if let Some(later) = it.sibling(true) { a.button.secondary href=(context.link(&it.path(context, later))) { "Later" } }
        @if can_resend && context.may(Action::CreateAttempts) {
            form.inline method="post" action=(context.link(&path)) {
                (form::csrf(context))
                (form::hidden(&[("endpoint", &it.attempt.endpoint_id.to_string())]))
                button type="submit" data-key="r" { (icon(Icon::Repeat)) "Resend" }
            }
        }
    }
}

/// Why it failed, and how far it got.
fn outcome(it: &Found) -> Markup {
    let Some((cause, remedy)) = &it.cause else { return Markup::default() };
    let is_tls = it.attempt.url.starts_with("https:");
    let is_http = it.attempt.url.starts_with("http");
    let was_sent = !matches!(cause, FailureCause::Transformation | FailureCause::Damaged);
    html! {
        (explanation(&it.attempt, *cause, remedy.as_deref()))
        @if is_http && was_sent { (stage_list(&stages(Some(*cause), is_tls))) }
    }
}

fn facts(context: &Context, it: &Found) -> Markup {
    let attempt = &it.attempt;
    ui::facts(&[
        ("Result", result(attempt)),
        ("Duration", html! { (ui::millis(attempt.response_duration_ms.unsigned_abs())) }),
        ("Began", html! { (ui::time(context, attempt.timestamp)) }),
        ("Trigger", html! { (trigger(attempt.trigger_type)) }),
        (
            "Address",
            html! { @match &attempt.address { Some(it) => code { (it) }, None => span.soft { "Unknown" } } },
        ),
        ("Endpoint", it.endpoint_link(context)),
    ])
}

fn result(attempt: &MessageAttemptOut) -> Markup {
    match attempt.shadow {
        Some(_) => html! { "Not sent: the application was in shadow mode" },
        None => state::response_code(attempt.response_status_code),
    }
}

/// What the transformation did, apart from the request.
fn transformation(it: &Found) -> Markup {
    let Some(transformation) = &it.attempt.transformation else { return Markup::default() };
    let console = transformation.console.as_str();
    html! {
        @if transformation.cancelled {
            p { "The transformation of the endpoint cancelled the delivery, so nothing was sent." }
        } @else if transformation.request.is_some() {
            p { "The transformation of the endpoint made the request." }
        }
        @if !console.is_empty() {
            h2 { "Console" }
            pre { code { (console) } }
        }
    }
}

fn exchange(context: &Context, it: &Found) -> Markup {
    let transformed = it.attempt.transformation.as_ref();
    if transformed.is_some_and(|it| it.request.is_none()) {
        return Markup::default();
    }
    let body = transformed.and_then(|it| it.request.as_ref()).map(|it| it.body.as_str());
    let message = it.message.id.to_string();
    let exchange = Exchange {
        attempt: &it.attempt,
        headers: &it.headers,
        payload: body.or(it.payload.as_deref()),
        download: context.link(&context.app_path(&it.app, &["messages", &message, "payload"])),
        endpoint: it.endpoint_link(context),
    };
    html! {
        div.exchange.payload { (request(&exchange)) @if it.attempt.shadow.is_none() { (response(&exchange)) } }
        div.tools { (tools(&exchange)) }
    }
}

/// The comparison with the previous attempt if it is asked for, else the link that asks for it.
async fn compared(context: &Context, it: &Found) -> Result<Markup, ApiFailure> {
    let Some(earlier) = it.sibling(false) else { return Ok(Markup::default()) };
    if context.query.text("compare").is_none() {
        let path = format!("{}?compare=previous#comparison", context.path);
        return Ok(html! {
            p { a.button.secondary href=(context.link(&path)) { "Compare with the previous attempt" } }
        });
    }
    let message = it.message.id.to_string();
    let path = v1(&["app", &it.app, "msg", &message, "attempt", &earlier.id.to_string()]);
    let earlier: MessageAttemptOut = context.api.get(path).await?;
    Ok(comparison(context, &earlier, &it.attempt))
}
