//! API keys.

use std::sync::Arc;

use http::Method;
use maud::{Markup, html};
use postrider::api::{ApiKeyCreatedOut, ApiKeyOut, ListResponse, Role};
use serde_json::{Value, json};

use super::tabs;
use crate::{
    api::{ApiFailure, v1},
    context::Context,
    form::Form,
    page::{ActionResult, Outcome, Page, PageResult, Tone},
    site::join,
    ui::{self, Field, Icon, badge, code, form::Confirm},
};

/// When a key expires: seconds, and what is shown.
const EXPIRY: [(&str, &str); 5] = [
    ("", "never"),
    ("86400", "in 1 day"),
    ("2592000", "in 30 days"),
    ("7776000", "in 90 days"),
    ("31536000", "in 1 year"),
];

/// The roles, and what they may do.
pub(super) const ROLES: [(Role, &str); 4] = [
    (Role::Viewer, "viewer – only reads"),
    (Role::Publisher, "publisher – also publishes"),
    (Role::Operator, "operator – also changes"),
    (Role::Admin, "admin – also manages access"),
];

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    if let Some(refusal) = tabs::refusal(&context) {
        return Ok(refusal);
    }
    let first = Form::filled([("role", Role::Operator.name().to_owned())]);
    view(&context, None, &first, None).await
}

pub(super) async fn create(context: Arc<Context>, form: Form) -> ActionResult {
    match context.api.post::<ApiKeyCreatedOut>(v1(&["api-key"]), &body(&form)).await {
        Ok(key) => Ok(Outcome::page(view(&context, Some(&key), &Form::default(), None).await?)),
        Err(error) if error.is_input() => {
            Ok(Outcome::again(view(&context, None, &form, Some(&error)).await?))
        },
        Err(error) => Err(error.into()),
    }
}

fn body(form: &Form) -> Value {
    let mut body = json!({
        "name": form.text("name").unwrap_or_default(),
        "role": form.text("role").unwrap_or_default(),
    });
    if let Some(app) = form.text("app_id") {
        body["appId"] = json!(app);
    }
    if let Some(seconds) = form.text("expiry").and_then(|it| it.parse::<u64>().ok()) {
        body["expiry"] = json!(seconds);
    }
    body
}

async fn view(
    context: &Context,
    created: Option<&ApiKeyCreatedOut>,
    form: &Form,
    failure: Option<&ApiFailure>,
) -> Result<Page, crate::failure::Failure> {
    let path = v1(&["api-key"]).with("limit", 50).with("order", "descending");
    let path = path.and("iterator", context.query.text("iterator"));
    let keys: ListResponse<ApiKeyOut> = context.api.get(path).await?;
    Ok(tabs::page(context).part(html! {
        @if let Some(key) = created { (shown_once(key)) }
        div.split {
            section.section {
                h2 { "API keys" }
                (list(context, &keys))
            }
            section.card {
                h2 { "Create a key" }
                (ui::form(context, "/settings/keys", &fields(form, failure)))
            }
        }
    }))
}

fn shown_once(key: &ApiKeyCreatedOut) -> Markup {
    html! {
        (ui::notice(Tone::Good, &html! { "The key " strong { (key.name) } " was created. Copy it now: it is not shown again." }))
        (code::block("API key", &key.token))
    }
}

fn fields(form: &Form, failure: Option<&ApiFailure>) -> Markup {
    let roles = ROLES.map(|(role, text)| (role.name(), text));
    html! {
        (ui::form::problems(failure, &["name", "role", "appId", "expiry"]))
        (Field::new("name", "Name").sent(form, failure, "name").required().placeholder("Billing service").line())
        (Field::new("role", "Role").sent(form, failure, "role").select(&roles))
        (Field::new("app_id", "Only for application").sent(form, failure, "appId").code(1)
            .placeholder("all applications").hint(html! { "Its id or uid." }).line())
        (Field::new("expiry", "Expires").sent(form, failure, "expiry").select(&EXPIRY))
        div { button type="submit" { "Create key" } }
    }
}

