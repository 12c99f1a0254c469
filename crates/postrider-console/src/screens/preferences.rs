//! The theme and the time zone.

use std::{sync::Arc, time::Duration};

use postrider_core::sign_in::return_path;

use crate::{
    context::Context,
    cookie,
    form::Form,
    page::{ActionResult, Outcome},
    response::{append, redirect},
    theme::{Theme, Zone},
};

/// How long preferences are kept: a year.
const LIFETIME: Duration = Duration::from_secs(365 * 24 * 60 * 60);

pub(crate) async fn save(context: Arc<Context>, form: Form) -> ActionResult {
    let return_to = form.text("return_to").and_then(return_path).unwrap_or("/");
    let mut response = redirect(&context.link(return_to));
    let transport = context.shared.site.transport();
    let theme = form.text("theme").and_then(Theme::parse).unwrap_or_default();
    let zone = form.text("zone").and_then(Zone::parse).unwrap_or_default();
    append(&mut response, cookie::THEME.set(theme.name(), Some(LIFETIME), transport));
    append(&mut response, cookie::ZONE.set(zone.name(), Some(LIFETIME), transport));
    let keys = if form.has("keys") { "on" } else { "off" };
    append(&mut response, cookie::KEYS.set(keys, Some(LIFETIME), transport));
    Ok(Outcome::Response(Box::new(response)))
}
