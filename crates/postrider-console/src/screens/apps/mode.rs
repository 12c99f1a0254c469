//! Whether the messages of an application are sent: the badge, the banner and the switch.

use std::sync::Arc;

use http::Method;
use maud::{Markup, html};
use postrider::api::{ApplicationMode, ApplicationOut, ApplicationPatch};

use crate::{
    api::v1,
    context::Context,
    form::Form,
    page::{ActionResult, Outcome, Tone},
    ui::{
        self, Icon, badge,
        form::{Confirm, confirm},
    },
    viewer::Action,
};

/// A badge for an application in shadow mode.
pub(super) fn shadow_badge(app: &ApplicationOut) -> Markup {
    match app.mode {
        ApplicationMode::Live => Markup::default(),
        ApplicationMode::Shadow => badge(Tone::Warning, Icon::Half, "Shadow mode"),
    }
}

/// What shadow mode means, with the button that ends it.
pub(super) fn banner(context: &Context, app: &ApplicationOut) -> Markup {
    if app.mode.is_live() {
        return Markup::default();
    }
    ui::banner(
        Tone::Warning,
        "This application is in shadow mode",
        &html! {
            p { "Messages are filtered, transformed and signed, and attempts record the requests, but nothing is sent." }
            @if context.may(Action::Operate) { (go_live(context, app)) }
        },
    )
}

fn go_live(context: &Context, app: &ApplicationOut) -> Markup {
    let path = context.app_path(&app.id.to_string(), &["live"]);
    let dialog = Confirm {
        id: "go-live",
        button: "Go live",
        shape: Icon::Send,
        title: &format!("Send the messages of {}?", app.name),
        submit: "Go live",
        path: &path,
        is_dangerous: false,
    };
    confirm(
        context,
        &dialog,
        &html! {
            p { "Messages are sent from now on. Those that were recorded so far are not, unless you resend them." }
            p { "Stop the other system from sending to these endpoints first, or they get every message twice." }
        },
    )
}

pub(super) async fn live(context: Arc<Context>, _: Form) -> ActionResult {
    let mode = Some(ApplicationMode::Live);
    let patch = ApplicationPatch { mode, ..ApplicationPatch::default() };
    let path = v1(&["app", &context.app()]);
    let app: ApplicationOut = context.api.send(Method::PATCH, path, &patch).await?;
    let page = context.app_path(&app.id.to_string(), &[]);
    Ok(Outcome::done(page, format!("{} is live: its messages are sent.", app.name)))
}