fn list(context: &Context, keys: &ListResponse<ApiKeyOut>) -> Markup {
    if keys.data.is_empty() {
        return ui::empty(
            "No API keys",
            &html! {
                p { "Create one key for each program that uses the API, so that you can revoke it alone." }
                (code::block("Command line", "postrider key create \"Billing service\" --role publisher"))
            },
        );
    }
    html! {
        (ui::table("API keys", &["Name", "Role", "Last used", "Expires", ""], &html! {
            @for it in &keys.data { (line(context, it)) }
        }))
        (ui::pages(context, keys.iterator.as_deref(), keys.done))
    }
}

fn line(context: &Context, key: &ApiKeyOut) -> Markup {
    html! {
        tr {
            td { (key.name) small { code { (key.censored_token) } } }
            td {
                (key.role)
                @if let Some(app) = key.app_id { small { (ui::link(context, &join(&["apps", &app.to_string()]), "one application")) } }
            }
            td { @match key.last_used_at { Some(at) => { (ui::time(context, at)) }, None => { span.soft { "never" } } } small.nowrap { "created " (ui::time(context, key.created_at)) } }
            td {
                @match key.expires_at {
                    Some(at) if at <= context.now => { (badge(Tone::Bad, Icon::Cross, "Expired")) },
                    Some(at) => { (ui::time(context, at)) },
                    None => { span.soft { "never" } },
                }
            }
            td.actions-cell { div.buttons.end { (rename_button(context, key)) (revoke_button(context, key)) } }
        }
    }
}

fn rename_button(context: &Context, key: &ApiKeyOut) -> Markup {
    let id = key.id.to_string();
    let field = format!("name-{id}");
    let confirm = Confirm {
        id: &format!("rename-{id}"),
        button: "Rename",
        shape: Icon::Tag,
        title: "Rename this key",
        submit: "Rename",
        path: &join(&["settings", "keys", &id, "rename"]),
        is_dangerous: false,
    };
    ui::confirm(
        context,
        &confirm,
        &html! {
            div.field {
                label for=(field) { "Name" }
                input id=(field) name="name" value=(key.name) required autocomplete="off";
            }
        },
    )
}

fn revoke_button(context: &Context, key: &ApiKeyOut) -> Markup {
    let id = key.id.to_string();
    let confirm = Confirm {
        id: &format!("revoke-{id}"),
        button: "Revoke",
        shape: Icon::Cross,
        title: &format!("Revoke {}?", key.name),
        submit: "Revoke key",
        path: &join(&["settings", "keys", &id, "revoke"]),
        is_dangerous: true,
    };
    ui::confirm(
        context,
        &confirm,
        &html! {
            p { "Programs that use this key are refused at once. This cannot be undone." }
        },
    )
}

pub(super) async fn rename(context: Arc<Context>, form: Form) -> ActionResult {
    let path = v1(&["api-key", context.param("key")]);
    let body = json!({ "name": form.text("name").unwrap_or_default() });
    match context.api.send::<ApiKeyOut>(Method::PATCH, path, &body).await {
        Ok(_) => Ok(Outcome::done("/settings/keys", "The key was renamed.")),
        Err(error) if error.is_input() => {
            Ok(Outcome::failed("/settings/keys", format!("The key was not renamed: {error}.")))
        },
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn revoke(context: Arc<Context>, _: Form) -> ActionResult {
    context.api.delete(v1(&["api-key", context.param("key")])).await?;
    Ok(Outcome::done("/settings/keys", "The key was revoked."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_fields_are_left_out() {
        let body = |text: &str| body(&Form::parse(text.as_bytes()));
        assert_eq!(
            body("name=A&role=viewer&app_id=&expiry="),
            json!({ "name": "A", "role": "viewer" })
        );
        let expected = json!({ "name": "A", "role": "viewer", "appId": "acme", "expiry": 86_400 });
        assert_eq!(body("name=A&role=viewer&app_id=acme&expiry=86400"), expected);
    }
}
