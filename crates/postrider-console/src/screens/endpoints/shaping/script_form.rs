//! The form of a transformation.

use maud::{Markup, html};
use postrider::api::{
    MessageOut, connector::ConnectorOut, transformation::EndpointTransformationOut,
};

use super::{
    super::subject::Subject,
    sample,
    start::Start,
    trial::Tried,
    variables::{self, MASK},
};
use crate::{
    api::ApiFailure,
    context::Context,
    form::Form,
    ui::{self, Field, Icon, icon, refusal::Refusal},
};

/// The fields of the body that the form shows itself.
const SHOWN: [&str; 6] = ["code", "enabled", "variables", "eventType", "payload", "connector"];

const EXAMPLE: &str = "function handler(webhook) {\n  webhook.payload = { text: webhook.eventType };\n  return webhook;\n}";

/// The fields with the stored transformation, or with code to begin with.
pub(super) async fn filled(
    context: &Context,
    subject: &Subject,
    start: Option<&Start>,
) -> Result<Form, ApiFailure> {
    let path = subject.api(&["transformation"]);
    let stored: EndpointTransformationOut = context.api.get(path).await?;
    let origin = match start {
        Some(start) => start.connector.clone(),
        None => origin(context, subject, &stored).await?,
    };
    let mut rows: Vec<_> =
        stored.variables.unwrap_or_default().into_keys().map(|it| (it, MASK.to_owned())).collect();
    for variable in start.into_iter().flat_map(|it| &it.variables) {
        if !rows.iter().any(|it| it.0 == variable.name) {
            rows.push((variable.name.clone(), String::new()));
        }
    }
    let code = start.map(|it| it.code.clone()).or(stored.code).unwrap_or_default();
    let mut fields =
        vec![("code".to_owned(), code), ("connector".to_owned(), origin.unwrap_or_default())];
    if stored.enabled || start.is_some() {
        fields.push(("enabled".to_owned(), "on".to_owned()));
    }
    fields.extend(variables::fields(&rows));
    Ok(Form::filled(fields.iter().map(|(name, value)| (name.as_str(), value.clone()))))
}

/// The code with the line breaks of the person's text; browsers send two characters for each.
pub(super) fn code(form: &Form) -> String {
    form.text("code").unwrap_or_default().replace("\r\n", "\n")
}

/// Whether the form has a transformation that differs from the stored one.
pub(super) async fn is_unsaved(
    context: &Context,
    subject: &Subject,
    form: &Form,
) -> Result<bool, ApiFailure> {
    if !form.has("code") {
        return Ok(false);
    }
    let stored = filled(context, subject, None).await?;
    let is_same = code(form) == code(&stored)
        && form.has("enabled") == stored.has("enabled")
        && variables::rows(form) == variables::rows(&stored);
    Ok(!is_same)
}

/// The connector that the stored code comes from.
async fn origin(
    context: &Context,
    subject: &Subject,
    stored: &EndpointTransformationOut,
) -> Result<Option<String>, ApiFailure> {
    if stored.code.is_none() {
        return Ok(None);
    }
    let found: Option<ConnectorOut> = context.api.get(subject.api(&["connector"])).await?;
    Ok(found.map(|it| it.id.to_string()))
}

/// The form, and what came of it when it was sent.
pub(super) struct ScriptForm<'a> {
    pub(super) subject: &'a Subject,
    pub(super) form: &'a Form,
    pub(super) tried: Option<&'a Tried>,
    pub(super) samples: &'a [MessageOut],
    pub(super) start: Option<&'a Start>,
}

impl ScriptForm<'_> {
    pub(super) fn markup(&self, context: &Context) -> Markup {
        // The explanations of a connector stay after a trial.
        let start = context.query.only(&["from"]);
        let path = start.on(&self.subject.path(context, &["transformation"]));
        html! {
            div.editor {
                @if let Some(start) = self.start { (start.markup()) }
                div.stack { (self.fields(&context.link(&format!("{path}#trial")))) }
            }
        }
    }

    fn fields(&self, path: &str) -> Markup {
        let none = Refusal::default();
        let refusal = self.tried.map_or(&none, |it| &it.refusal);
        let known = self.start.map_or(&[][..], |it| &it.variables);
        html! {
            (ui::form::problems(refusal.failure.as_ref(), &SHOWN))
            (ui::form::hidden(&[("connector", self.form.raw("connector").unwrap_or_default())]))
            (self.code(refusal))
            (refusal.field(self.form, "enabled", "Transform deliveries", "enabled")
                .hint(html! { "Otherwise, messages are sent as they were published." }).checkbox())
            (variables::markup(self.form, refusal.problem("variables", "variables").as_deref(), known))
            (sample::fields(self.samples, self.form, refusal))
            @if self.tried.is_some_and(Tried::has_failed) {
                (Field::new("anyway", "Save although it failed").sent(self.form, None, "").checkbox())
            }
            div.buttons {
                button.secondary type="submit" name="do" value="try" formaction=(path) { (icon(Icon::Inspect)) "Try transformation" }
                button type="submit" name="do" value="save" formaction=(path) { "Save transformation" }
            }
        }
    }

    fn code(&self, refusal: &Refusal) -> Markup {
        refusal
            .field(self.form, "code", "Code", "code")
            .code(12)
            .placeholder(EXAMPLE)
            .hint(html! {
                "JavaScript. The function " code { "handler(webhook)" } " gets " code { "method" } ", " code { "url" } ", "
                code { "payload" } ", " code { "eventType" } " and " code { "env" } ", and returns the request. "
                code { "cancel: true" } " in it sends nothing. Saving first tries the code as below. Empty to remove the transformation."
            })
            .area()
    }
}
