//! How the customer portal looks.

mod body;
mod preview;

use std::sync::Arc;

use http::Method;
use maud::{Markup, html};
use serde_json::{Map, Value};

use self::body::{COLORS, changed, filled};
use super::tabs;
use crate::{
    api::{ApiFailure, v1},
    context::Context,
    form::Form,
    page::{ActionResult, Outcome, Page, PageResult},
    ui::{self, Field},
};

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    if let Some(refusal) = tabs::refusal(&context) {
        return Ok(refusal);
    }
    let settings = load(&context).await?;
    Ok(view(&context, &filled(&settings), None))
}

async fn load(context: &Context) -> Result<Map<String, Value>, ApiFailure> {
    context.api.get(v1(&["management", "environment-settings"])).await
}

/// Saves the theme, or only shows it.
pub(super) async fn save(context: Arc<Context>, form: Form) -> ActionResult {
    if form.has("preview") {
        return Ok(Outcome::page(view(&context, &form, None)));
    }
    let body = changed(&form, &load(&context).await?);
    let path = v1(&["management", "environment-settings"]);
    match context.api.send::<Value>(Method::PATCH, path, &body).await {
        Ok(_) => Ok(Outcome::done(
            "/settings/theme",
            "The theme was saved. Open pages of the portal show it when they are loaded again.",
        )),
        Err(error) if error.is_input() => Ok(Outcome::again(view(&context, &form, Some(&error)))),
        Err(error) => Err(error.into()),
    }
}

fn view(context: &Context, form: &Form, failure: Option<&ApiFailure>) -> Page {
    tabs::page(context).part(html! {
        div.split.theme {
            section.section {
                h2 { "Theme of the portal" }
                (ui::form(context, "/settings/theme", &fields(form, failure)))
            }
            aside.stack aria-label="Preview" {
                h2 { "Preview" }
                (preview::preview(form))
            }
        }
    })
}

fn fields(form: &Form, failure: Option<&ApiFailure>) -> Markup {
    let field = |name, label, path: &str| Field::new(name, label).sent(form, failure, path);
    html! {
        (ui::form::problems(failure, &["displayName", "customLogoUrl", "customFontFamily", "customBaseFontSize", "colorPaletteLight", "colorPaletteDark"]))
        (field("displayName", "Name", "displayName").placeholder("Webhooks").line())
        (field("customLogoUrl", "URL of the logo", "customLogoUrl").kind("url").code(1).placeholder("https://example.com/logo.svg")
            .hint(html! { "The browsers of your customers load it." }).line())
        div.form-row {
            (field("customFontFamily", "Font", "customFontFamily").placeholder("system font")
                .hint(html! { "A font that browsers have." }).line())
            (field("customBaseFontSize", "Size of texts", "customBaseFontSize").kind("number").placeholder("14")
                .hint(html! { "12 to 20 pixels." }).line())
        }
        @for (name, title, defaults) in body::PALETTES {
            fieldset {
                legend { (title) }
                div.form-row.colors {
                    @for ((color, label), default) in COLORS.iter().zip(defaults) {
                        @let key = format!("{name}.{color}");
                        (Field::new(&key, label).sent(form, failure, &key).code(1).placeholder(default).line())
                    }
                }
            }
        }
        div.buttons {
            button type="submit" { "Save" }
            button.secondary type="submit" name="preview" value="yes" { "Preview" }
        }
    }
}
