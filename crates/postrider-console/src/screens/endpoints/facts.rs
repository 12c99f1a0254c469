//! The settings of an endpoint, for reading.

use maud::{Markup, html};
use postrider::api::{EndpointAuthenticationType, EndpointOrdering};
use serde_json::Value;

use super::{
    config,
    kinds::{self, ConfigField, Input},
    signing,
    subject::Subject,
};
use crate::{context::Context, ui, viewer::Action};

/// Names that are listed before the rest is folded.
const SHOWN: usize = 8;

pub(super) fn card(context: &Context, subject: &Subject) -> Markup {
    let endpoint = &subject.endpoint;
    html! {
        aside.card.settings-card aria-label="Settings" {
            div.section-head {
                h2 { "Settings" }
                @if context.may(Action::ManageEndpoints) {
                    a href=(context.link(&subject.path(context, &["settings"]))) { "Edit" }
                }
            }
            dl.facts.single {
                (fact("Kind", &html! { (kinds::form(endpoint.kind).title) }))
                @if !endpoint.url.is_empty() { (fact("Address", &html! { code { (endpoint.url) } })) }
                (fact("Event types", &event_types(subject)))
                (fact("Channels", &channels(subject)))
                @if let Some(filter) = &endpoint.filter { (fact("Filter", &html! { code.multiline { (filter) } })) }
                (fact("Rate limit", &rate(subject)))
                (fact("Order", &html! { @match endpoint.ordering {
                    EndpointOrdering::Any => "As soon as possible",
                    EndpointOrdering::Fifo => "Kept: one request at a time",
                } }))
                @if let Some(batch) = endpoint.batch {
                    (fact("Batches", &html! {
                        "Up to " (ui::plural(batch.size.into(), "message"))
                        @if batch.max_wait_seconds > 0 { ", which wait up to " (batch.max_wait_seconds) " s" }
                    }))
                }
                (fact("Retries", &html! { @match endpoint.skip_after {
                    None => "By the server’s retry schedule",
                    Some(0) => "Until the message is delivered or skipped",
                    Some(count) => (format!("A message is skipped after {count} failed attempts")),
                } }))
                @if endpoint.trusted_certificates.is_some() { (fact("Certificates", &html! { "Only its own are trusted" })) }
                @if endpoint.forward_trace_context { (fact("Traces", &html! { "Requests have the trace context" })) }
                @if let Some(text) = authentication(context, subject) { (fact("Authentication", &text)) }
                @if let Some(signing) = &endpoint.signing { (fact("Signatures", &html! {
                    (signing::name(&signing.profile))
                    @if signing.standard { ", and Standard Webhooks" }
                })) }
                @if let Some(uid) = &endpoint.uid { (fact("Uid", &html! { code { (uid) } })) }
                (configuration(subject))
                @if !endpoint.metadata.is_empty() { (fact("Metadata", &metadata(subject))) }
                (fact("Created", &ui::time(context, endpoint.created_at)))
                @if endpoint.updated_at != endpoint.created_at { (fact("Changed", &ui::time(context, endpoint.updated_at))) }
            }
        }
    }
}

fn fact(name: &str, value: &Markup) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

fn event_types(subject: &Subject) -> Markup {
    let Some(types) = &subject.endpoint.event_types.0 else { return html! { "All" } };
    let (shown, rest) = types.split_at(types.len().min(SHOWN));
    html! {
        ul { @for name in shown { li { code { (name) } } } }
        @if !rest.is_empty() {
            details {
                summary { (ui::number(rest.len() as u64)) " more" }
                ul { @for name in rest { li { code { (name) } } } }
            }
        }
    }
}

fn channels(subject: &Subject) -> Markup {
    let channels = subject.endpoint.channels.as_ref();
    html! { (channels.map_or_else(|| "All".to_owned(), |it| it.join(", "))) }
}

fn rate(subject: &Subject) -> Markup {
    let Some(rate) = subject.endpoint.throttle_rate.0 else { return html! { "None" } };
    html! {
        (ui::number(rate.into())) " attempts/s"
        @if subject.endpoint.strict_rate { ", all nodes together" }
    }
}

/// How requests authenticate, in addition to their signature.
fn authentication(context: &Context, subject: &Subject) -> Option<Markup> {
    let ways: Vec<_> = [credential(subject), oauth(subject), certificate(context, subject)]
        .into_iter()
        .flatten()
        .collect();
    (!ways.is_empty()).then(|| html! { ul { @for way in ways { li { (way) } } } })
}

fn credential(subject: &Subject) -> Option<Markup> {
    let authentication = subject.endpoint.authentication.as_ref()?;
    Some(match authentication.authentication_type {
        EndpointAuthenticationType::Basic => html! {
            "Basic, as " code { (authentication.username.as_deref().unwrap_or_default()) }
        },
        EndpointAuthenticationType::Bearer => html! { "Bearer token" },
        EndpointAuthenticationType::Header => html! {
            "Header " code { (authentication.name.as_deref().unwrap_or_default()) }
        },
    })
}

fn oauth(subject: &Subject) -> Option<Markup> {
    let config = subject.oauth.as_ref()?;
    Some(html! { "OAuth 2.0, with tokens from " code { (config.token_url) } })
}

fn certificate(context: &Context, subject: &Subject) -> Option<Markup> {
    let config = subject.mtls.as_ref()?;
    Some(html! {
        "Client certificate"
        @if let Some(name) = &config.subject { " of " code { (name) } }
        @if let Some(expires_at) = config.expires_at { ", expires " (ui::time(context, expires_at)) }
    })
}

fn metadata(subject: &Subject) -> Markup {
    html! { ul { @for (name, value) in &subject.endpoint.metadata { li { span.soft { (name) ": " } (value) } } } }
}

/// What is configured of the kind. Credentials are masked.
fn configuration(subject: &Subject) -> Markup {
    let Some(config) = &subject.endpoint.config else { return Markup::default() };
    let fields = kinds::form(subject.endpoint.kind).fields.iter();
    let set = fields.filter_map(|it| Some((it, config.0.get(it.name)?)));
    html! {
        @for (field, value) in set { (fact(field.label, &configured(field, value))) }
    }
}

fn configured(field: &ConfigField, value: &Value) -> Markup {
    match field.input {
        Input::Secret | Input::SecretText => html! { span.soft { "••••••••" } },
        Input::Flag(_) => html! { (if value == &Value::Bool(true) { "Yes" } else { "No" }) },
        Input::Choice(options) => {
            let known = options.iter().find(|it| value.as_str() == Some(it.0));
            html! { (known.map_or_else(|| config::text(field.input, value), |it| it.1.to_owned())) }
        },
        Input::Text
        | Input::Number
        | Input::NumberOrText
        | Input::Long
        | Input::Lines
        | Input::Pairs
        | Input::Json => html! { code.multiline { (config::text(field.input, value)) } },
    }
}
