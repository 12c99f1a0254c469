//! Pausing, deleting, and replacing the URL of a source.

use std::sync::Arc;

use http::Method;
use maud::{Markup, html};
use postrider::api::{IngestSourceOut, RotateTokenOut};
use serde_json::json;

use super::load::path;
use crate::{
    api::ingest,
    context::Context,
    form::Form,
    page::{ActionResult, Outcome},
    ui::{self, Icon, form::Confirm},
};

/// The button that pauses or enables a source.
pub(super) fn pause_button(context: &Context, source: &IngestSourceOut) -> Markup {
    let to = path(&source.id.to_string(), &["disabled"]);
    if source.disabled {
        return ui::action_button(context, &to, (Icon::Arrow, "Enable"), &[("disabled", "no")]);
    }
    let confirm = Confirm {
        id: "pause",
        button: "Pause",
        shape: Icon::Pause,
        title: "Pause this source?",
        submit: "Pause",
        path: &to,
        is_dangerous: false,
    };
    ui::confirm(
        context,
        &confirm,
        &html! {
            input type="hidden" name="disabled" value="yes";
            p { "Every request is rejected with status 404 until you enable the source again. Most providers repeat rejected requests for some time; what they no longer repeat is lost." }
        },
    )
}

/// The button that deletes a source.
pub(super) fn delete_button(context: &Context, source: &IngestSourceOut) -> Markup {
    let confirm = Confirm {
        id: "delete",
        button: "Delete",
        shape: Icon::Cross,
        title: "Delete this source?",
        submit: "Delete source",
        path: &path(&source.id.to_string(), &["delete"]),
        is_dangerous: true,
    };
    ui::confirm(
        context,
        &confirm,
        &html! {
            p { "Its URL stops working, and its secrets are removed. If the application was created with the source, the application is deleted as well, with its endpoints and pending deliveries." }
            p { "This cannot be undone." }
        },
    )
}

/// The button that replaces the URL of a source.
pub(super) fn rotate_button(context: &Context, source: &IngestSourceOut) -> Markup {
    let confirm = Confirm {
        id: "rotate-token",
        button: "Replace URL",
        shape: Icon::Repeat,
        title: "Replace the URL of this source?",
        submit: "Replace URL",
        path: &path(&source.id.to_string(), &["token", "rotate"]),
        is_dangerous: true,
    };
    ui::confirm(
        context,
        &confirm,
        &html! {
            p { "The present URL stops working at once. Enter the new one at the provider; requests that arrive at the old one are lost unless the provider repeats them." }
        },
    )
}

pub(super) async fn disable(context: Arc<Context>, form: Form) -> ActionResult {
    let id = context.param("source");
    let disabled = form.text("disabled") == Some("yes");
    let body = json!({ "disabled": disabled });
    let to = ingest(&["source", id]);
    context.api.send::<IngestSourceOut>(Method::PATCH, to, &body).await?;
    let done =
        if disabled { "The source is paused." } else { "The source accepts requests again." };
    Ok(Outcome::done(path(id, &[]), done))
}

pub(super) async fn delete(context: Arc<Context>, _: Form) -> ActionResult {
    context.api.delete(ingest(&["source", context.param("source")])).await?;
    Ok(Outcome::done("/sources", "The source was deleted."))
}

pub(super) async fn rotate_token(context: Arc<Context>, _: Form) -> ActionResult {
    let id = context.param("source");
    let to = ingest(&["source", id, "token", "rotate"]);
    context.api.post::<RotateTokenOut>(to, &json!({})).await?;
    Ok(Outcome::done(path(id, &[]), "The source has a new URL. Enter it at the provider."))
}
