//! What has to be done at the provider, and how it behaves.

use maud::{Markup, html};
use postrider::{
    api::IngestSourceOut,
    provider::{Provider, Scheme},
};

use super::load::path;
use crate::{
    context::Context,
    ui::{Icon, icon},
    viewer::Action,
};

/// The steps that lead from a new source to the first message.
pub(super) fn steps(
    context: &Context,
    source: &IngestSourceOut,
    provider: Option<&Provider>,
    has_endpoint: bool,
) -> Markup {
    let done = html! { " " span.step-done { (icon(Icon::Check)) "Done" } };
    let name = provider.map_or("the sender", |it| it.name.as_str());
    let secrets = path(&source.id.to_string(), &["secrets"]);
    let needs_secret = provider.is_some_and(Provider::is_signed);
    let has_handshake = provider.is_some_and(|it| !it.model.handshakes.is_empty());
    html! {
        ol.steps {
            li {
                p { "Enter the URL of this source at " (name) "." }
                @if let Some(docs) = provider.map(|it| it.docs.as_str()).filter(|it| it.starts_with("https://")) {
                    p.hint { a href=(docs) rel="noopener noreferrer" target="_blank" { "Documentation of " (name) } }
                }
            }
            @if needs_secret {
                li {
                    p {
                        @if context.may(Action::RotateSecret) {
                            a href=(context.link(&secrets)) { "Set the secret" } " that " (name) " shows."
                        } @else { "Set the secret that " (name) " shows." }
                        @if source.secret_count > 0 { (done) }
                    }
                    @if let Some(secret) = provider.map(|it| it.secret.as_str()).filter(|it| !it.is_empty()) {
                        p.hint { (secret) }
                    }
                }
            }
            @if has_handshake {
                li { p { (name) " sends a handshake first. It is responded to automatically." } }
            }
            li { p { "Create an endpoint that the messages are delivered to." @if has_endpoint { (done) } } }
        }
        @if let Some(notes) = provider.map(|it| it.notes.as_str()).filter(|it| !it.is_empty()) {
            p.hint { (notes) }
        }
    }
}

/// How a provider signs, repeats and identifies events.
pub(super) fn about(provider: &Provider) -> Markup {
    let facts = facts(provider);
    html! {
        dl.plain-facts {
            @for (name, value) in facts { div { dt { (name) } dd { (value) } } }
        }
        @if provider.docs.starts_with("https://") {
            p { a href=(provider.docs) rel="noopener noreferrer" target="_blank" { "Documentation of " (provider.name) } }
        }
    }
}

fn facts(provider: &Provider) -> Vec<(&'static str, String)> {
    let mut schemes: Vec<_> = provider.model.verify.iter().map(scheme).collect();
    schemes.dedup();
    let deadline = provider.response_deadline_seconds.map(|it| format!("within about {it} s"));
    let facts = [
        ("Signs with", schemes.join(", or ")),
        ("Secret", provider.secret.clone()),
        ("Expects a response", deadline.unwrap_or_default()),
        ("Repeats failed requests", provider.retry.clone()),
        ("Event ids", provider.id_guarantee.clone()),
        ("Notes", provider.notes.clone()),
    ];
    facts.into_iter().filter(|it| !it.1.is_empty()).collect()
}

fn scheme(scheme: &Scheme) -> String {
    let hash = scheme.signature().map(|it| format!("{:?}", it.hash).to_uppercase());
    let hash = hash.unwrap_or_default();
    match scheme {
        Scheme::Hmac(_) => format!("HMAC-{hash}"),
        Scheme::Digest(_) => hash,
        Scheme::Ed25519(_) => "Ed25519".to_owned(),
        Scheme::Ecdsa(_) => format!("ECDSA-{hash}"),
        Scheme::Rsa(_) => format!("RSA-{hash}"),
        Scheme::Jwt(_) => "a JWT".to_owned(),
        Scheme::SharedSecret(_) => "a shared secret".to_owned(),
        Scheme::Basic => "user and password".to_owned(),
        Scheme::None => "nothing".to_owned(),
        Scheme::Code(_) => "its own scheme".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use postrider::provider;

    use super::*;

    #[test]
    fn schemes_have_their_usual_names() {
        let names = |id: &str| {
            let provider = provider::find(id).unwrap();
            provider.model.verify.iter().map(scheme).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(names("stripe"), "HMAC-SHA256");
        assert_eq!(names("twilio"), "its own scheme");
    }
}
