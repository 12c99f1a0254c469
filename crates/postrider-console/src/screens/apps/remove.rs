//! Deleting applications.

use std::sync::Arc;

use maud::{Markup, html};
use postrider::api::{ApplicationOut, ApplicationStateOut};

use crate::{
    api::v1,
    context::Context,
    form::Form,
    page::{ActionResult, Outcome},
    ui::{
        self, Field, Icon,
        form::{Confirm, confirm},
    },
};

/// The button that deletes an application, and its dialog.
pub(super) fn button(
    context: &Context,
    app: &ApplicationOut,
    state: &ApplicationStateOut,
) -> Markup {
    let path = context.app_path(&app.id.to_string(), &["delete"]);
    let name = identifier(app);
    let dialog = Confirm {
        id: "delete-application",
        button: "Delete",
        shape: Icon::Cross,
        title: &format!("Delete {}?", app.name),
        submit: "Delete application",
        path: &path,
        is_dangerous: true,
    };
    confirm(
        context,
        &dialog,
        &html! {
            ul.bullets {
                li { (ui::plural(state.endpoints, "endpoint")) " will be deleted." }
                li { "Pending deliveries are canceled; at present there are " (ui::number(state.pending)) "." }
                li { "Its messages and attempts can no longer be read." }
                li { "Links to its portal stop working." }
            }
            p { "This cannot be undone." }
            (Field::new("confirmation", &format!("Type {name} to confirm")).required().code(1).line())
        },
    )
}

pub(super) async fn delete(context: Arc<Context>, form: Form) -> ActionResult {
    let path = v1(&["app", &context.app()]);
    let app: ApplicationOut = context.api.get(path.clone()).await?;
    if form.text("confirmation") != Some(&identifier(&app)) {
        let back = context.app_path(&app.id.to_string(), &[]);
        let message = format!("Nothing was deleted: what you typed is not {}.", identifier(&app));
        return Ok(Outcome::failed(back, message));
    }
    context.api.delete(path).await?;
    Ok(Outcome::done("/apps", format!("Deleted the application {}.", app.name)))
}

fn identifier(app: &ApplicationOut) -> String {
    app.uid.as_ref().map_or_else(|| app.id.to_string(), ToString::to_string)
}
