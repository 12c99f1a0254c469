//! The form of a connector, and how it becomes the body of a request.

use maud::{Markup, html};
use postrider::api::{
    Patch,
    connector::{ConnectorIn, ConnectorKind, ConnectorOut, ConnectorPatch, ConnectorTemplateOut},
};

use crate::{
    api::ApiFailure,
    form::Form,
    ui::{self, Field},
};

/// The fields of the body that the form shows itself.
const SHOWN: [&str; 8] = [
    "name",
    "uid",
    "description",
    "transformation",
    "instructions",
    "allowedEventTypes",
    "featureFlags",
    "logo",
];

/// The name of a kind, as the API has it.
pub(super) fn kind_name(kind: ConnectorKind) -> String {
    format!("{kind:?}")
}

/// The fields that a template fills in.
pub(super) fn of_template(template: &ConnectorTemplateOut) -> Form {
    let is_own = template.kind == ConnectorKind::Custom;
    let text = |text: &str| if is_own { String::new() } else { text.to_owned() };
    Form::filled([
        ("name", text(&template.name)),
        ("description", text(&template.description)),
        ("instructions", text(&template.instructions)),
        ("transformation", template.transformation.clone()),
    ])
}

/// The fields of a connector that exists.
pub(super) fn filled(it: &ConnectorOut) -> Form {
    let types = it.allowed_event_types.iter().flatten().map(ToString::to_string);
    Form::filled([
        ("name", it.name.clone()),
        ("description", it.description.clone()),
        ("instructions", it.instructions.clone()),
        ("transformation", it.transformation.clone()),
        ("logo", it.logo.clone().unwrap_or_default()),
        ("types", types.collect::<Vec<_>>().join(" ")),
        ("flags", it.feature_flags.clone().unwrap_or_default().join(" ")),
    ])
}

/// The body that creates a connector.
pub(super) fn creation(form: &Form, kind: ConnectorKind) -> ConnectorIn {
    ConnectorIn {
        name: text(form, "name"),
        uid: form.text("uid").map(ToOwned::to_owned),
        logo: form.text("logo").map(ToOwned::to_owned),
        description: text(form, "description"),
        kind,
        instructions: text(form, "instructions"),
        allowed_event_types: words(form, "types"),
        transformation: text(form, "transformation"),
        feature_flags: words(form, "flags"),
        product_type: None,
    }
}

/// The body that changes a connector.
pub(super) fn change(form: &Form) -> ConnectorPatch {
    ConnectorPatch {
        name: Some(text(form, "name")),
        logo: patch(form.text("logo").map(ToOwned::to_owned)),
        description: Some(text(form, "description")),
        kind: None,
        instructions: Some(text(form, "instructions")),
        allowed_event_types: patch(words(form, "types")),
        transformation: Some(text(form, "transformation")),
        feature_flags: patch(words(form, "flags")),
    }
}

/// The text with the line breaks of the person's text; browsers send two characters for each.
fn text(form: &Form, name: &str) -> String {
    form.text(name).unwrap_or_default().replace("\r\n", "\n")
}

fn words(form: &Form, name: &str) -> Option<Vec<String>> {
    Some(form.words(name)).filter(|it| !it.is_empty())
}

fn patch<T>(value: Option<T>) -> Patch<T> {
    value.map_or(Patch::Clear, Patch::Set)
}

/// The fields; the uid is only for a new connector.
pub(super) fn fields(form: &Form, failure: Option<&ApiFailure>, is_new: bool) -> Markup {
    let field = |name, label, path| Field::new(name, label).sent(form, failure, path);
    html! {
        (ui::form::problems(failure, &SHOWN))
        (field("name", "Name", "name").required().placeholder("Slack").line())
        (field("description", "Description", "description").placeholder("Posts each event to a channel").line())
        (field("transformation", "Code", "transformation").required().code(14).hint(html! {
            "JavaScript. The function " code { "handler(webhook)" } " gets " code { "method" } ", " code { "url" } ", "
            code { "payload" } ", " code { "eventType" } " and " code { "env" } ", and returns the request."
        }).area())
        (field("instructions", "Instructions", "instructions").code(6).hint(html! {
            "How to set it up, in Markdown: which URL the endpoint needs, and which variables."
        }).area())
        (further(form, failure, is_new))
    }
}

fn further(form: &Form, failure: Option<&ApiFailure>, is_new: bool) -> Markup {
    let field = |name, label, path| Field::new(name, label).sent(form, failure, path);
    let names = ["types", "flags", "logo", "uid"];
    let is_open = failure.is_some() || names.iter().any(|it| form.text(it).is_some());
    html! {
        details.more-fields open[is_open] {
            summary { "More settings" }
            div.stack {
                (field("types", "Event types", "allowedEventTypes").code(1).placeholder("invoice.paid invoice.failed").hint(html! {
                    "The event types that an endpoint with this connector may get, separated by spaces. Empty for all."
                }).line())
                (field("flags", "Feature flags", "featureFlags").code(1).hint(html! {
                    "If there are any, only customers with one of these flags see it. Separate several with spaces."
                }).line())
                (field("logo", "Logo", "logo").kind("url").placeholder("https://example.com/logo.svg").line())
                @if is_new {
                    (field("uid", "Uid", "uid").code(1).hint(html! { "Your own identifier. It can be used wherever the id can." }).line())
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_becomes_the_body_of_a_request() {
        let form = Form::parse(
            b"name=Chat&transformation=function+handler()%7B%0D%0A%7D&types=a.b,+c.d&flags=&uid=chat",
        );
        let body = creation(&form, ConnectorKind::Slack);
        assert_eq!((body.name.as_str(), body.uid.as_deref()), ("Chat", Some("chat")));
        assert_eq!(body.transformation, "function handler(){\n}");
        assert_eq!(body.allowed_event_types, Some(vec!["a.b".to_owned(), "c.d".to_owned()]));
        assert_eq!((body.kind, body.feature_flags, body.logo), (ConnectorKind::Slack, None, None));
        let body = change(&form);
        assert_eq!((body.feature_flags, body.logo), (Patch::Clear, Patch::Clear));
        assert_eq!(body.name.as_deref(), Some("Chat"));
    }
}
