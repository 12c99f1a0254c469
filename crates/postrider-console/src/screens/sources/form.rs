//! The fields of a source.

use maud::{Markup, html};
use postrider::{
    api::{ApplicationOut, IngestSourceOut},
    provider::Provider,
};

use super::body::{GENERIC, parameter_field};
use crate::{api::ApiFailure, form::Form, ui::Field};

/// What the form of a source shows.
#[derive(Clone, Copy)]
pub(super) struct SourceForm<'a> {
    /// The id of the provider, `custom`, or `generic-webhook`.
    pub(super) kind: &'a str,
    pub(super) provider: Option<&'a Provider>,
    /// The source, if there is one already.
    pub(super) source: Option<&'a IngestSourceOut>,
    /// Applications to choose from.
    pub(super) applications: &'a [ApplicationOut],
    pub(super) sent: &'a Form,
    pub(super) failure: Option<&'a ApiFailure>,
}

/// The fields of the API that fields of the form show.
pub(super) const SHOWN: [&str; 12] = [
    "name",
    "uid",
    "appId",
    "secrets",
    "parameters",
    "model",
    "publicUrl",
    "dedupeWindowSeconds",
    "toleranceSeconds",
    "maxBody",
    "response",
    "verification",
];

/// What the form contains before anything was entered.
pub(super) fn initial(source: &IngestSourceOut) -> Form {
    let text = |value: Option<String>| value.unwrap_or_default();
    let number = |value: Option<u32>| value.map(|it| it.to_string()).unwrap_or_default();
    let mut fields = vec![
        ("name", source.name.clone()),
        ("uid", text(source.uid.as_ref().map(ToString::to_string))),
        ("public_url", text(source.public_url.clone())),
        ("dedupe_window", source.dedupe_window_seconds.to_string()),
        ("tolerance", number(source.tolerance_seconds)),
        ("max_body", number(source.max_body)),
        ("model", text(source.model.as_ref().map(|it| it.0.clone()))),
    ];
    if let Some(response) = &source.response {
        fields.push(("response_status", response.status.to_string()));
        fields.push(("response_body", response.body.clone()));
    }
    if source.dedupe_by_body {
        fields.push(("dedupe_by_body", "on".to_owned()));
    }
    if source.verification == postrider::api::ingest::Verification::None {
        fields.push(("open", "on".to_owned()));
    }
    Form::filled(fields)
}

impl SourceForm<'_> {
    /// All fields.
    pub(super) fn fields(&self) -> Markup {
        html! {
            (self.names())
            (self.verification())
            (self.further())
        }
    }

    fn field<'f>(&self, name: &'f str, label: &'f str, path: &str) -> Field<'f> {
        Field::new(name, label).sent(self.sent, self.failure, path)
    }

    fn names(&self) -> Markup {
        html! {
            (self.field("name", "Name", "name").required().line())
            @if self.source.is_none() {
                (self.field("app_id", "Deliver to application", "appId")
                    .list("applications")
                    .placeholder("A new application for this source")
                    .hint(html! { "What the source receives becomes a message of this application, and is delivered to its endpoints. Enter its id or uid; leave it empty to create an application for this source." })
                    .line())
                datalist id="applications" {
                    @for it in self.applications {
                        option value=(it.uid.as_ref().map_or_else(|| it.id.to_string(), ToString::to_string)) { (it.name) }
                    }
                }
            }
        }
    }

    fn verification(&self) -> Markup {
        let is_generic = self.kind == GENERIC;
        html! {
            @if self.source.is_none() && !is_generic && self.provider.is_none_or(Provider::is_signed) {
                (self.secret())
            }
            @for it in self.provider.map_or(&[][..], |it| &it.parameters) {
                (self.parameter(&it.name, &it.description, it.required))
            }
            @if self.kind == "custom" {
                (self.field("model", "How the provider signs", "model").code(10).required()
                    .hint(html! { "A model as JSON: where the signature is, what it covers, and how it is encoded. The documentation has examples." })
                    .area())
            }
            @if !is_generic {
                (self.field("open", "Accept requests without verification", "verification")
                    .hint(html! { "Everyone who knows the URL can then send requests that count as genuine." })
                    .checkbox())
            }
        }
    }

    fn secret(&self) -> Markup {
        let hint = self.provider.map_or("As the provider shows it.", |it| it.secret.as_str());
        let field = self.field("secret", "Secret", "secrets").code(1);
        field.hint(html! { (hint) " You can also set it later; until then, every request is rejected." }).area()
    }

    fn parameter(&self, name: &str, description: &str, is_required: bool) -> Markup {
        let is_set = self.source.is_some_and(|it| it.parameter_names.iter().any(|it| it == name));
        let field = parameter_field(name);
        let path = format!("parameters.{name}");
        let shown = self.field(&field, name, &path).code(1);
        let shown =
            if is_set { shown.placeholder("Set. Leave it empty to keep it.") } else { shown };
        let shown = if is_required && !is_set { shown.required() } else { shown };
        shown.hint(html! { (description) }).line()
    }

    fn further(&self) -> Markup {
        let is_open = self.failure.is_some() || self.source.is_some();
        html! {
            details open[is_open] {
                summary { "More settings" }
                div.stack {
                    (self.field("uid", "Your own id", "uid").code(1).hint(html! { "It can be used wherever the id can." }).line())
                    (self.field("public_url", "URL that the provider uses", "publicUrl").code(1)
                        .hint(html! { "Only if requests arrive through a proxy at another URL. Some providers sign it." }).line())
                    div.form-row {
                        (self.field("dedupe_window", "Recognize duplicates for", "dedupeWindowSeconds").kind("number").placeholder("604800")
                            .hint(html! { "Seconds; 0 accepts every request." }).line())
                        (self.field("tolerance", "Maximum age of a signature", "toleranceSeconds").kind("number").placeholder("as the provider recommends")
                            .hint(html! { "Seconds." }).line())
                        (self.field("max_body", "Maximum size of a body", "maxBody").kind("number").placeholder("as the server allows")
                            .hint(html! { "Bytes." }).line())
                    }
                    (self.field("dedupe_by_body", "Requests with the same body are the same event", "dedupeByBody")
                        .hint(html! { "Only used if the provider sends no unique event id." }).checkbox())
                    div.form-row {
                        (self.field("response_status", "Status of the response", "response.status").kind("number").placeholder("as the provider expects")
                            .hint(html! { "200 to 299." }).line())
                        (self.field("response_body", "Body of the response", "response.body").code(1).line())
                    }
                }
            }
        }
    }
}
