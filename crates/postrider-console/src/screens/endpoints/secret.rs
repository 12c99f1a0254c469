//! The signing secret of an endpoint.

use std::sync::Arc;

use maud::{Markup, html};
use postrider::api::{EndpointSecretOut, EndpointSecretRotateIn};

use super::subject::{Subject, Tab};
use crate::{
    api::ApiFailure,
    context::Context,
    form::Form,
    page::{ActionResult, Outcome, Page, PageResult, Tone},
    ui::{self, Field, Icon, icon},
    viewer::Action,
};

/// Grace periods in seconds, and how they are shown.
const GRACE: [(&str, &str); 5] = [
    ("86400", "1 day"),
    ("3600", "1 hour"),
    ("259200", "3 days"),
    ("604800", "7 days"),
    ("0", "None: the old secret ends now"),
];

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    let subject = Subject::read(&context).await?;
    Ok(show(&context, &subject, Shown::default(), &Form::default(), None))
}

/// Does what the form is for.
pub(super) async fn act(context: Arc<Context>, form: Form) -> ActionResult {
    let subject = Subject::read(&context).await?;
    if form.has("rotate") {
        return rotate(&context, &subject, &form).await;
    }
    let secret: EndpointSecretOut = context.api.get(subject.api(&["secret"])).await?;
    let shown = Shown { secret: Some(&secret.key), rotated: None };
    Ok(Outcome::page(show(&context, &subject, shown, &Form::default(), None)))
}

/// Replaces the secret, and shows the new one.
async fn rotate(context: &Context, subject: &Subject, form: &Form) -> ActionResult {
    let grace = form.text("grace").and_then(|it| it.parse().ok());
    let key = form.text("key").map(ToOwned::to_owned);
    let body = EndpointSecretRotateIn { key, grace_period_seconds: grace };
    let path = subject.api(&["secret", "rotate"]);
    match context.api.post::<EndpointSecretOut>(path, &body).await {
        Ok(secret) => {
            let shown = Shown { secret: Some(&secret.key), rotated: Some(until(grace)) };
            Ok(Outcome::page(show(context, subject, shown, &Form::default(), None)))
        },
        Err(error) if error.is_input() => {
            Ok(Outcome::again(show(context, subject, Shown::default(), form, Some(&error))))
        },
        Err(error) => Err(error.into()),
    }
}

fn until(grace: Option<u32>) -> &'static str {
    if grace == Some(0) {
        "The old one is no longer used."
    } else {
        "Until the grace period ends, requests are signed with both, so that the receiver can change over."
    }
}

/// What is shown of the secret.
#[derive(Clone, Copy, Debug, Default)]
struct Shown<'a> {
    /// The secret, if it was revealed.
    secret: Option<&'a str>,
    /// What happens to the old one, if it was just replaced.
    rotated: Option<&'a str>,
}

fn show(
    context: &Context,
    subject: &Subject,
    shown: Shown<'_>,
    form: &Form,
    failure: Option<&ApiFailure>,
) -> Page {
    let page = subject.page(context, Tab::Secret);
    page.part(html! {
        div.narrow.stack {
            @if let Some(text) = shown.rotated {
                (ui::notice(Tone::Good, &html! { "The secret has been replaced. " (text) }))
            }
            section.card {
                h2 { "Signing secret" }
                p.soft { "Every request has the headers webhook-id, webhook-timestamp and webhook-signature. The receiver verifies them with this secret, so that it knows who sent the request." }
                (value(context, subject, shown.secret))
                @if context.is_portal() {
                    p { a href=(context.link("/portal/verify")) { "How to verify webhooks" } }
                }
            }
            @if context.may(Action::RotateSecret) { (rotation(context, subject, form, failure)) }
        }
    })
}

fn value(context: &Context, subject: &Subject, secret: Option<&str>) -> Markup {
    let Some(secret) = secret else {
        return html! {
            div.endpoint-secret {
                code aria-label="Hidden secret" { "whsec_••••••••••••••••••••••••" }
                @if context.may(Action::ReadSecret) {
                    form.inline method="post" action=(context.link(&subject.path(context, &["secret"]))) {
                        (ui::form::csrf(context))
                        button type="submit" { (icon(Icon::Key)) "Reveal" }
                    }
                }
            }
            @if context.may(Action::ReadSecret) {
                p.hint { "The audit log records who reveals it." }
            }
        };
    };
    let is_public = secret.starts_with("whpk_");
    html! {
        div.endpoint-secret { (ui::id(secret)) }
        @if is_public { p.hint { "This is the public key that belongs to the private key which signs requests." } }
        @else { p.hint { "Anyone with this secret can forge requests. Keep it where the receiver keeps its other credentials." } }
    }
}

fn rotation(
    context: &Context,
    subject: &Subject,
    form: &Form,
    failure: Option<&ApiFailure>,
) -> Markup {
    let content = html! {
        (ui::form::problems(failure, &["key", "gracePeriodSeconds"]))
        (Field::new("grace", "Grace period").sent(form, failure, "gracePeriodSeconds")
            .hint(html! { "During this time, requests have two signatures: one of the old secret and one of the new." }).select(&GRACE))
        (Field::new("key", "New secret").kind("password").placeholder("Generated").sent(form, failure, "key")
            .hint(html! { "To use one of your own: " code { "whsec_…" } ", or " code { "whsk_…" } " to sign with a private key." }).line())
        div { button.secondary type="submit" name="rotate" value="yes" { (icon(Icon::Repeat)) "Rotate secret" } }
    };
    html! {
        section.card {
            h2 { "Rotate" }
            p.soft { "Give the receiver the new secret within the grace period; then no request fails to verify." }
            (ui::form(context, &subject.path(context, &["secret"]), &content))
        }
    }
}
