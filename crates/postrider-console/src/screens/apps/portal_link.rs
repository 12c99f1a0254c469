//! Links to the portal of an application, and ending its sessions.

use std::{collections::BTreeSet, sync::Arc};

use maud::{Markup, html};
use postrider::api::{
    AppPortalAccessIn, AppPortalAccessOut, ApplicationOut, ApplicationTokenExpireIn, Capability,
};

use crate::{
    api::{ApiFailure, v1},
    context::Context,
    form::Form,
    page::{ActionResult, Outcome, Page, PageResult, Section, Tone},
    ui::{
        self, Field, Icon,
        form::{Confirm, confirm, form, problems},
    },
    viewer::Action,
};

/// What a customer may do: the capability, the name of its field, and its label.
const CAPABILITIES: [(Capability, &str, &str); 5] = [
    (Capability::ViewBase, "ViewBase", "View endpoints, messages, attempts and event types"),
    (Capability::ManageEndpoint, "ManageEndpoint", "Create, change and delete endpoints"),
    (Capability::ViewEndpointSecret, "ViewEndpointSecret", "View the secrets of endpoints"),
    (Capability::ManageEndpointSecret, "ManageEndpointSecret", "Rotate the secrets of endpoints"),
    (Capability::CreateAttempts, "CreateAttempts", "Send examples, resend and recover"),
];

/// How long a link is valid, in seconds.
const EXPIRIES: [(&str, &str); 5] = [
    ("3600", "1 hour"),
    ("28800", "8 hours"),
    ("86400", "1 day"),
    ("259200", "3 days"),
    ("604800", "7 days"),
];

/// The fields of the body that the form shows.
const FIELDS: [&str; 4] = ["capabilities", "expiry", "sessionId", "featureFlags"];

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    context.require(Action::Operate)?;
    let app: ApplicationOut = context.api.get(v1(&["app", &context.app()])).await?;
    let all = CAPABILITIES.map(|(_, name, _)| (name, "on".to_owned()));
    let sent = Form::filled(all.into_iter().chain([("expiry", "86400".to_owned())]));
    Ok(view(&context, &app, &sent, None))
}

fn view(
    context: &Context,
    app: &ApplicationOut,
    sent: &Form,
    failure: Option<&ApiFailure>,
) -> Page {
    let id = app.id.to_string();
    head(context, app).part(html! {
        p.narrow { "The portal is the part of this console that you embed for your customers. A link signs them in to "
            strong { (app.name) } " only." }
        div.split {
            (form(context, &context.app_path(&id, &["portal"]), &html! {
                (problems(failure, &FIELDS))
                (capabilities(sent, failure))
                (Field::new("expiry", "Valid for").sent(sent, failure, "expiry").select(&EXPIRIES))
                (details(sent, failure))
                (ui::submit(context, "Create link", Some(&context.app_path(&id, &[]))))
            }))
            aside.stack { (from_code(context, &id)) (sessions(context, &id)) }
        }
    })
}

fn head(context: &Context, app: &ApplicationOut) -> Page {
    Page::new(Section::Applications, "Portal link")
        .crumb("Applications", "/apps")
        .crumb(&app.name, context.app_path(&app.id.to_string(), &[]))
}

fn capabilities(sent: &Form, failure: Option<&ApiFailure>) -> Markup {
    let problem = failure.and_then(|it| it.of_field("capabilities"));
    html! {
        fieldset.stack-tight {
            legend { "The customer may" }
            @if let Some(problem) = problem { p.problem { (problem) } }
            @for (_, name, label) in CAPABILITIES {
                (Field::new(name, label).checked(sent.has(name)).checkbox())
            }
        }
    }
}

fn details(sent: &Form, failure: Option<&ApiFailure>) -> Markup {
    html! {
        details open[sent.text("session").is_some() || sent.text("flags").is_some()] {
            summary { "Session id and feature flags" }
            div.stack {
                (Field::new("session", "Session id").code(1).sent(sent, failure, "sessionId").hint(html! {
                    "Such as the id of the user who is signed in to your product. The sessions of one id can be ended separately with the API."
                }).line())
                (Field::new("flags", "Feature flags").code(1).sent(sent, failure, "featureFlags").hint(html! {
                    "Event types with these flags are visible. Separate several with spaces."
                }).line())
            }
        }
    }
}

fn from_code(context: &Context, app: &str) -> Markup {
    let path = v1(&["auth", "app-portal-access", app]).to_string();
    let url = context.shared.site.url(&path);
    let curl = format!(
        "curl -X POST '{url}' \\\n  -H \"Authorization: Bearer $POSTRIDER_TOKEN\" \\\n  \
         -H 'Content-Type: application/json' \\\n  -d '{{\"expiry\": 86400}}'"
    );
    html! {
        section.section {
            h2 { "From your backend" }
            p.hint { "Create a link whenever a customer opens the page that embeds the portal." }
            (ui::code::block("curl", &curl))
        }
    }
}

