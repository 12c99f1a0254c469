//! Links that sign a person in once, and the end of all tokens.

use std::sync::Arc;

use maud::{Markup, html};
use postrider::api::{OneTimeTokenCreatedOut, Role};
use serde_json::{Value, json};

use super::{keys::ROLES, tabs};
use crate::{
    api::v1,
    context::Context,
    form::Form,
    page::{ActionResult, Outcome, Page, PageResult, Tone},
    ui::{self, Field, Icon, code, form::Confirm},
};

const VALIDITY: [(&str, &str); 3] =
    [("300", "5 minutes"), ("900", "15 minutes"), ("3600", "1 hour")];

/// When tokens end: seconds, and what is shown.
const DELAY: [(&str, &str); 4] =
    [("0", "now"), ("3600", "in 1 hour"), ("86400", "in 1 day"), ("259200", "in 3 days")];

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    Ok(tabs::refusal(&context).unwrap_or_else(|| view(&context, &Form::default(), None)))
}

pub(super) async fn link(context: Arc<Context>, form: Form) -> ActionResult {
    let expiry = form.text("expiry").and_then(|it| it.parse::<u64>().ok());
    let body = json!({ "role": form.text("role"), "expiry": expiry });
    let path = v1(&["auth", "one-time-token", "create"]);
    let created: OneTimeTokenCreatedOut = context.api.post(path, &body).await?;
    Ok(Outcome::page(view(&context, &form, Some(&created))))
}

pub(super) async fn expire(context: Arc<Context>, form: Form) -> ActionResult {
    let expiry = form.text("delay").and_then(|it| it.parse::<u64>().ok()).filter(|it| *it > 0);
    let body = json!({ "expiry": expiry });
    context.api.post::<Value>(v1(&["auth", "expire-all"]), &body).await?;
    let done = match expiry {
        Some(_) => "All present tokens of the organization end at the chosen time.",
        None => "All tokens of the organization have ended.",
    };
    Ok(Outcome::done("/settings/access", done))
}

fn view(context: &Context, form: &Form, created: Option<&OneTimeTokenCreatedOut>) -> Page {
    let roles = ROLES.map(|(role, text)| (role.name(), text));
    let role = Field::new("role", "Role").value(Role::Viewer.name()).sent(form, None, "role");
    let fields = html! {
        (role.select(&roles))
        (Field::new("expiry", "Valid for").sent(form, None, "expiry").select(&VALIDITY))
        div { button type="submit" { "Create link" } }
    };
    tabs::page(context).part(html! {
        @if let Some(created) = created {
            (ui::notice(Tone::Good, &html! { "Send this link to the person. It works once." }))
            (code::block("Sign-in link", &created.url))
        }
        div.grid {
            section.card {
                h2 { "One-time sign-in link" }
                p { "The link signs a person in to this console, once and without a password." }
                (ui::form(context, "/settings/access/links", &fields))
                p.hint { "On the server, " code { "postrider console --role viewer" } " does the same." }
            }
            section.card {
                h2 { "End all sessions" }
                p { "Ends all tokens of the organization that were created until now, with the sessions that use them. API keys, and tokens that are created later, stay valid." }
                div { (end(context)) }
                @if context.shared.settings.has_sso {
                    p.hint { "People who use single sign-on can sign in again. Who may do so is decided by your identity provider." }
                }
            }
        }
    })
}

fn end(context: &Context) -> Markup {
    let confirm = Confirm {
        id: "expire",
        button: "End all sessions",
        shape: Icon::Key,
        title: "End all sessions?",
        submit: "End all sessions",
        path: "/settings/access/expire",
        is_dangerous: true,
    };
    ui::confirm(
        context,
        &confirm,
        &html! {
            p { "Everyone has to sign in again, including you, and programs that use a token need a new one." }
            (Field::new("delay", "When").select(&DELAY))
        },
    )
}
