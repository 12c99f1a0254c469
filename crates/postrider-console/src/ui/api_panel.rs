//! How to get the object of a page with other tools.

use maud::{Markup, html};
use serde::Serialize;

use super::code;
use crate::{api::ApiPath, context::Context};

/// An object as JSON, with the `curl` and `postrider` commands that return it.
pub(crate) fn api_panel(
    context: &Context,
    object: &impl Serialize,
    path: &ApiPath,
    command: Option<&str>,
) -> Markup {
    let json = serde_json::to_string_pretty(object).unwrap_or_default();
    let url = context.shared.site.url(&path.to_string());
    let curl = format!("curl -H \"Authorization: Bearer $POSTRIDER_TOKEN\" '{url}'");
    html! {
        details.api-panel {
            summary { "API" }
            div.stack {
                (code::block("curl", &curl))
                @if let Some(command) = command { (code::block("Command line", command)) }
                (code::json("JSON", &json, None))
            }
        }
    }
}