fn sessions(context: &Context, app: &str) -> Markup {
    let path = context.app_path(app, &["portal", "expire"]);
    let dialog = Confirm {
        id: "expire-sessions",
        button: "End all sessions",
        shape: Icon::Cross,
        title: "End all sessions of this portal?",
        submit: "End all sessions",
        path: &path,
        is_dangerous: true,
    };
    html! {
        section.section {
            h2 { "Sessions" }
            p.hint { "If a link got into the wrong hands, end all sessions: every link that was created so far stops working." }
            div.buttons { (confirm(context, &dialog, &html! {
                p { "Customers who have the portal open are signed out, and need a new link." }
            })) }
        }
    }
}

pub(super) async fn create(context: Arc<Context>, form: Form) -> ActionResult {
    let app: ApplicationOut = context.api.get(v1(&["app", &context.app()])).await?;
    let id = app.id.to_string();
    let path = v1(&["auth", "app-portal-access", &id]);
    match context.api.post::<AppPortalAccessOut>(path, &body(&form)).await {
        Ok(access) => Ok(Outcome::page(created(&context, &app, &form, &access))),
        Err(error) if error.is_input() => {
            Ok(Outcome::again(view(&context, &app, &form, Some(&error))))
        },
        Err(error) => Err(error.into()),
    }
}

/// All capabilities together are none in the API, which means all of them, also future ones.
fn body(form: &Form) -> AppPortalAccessIn {
    let chosen = CAPABILITIES.iter().filter(|(_, name, _)| form.has(name)).map(|it| it.0);
    let chosen: BTreeSet<_> = chosen.collect();
    let flags: BTreeSet<_> = form.words("flags").into_iter().collect();
    AppPortalAccessIn {
        application: None,
        feature_flags: Some(flags).filter(|it| !it.is_empty()),
        capabilities: (chosen.len() < CAPABILITIES.len()).then_some(chosen),
        expiry: form.text("expiry").and_then(|it| it.parse().ok()),
        session_id: form.text("session").map(ToOwned::to_owned),
        read_only: None,
    }
}

/// The page with the link. It is shown once: the token is not stored, and is in no URL of the
/// console.
fn created(
    context: &Context,
    app: &ApplicationOut,
    form: &Form,
    access: &AppPortalAccessOut,
) -> Page {
    let expiry = EXPIRIES.iter().find(|it| Some(it.0) == form.text("expiry")).map_or("", |it| it.1);
    let id = app.id.to_string();
    head(context, app).part(html! {
        div.narrow.stack {
            (ui::notice(Tone::Warning, &html! {
                p { strong { "Copy the link now; it is not shown again." } }
                p { "It contains a token. Anyone with the link can use the portal of " (app.name) " for " (expiry) ", until you end its sessions." }
            }))
            (ui::code::block("Link", &access.url))
            section.section { h2 { "The customer may" } (allowed(form)) }
            div.buttons {
                a.button href=(access.url) target="_blank" rel="noopener noreferrer" { "Open the portal in a new tab" }
                a.button.secondary href=(context.link(&context.app_path(&id, &["portal"]))) { "Create another link" }
                a.button.plain href=(context.link(&context.app_path(&id, &[]))) { "Back to " (app.name) }
            }
        }
    })
}

fn allowed(form: &Form) -> Markup {
    let chosen: Vec<_> = CAPABILITIES.iter().filter(|it| form.has(it.1)).collect();
    html! {
        @if chosen.len() == CAPABILITIES.len() { p { "Everything." } } @else {
            ul.bullets { @for (_, _, label) in chosen { li { (label) } } }
        }
    }
}

pub(super) async fn expire(context: Arc<Context>, _: Form) -> ActionResult {
    let app = context.app();
    let path = v1(&["auth", "app", &app, "expire-all"]);
    let () = context.api.post(path, &ApplicationTokenExpireIn::default()).await?;
    Ok(Outcome::done(context.app_path(&app, &["portal"]), "Ended all sessions of the portal."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(form: &str, expected: &str) {
        assert_eq!(serde_json::to_string(&body(&Form::parse(form.as_bytes()))).unwrap(), expected);
    }

    #[test]
    fn all_capabilities_are_none() {
        check("expiry=3600&ViewBase=on", r#"{"capabilities":["ViewBase"],"expiry":3600}"#);
        check(
            "ViewBase=on&ManageEndpoint=on&ViewEndpointSecret=on&ManageEndpointSecret=on&CreateAttempts=on&flags=a+b",
            r#"{"featureFlags":["a","b"]}"#,
        );
        check("session=u1", r#"{"capabilities":[],"sessionId":"u1"}"#);
    }
}
