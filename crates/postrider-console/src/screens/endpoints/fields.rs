//! The form of an endpoint: for a new one, and for one that is changed.

use http::StatusCode;
use maud::{Markup, html};
use postrider::api::{EndpointKind, EventTypeOut};

use super::{
    config, event_types,
    kinds::{self, ConfigField, Input},
    signing,
};
use crate::{
    api::ApiFailure,
    form::Form,
    ui::{self, Field},
};

/// The fields of the body whose problems the form shows itself.
const SHOWN: [&str; 16] = [
    "url",
    "description",
    "uid",
    "eventTypes",
    "channels",
    "filter",
    "throttleRate",
    "skipAfter",
    "batch.size",
    "batch.maxWaitSeconds",
    "trustedCertificates",
    "metadata",
    "secret",
    "headers",
    "config",
    "signing",
];

/// What a form shows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown<'a> {
    pub(super) kind: EndpointKind,
    pub(super) form: &'a Form,
    pub(super) failure: Option<&'a ApiFailure>,
    pub(super) event_types: &'a [EventTypeOut],
    /// The stored configuration of an endpoint that exists.
    pub(super) stored: Option<&'a serde_json::Map<String, serde_json::Value>>,
    /// Whether the endpoint does not exist yet.
    pub(super) is_new: bool,
}

