//! The secrets of a source: shown, set, and replaced.

use std::sync::Arc;

use http::Method;
use maud::{Markup, html};
use postrider::{
    api::{IngestSourceOut, SourceSecretsOut, ingest::SourceSecret},
    provider::Provider,
};
use serde_json::json;

use super::load::{self, below, path, provider_of};
use crate::{
    api::{ApiFailure, ingest},
    context::Context,
    form::Form,
    page::{ActionResult, Outcome, Page, PageResult, Tone},
    ui::{self, Field, code},
    viewer::Action,
};

/// How long old secrets stay valid: what is sent, and what is shown.
const GRACE: [(&str, &str); 5] = [
    ("86400", "1 day"),
    ("3600", "1 hour"),
    ("259200", "3 days"),
    ("604800", "7 days"),
    ("0", "not at all"),
];

/// Reading secrets is audited, so they are read only if `reveal` is in the URL.
pub(super) async fn page(context: Arc<Context>) -> PageResult {
    let source = load::source(&context).await?;
    let revealed = match context.query.text("reveal") {
        Some(_) => Some(load_secrets(&context, &source).await?),
        None => None,
    };
    Ok(view(&context, &source, revealed.as_ref(), &Form::default(), None))
}

async fn load_secrets(
    context: &Context,
    source: &IngestSourceOut,
) -> Result<SourceSecretsOut, ApiFailure> {
    context.api.get(ingest(&["source", &source.id.to_string(), "secret"])).await
}

/// Adds a secret. With a grace period the old ones stay valid; without, they are replaced.
pub(super) async fn rotate(context: Arc<Context>, form: Form) -> ActionResult {
    let source = load::source(&context).await?;
    let id = source.id.to_string();
    let grace = form.text("grace").and_then(|it| it.parse::<u32>().ok());
    let body =
        json!({ "secret": form.text("secret").unwrap_or_default(), "gracePeriodSeconds": grace });
    let to = ingest(&["source", &id, "secret", "rotate"]);
    match context.api.send::<IngestSourceOut>(Method::POST, to, &body).await {
        Ok(_) => Ok(Outcome::done(path(&id, &[]), "The secret was set.")),
        Err(error) if error.is_input() => {
            Ok(Outcome::again(view(&context, &source, None, &form, Some(&error))))
        },
        Err(error) => Err(error.into()),
    }
}

fn view(
    context: &Context,
    source: &IngestSourceOut,
    revealed: Option<&SourceSecretsOut>,
    sent: &Form,
    failure: Option<&ApiFailure>,
) -> Page {
    let provider = provider_of(source);
    below(source, "Secrets").part(html! {
        div.narrow.stack {
            section.section {
                h2 { "Present secrets" }
                (present(context, source, revealed))
            }
            @if context.may(Action::RotateSecret) {
                section.section {
                    h2 { @if source.secret_count == 0 { "Set the secret" } @else { "Replace the secret" } }
                    (replace(context, source, provider.as_deref(), sent, failure))
                }
            }
        }
    })
}

fn present(
    context: &Context,
    source: &IngestSourceOut,
    revealed: Option<&SourceSecretsOut>,
) -> Markup {
    let reveal = path(&source.id.to_string(), &["secrets"]) + "?reveal=1";
    match revealed {
        _ if source.secret_count == 0 => ui::notice(
            Tone::Warning,
            &html! {
                "The source has no secret. Unless the provider does not sign, every request is rejected."
            },
        ),
        Some(revealed) => html! { @for it in &revealed.secrets { (secret(context, it)) } },
        None => html! {
            p {
                (ui::plural(source.secret_count as u64, "secret")) ", stored encrypted. "
                "A request is accepted if any of them verifies it."
            }
            @if context.may(Action::ReadSecret) {
                p.buttons {
                    a.button.secondary href=(context.link(&reveal)) { "Show" }
                    span.hint { "The audit log records that you have seen it." }
                }
            }
        },
    }
}

fn secret(context: &Context, secret: &SourceSecret) -> Markup {
    html! {
        (code::block("Secret", &secret.key))
        @if let Some(until) = secret.until {
            p.hint { "Valid until " (ui::time::instant(context, until)) " (" (ui::time(context, until)) ")." }
        }
    }
}

fn replace(
    context: &Context,
    source: &IngestSourceOut,
    provider: Option<&Provider>,
    sent: &Form,
    failure: Option<&ApiFailure>,
) -> Markup {
    let id = source.id.to_string();
    let hint = provider.map(|it| it.secret.as_str()).filter(|it| !it.is_empty());
    let field = Field::new("secret", "New secret").sent(sent, failure, "secret").required().code(2);
    let field = field.hint(html! { (hint.unwrap_or("As the provider shows it.")) });
    let fields = html! {
        (ui::form::problems(failure, &["secret", "gracePeriodSeconds"]))
        (field.area())
        @if source.secret_count > 0 {
            (Field::new("grace", "Old secrets stay valid for").sent(sent, failure, "gracePeriodSeconds")
                .hint(html! { "Choose a time in which the provider certainly uses the new secret." })
                .select(&GRACE))
        }
        (ui::submit(context, "Set secret", Some(&path(&id, &[]))))
    };
    ui::form(context, &path(&id, &["secrets"]), &fields)
}
