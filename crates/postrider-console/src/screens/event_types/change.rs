//! Archiving and deleting event types.

use std::sync::Arc;

use http::Method;
use maud::{Markup, html};
use postrider::api::{EventTypeOut, EventTypePatch};

use super::catalog::path;
use crate::{
    api::v1,
    context::Context,
    form::Form,
    page::{ActionResult, Outcome},
    ui::{
        Icon, action_button,
        form::{Confirm, confirm},
        icon,
    },
};

/// The buttons of an event type's page.
pub(super) fn actions(context: &Context, it: &EventTypeOut) -> Markup {
    let name = it.name.as_str();
    let link = |action| context.link(&path(context, &[name, action]));
    html! {
        (delete_button(context, name))
        @if it.archived {
            (action_button(context, &path(context, &[name, "archive"]), (Icon::Repeat, "Unarchive"), &[("archived", "no")]))
        } @else { (archive_button(context, name)) }
        a.button.secondary href=(link("edit")) { (icon(Icon::Settings)) "Edit" }
        a.button href=(link("send")) { (icon(Icon::Send)) "Send example" }
    }
}

fn archive_button(context: &Context, name: &str) -> Markup {
    let dialog = Confirm {
        id: "archive-event-type",
        button: "Archive",
        shape: Icon::Pause,
        title: &format!("Archive {name}?"),
        submit: "Archive",
        path: &path(context, &[name, "archive"]),
        is_dangerous: false,
    };
    confirm(
        context,
        &dialog,
        &html! {
            input type="hidden" name="archived" value="yes";
            p { "Messages of an archived event type are refused, and customers no longer see it. Endpoints keep their subscriptions. You can unarchive it at any time." }
        },
    )
}

fn delete_button(context: &Context, name: &str) -> Markup {
    let dialog = Confirm {
        id: "delete-event-type",
        button: "Delete",
        shape: Icon::Cross,
        title: &format!("Delete {name}?"),
        submit: "Delete event type",
        path: &path(context, &[name, "delete"]),
        is_dangerous: true,
    };
    confirm(
        context,
        &dialog,
        &html! {
            p { "Its description and its schemas are deleted. Messages that were published stay, and endpoints keep their subscriptions." }
            p { "This cannot be undone. To only hide it, archive it." }
        },
    )
}

pub(super) async fn archive(context: Arc<Context>, form: Form) -> ActionResult {
    let name = context.param("name");
    let archived = form.text("archived") == Some("yes");
    let patch = EventTypePatch { archived: Some(archived), ..EventTypePatch::default() };
    let api_path = v1(&["event-type", name]);
    let _: EventTypeOut = context.api.send(Method::PATCH, api_path, &patch).await?;
    let done = if archived { "Archived" } else { "Unarchived" };
    Ok(Outcome::done(path(&context, &[name]), format!("{done} {name}.")))
}

pub(super) async fn delete(context: Arc<Context>, _: Form) -> ActionResult {
    let name = context.param("name");
    context.api.delete(v1(&["event-type", name]).with("expunge", true)).await?;
    Ok(Outcome::done(path(&context, &[]), format!("Deleted the event type {name}.")))
}