impl Shown<'_> {
    fn field<'b>(&self, name: &'b str, label: &'b str) -> Field<'b> {
        Field::new(name, label).sent(self.form, None, name).problem(self.problem(name))
    }

    fn problem(&self, field: &str) -> Option<String> {
        let failure = self.failure?;
        // Conflicts have no location.
        if self.is_uid_taken() && field == "uid" {
            return Some(failure.to_string());
        }
        failure.of_field(field)
    }

    fn is_uid_taken(&self) -> bool {
        self.failure.is_some_and(|it| it.status() == StatusCode::CONFLICT)
            && self.form.text("uid").is_some()
    }

    /// All fields, in sections.
    pub(super) fn fields(&self) -> Markup {
        html! {
            (ui::form::problems(self.failure.filter(|_| !self.is_uid_taken()), &SHOWN))
            @if let Some(problem) = self.problem_of_whole_config() {
                (ui::notice(crate::page::Tone::Bad, &html! { (problem) }))
            }
            section.section aria-label="Destination" {
                @if self.kind.is_http() { (self.url()) } @else { (self.config(false)) }
                (self.field("description", "Description").placeholder("What the receiver is, for people").line())
                @if kinds::form(self.kind).fields.iter().any(|it| it.is_advanced) { (self.advanced_config()) }
            }
            section.section {
                h2 { "Messages" }
                (event_types::choice(self.event_types, self.form, self.problem("eventTypes").as_deref()))
                (self.field("channels", "Channels").placeholder("eu, customer-17")
                    .hint(html! { "Separated by commas, up to 10. The endpoint then gets only messages that have one of them. Empty for all messages." }).line())
                (self.field("filter", "Filter").code(2).placeholder("payload.amount > 100")
                    .hint(html! { "An expression in CEL over " code { "type" } ", " code { "channels" } ", " code { "tags" } ", " code { "metadata" } ", " code { "headers" } " and " code { "payload" } ". The endpoint then gets only messages for which it is true. Empty for all messages." }).area())
            }
            section.section {
                h2 { "Delivery" }
                (self.delivery())
            }
            (self.more())
        }
    }

    fn url(&self) -> Markup {
        self.field("url", "URL").kind("url").required().placeholder("https://example.com/webhooks")
            .hint(html! { "Messages are posted here. The receiver has to respond with a status from 200 to 299 within the time limit." })
            .line()
    }

    fn delivery(&self) -> Markup {
        html! {
            div.two {
                (self.field("throttleRate", "Rate limit").kind("number").placeholder("No limit")
                    .hint(html! { "Most attempts per second." }).line())
            }
            (self.field("strictRate", "Count the attempts of all nodes together")
                .hint(html! { "Otherwise, the rate limit applies to each node." }).checkbox())
            (self.field("fifo", "Keep the order of messages")
                .hint(html! { "One delivery at a time. A failing one holds up the later ones until it succeeds or is given up." }).checkbox())
            (self.field("skipAfter", "Skip a message after").kind("number").placeholder("The end of the retry schedule")
                .hint(html! { "Failed attempts, if the order is kept. 0 means never: the message is retried until somebody skips it." }).line())
            @if self.kind.is_http() {
                div.two {
                    (self.field("batch.size", "Messages in a request").kind("number").placeholder("1, without a list")
                        .hint(html! { "Most messages of a batch, up to 1,000." }).line())
                    (self.field("batch.maxWaitSeconds", "Wait for a batch").kind("number").placeholder("0")
                        .hint(html! { "Seconds, up to 300." }).line())
                }
            }
        }
    }

    /// What most endpoints do not need.
    fn more(&self) -> Markup {
        let names = ["uid", "metadata", "secret", "headers", "trustedCertificates", "signing"];
        let is_open = names.iter().any(|it| self.problem(it).is_some());
        html! {
            details.more-fields open[is_open] {
                summary { "More settings" }
                div.stack {
                    (self.field("uid", "Uid").code(1).placeholder("production")
                        .hint(html! { "Your own identifier, unique in the application. It can be used wherever the id can." }).line())
                    @if self.kind.is_http() && self.is_new {
                        (self.field("headers", "Headers").code(3).placeholder("X-Api-Key: …")
                            .hint(html! { "Sent with every request, one " code { "Name: value" } " per line." }).area())
                        (self.field("secret", "Signing secret").kind("password").placeholder("whsec_…")
                            .hint(html! { "To use a secret of your own. By default, one is generated." }).line())
                    }
                    @if self.kind.is_http() {
                        (self.signing())
                        (self.field("trustedCertificates", "Trusted certificates").code(3).placeholder("-----BEGIN CERTIFICATE-----")
                            .hint(html! { "In PEM. Requests to the endpoint trust only these." }).area())
                        (self.field("forwardTraceContext", "Forward the trace context")
                            .hint(html! { "Requests have the headers " code { "traceparent" } " and " code { "tracestate" } ", so that the receiver’s traces continue those of the publisher." }).checkbox())
                    }
                    (self.field("metadata", "Metadata").code(3).placeholder("team: billing")
                        .hint(html! { "One " code { "name: value" } " per line." }).area())
                }
            }
        }
    }

    /// How requests are signed.
    fn signing(&self) -> Markup {
        let options = signing::options(self.form);
        let options: Vec<_> = options.iter().map(|(id, name)| (*id, name.as_str())).collect();
        html! {
            (self.field(signing::PROFILE, "Signatures").problem(self.problem("signing"))
                .hint(html! { "For a receiver that verified the webhooks of another system." }).select(&options))
            (self.field(signing::SECRET, "Secret of the other system").kind("password").placeholder("Leave empty to keep it")
                .hint(html! { "What the receiver verifies with. Generated if there is none." }).line())
            (self.field(signing::STANDARD, "Also sign by Standard Webhooks")
                .hint(html! { "While the receiver changes over." }).checkbox())
        }
    }

    fn advanced_config(&self) -> Markup {
        let fields = kinds::form(self.kind).fields.iter().filter(|it| it.is_advanced);
        let is_open = fields.into_iter().any(|it| self.problem(&config::field_name(it)).is_some());
        html! {
            details.more-fields open[is_open] {
                summary { "More about the destination" }
                div.stack { (self.config(true)) }
            }
        }
    }

    fn config(&self, is_advanced: bool) -> Markup {
        let fields =
            kinds::form(self.kind).fields.iter().filter(|it| it.is_advanced == is_advanced);
        html! { @for field in fields { (self.config_field(field)) } }
    }

    fn config_field(&self, field: &ConfigField) -> Markup {
        let name = config::field_name(field);
        let shown = self.field(&name, field.label);
        let shown = if field.hint.is_empty() { shown } else { shown.hint(html! { (field.hint) }) };
        let shown = if field.example.is_empty() { shown } else { shown.placeholder(field.example) };
        let is_stored = self.is_stored(field);
        let shown = if field.is_required && !is_stored { shown.required() } else { shown };
        match field.input {
            Input::Text | Input::NumberOrText => shown.line(),
            Input::Number => shown.kind("number").line(),
            Input::Secret => self.secret(field, shown.kind("password"), is_stored),
            Input::SecretText => html! {
                (shown.code(3).area())
                @if is_stored { (self.removal(field)) }
            },
            Input::Flag(_) => shown.checkbox(),
            Input::Choice(options) => shown.select(options),
            Input::Long => shown.code(3).area(),
            Input::Lines | Input::Pairs => shown.code(2).area(),
            Input::Json => shown.code(4).area(),
        }
    }

    fn secret(&self, field: &ConfigField, shown: Field<'_>, is_stored: bool) -> Markup {
        let shown =
            if is_stored { shown.placeholder("Stored. Leave empty to keep it.") } else { shown };
        html! {
            (shown.line())
            @if is_stored && !field.is_required { (self.removal(field)) }
        }
    }

    fn removal(&self, field: &ConfigField) -> Markup {
        let name = config::removal_name(field);
        let label = format!("Remove the stored value of “{}”", field.label);
        self.field(&name, &label).checkbox()
    }

    fn is_stored(&self, field: &ConfigField) -> bool {
        let is_secret = matches!(field.input, Input::Secret | Input::SecretText);
        is_secret && self.stored.is_some_and(|it| it.contains_key(field.name))
    }

    /// What is wrong with the configuration, if no field of it shows it.
    fn problem_of_whole_config(&self) -> Option<String> {
        let fields = kinds::form(self.kind).fields.iter();
        let is_shown = fields.into_iter().any(|it| self.problem(&config::field_name(it)).is_some());
        self.problem("config").filter(|_| !is_shown)
    }
}
