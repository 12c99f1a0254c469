//! Sends a source a sample event of its provider, signed with its secret.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};
use postrider::{
    api::{IngestSourceOut, MessageOut, SourceSecretsOut, ingest::Verification},
    provider::{SignError, SignedRequest, sample},
};

use super::{
    body::parameter_field,
    load::{self, below, path, provider_of},
    signed::{Signer, explain},
};
use crate::{
    api::{ApiFailure, Delivered, ingest},
    context::Context,
    form::Form,
    page::{ActionResult, Outcome, Page, PageResult, Tone},
    site::join,
    ui::{self, Field, Icon, badge, code},
};

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    let source = load::source(&context).await?;
    Ok(view(&context, &source, &Form::default(), &html! {}))
}

pub(super) async fn send(context: Arc<Context>, form: Form) -> ActionResult {
    let source = load::source(&context).await?;
    let id = source.id.to_string();
    let secrets: SourceSecretsOut = context.api.get(ingest(&["source", &id, "secret"])).await?;
    let signer = Signer::new(&source, &secrets, &form);
    let result = match sign(&context, &signer, &form) {
        Ok(signed) => deliver(&context, &source, &signed).await?,
        Err(error) => ui::notice(Tone::Bad, &html! { (explain(&error, &source)) }),
    };
    Ok(Outcome::page(view(&context, &source, &form, &result)))
}

fn sign(context: &Context, signer: &Signer, form: &Form) -> Result<SignedRequest, SignError> {
    let now = u64::try_from(context.now.as_second()).unwrap_or_default();
    // The nanoseconds make the event differ from those of earlier samples.
    let seed = u64::try_from(context.now.as_nanosecond()).unwrap_or(now);
    let event = form.text("event");
    signer.sign(signer.sample(event, seed, now), now)
}

async fn deliver(
    context: &Context,
    source: &IngestSourceOut,
    signed: &SignedRequest,
) -> Result<Markup, ApiFailure> {
    let delivered = context.api.deliver(signed, &source.ingest_url).await?;
    let message = if delivered.status.is_success() { newest(context, source).await? } else { None };
    Ok(result(context, source, signed, &delivered, message.as_ref()))
}

/// The message that the request has just become.
async fn newest(
    context: &Context,
    source: &IngestSourceOut,
) -> Result<Option<MessageOut>, ApiFailure> {
    let since = context.now.checked_sub(SignedDuration::from_secs(1)).unwrap_or(Timestamp::MIN);
    let newest = load::messages(context, source, 1).await?.into_iter().next();
    Ok(newest.filter(|it| it.timestamp >= since))
}

fn result(
    context: &Context,
    source: &IngestSourceOut,
    signed: &SignedRequest,
    delivered: &Delivered,
    message: Option<&MessageOut>,
) -> Markup {
    let app = source.app_id.to_string();
    html! {
        @if let Some(message) = message {
            (ui::notice(Tone::Good, &html! {
                @if source.verification == Verification::Required { "The request verified" } @else { "The request was accepted" }
                " and became the message "
                a href=(context.link(&join(&["apps", &app, "messages", &message.id.to_string()]))) { (message.id) }
                " of the type " code { (message.event_type) } "."
            }))
        } @else if delivered.status.is_success() {
            (ui::notice(Tone::Good, &html! { "The source accepted the request." }))
        } @else if source.disabled {
            (ui::notice(Tone::Bad, &html! { "The source rejected the request, because it is paused." }))
        } @else {
            (ui::notice(Tone::Bad, &html! {
                "The source rejected the request. "
                a href=(context.link(&path(&source.id.to_string(), &["rejected"]))) { "See why" }
            }))
        }
        div.grid {
            section.section {
                h2 { "Request" }
                (code::block("Head", &head(signed)))
                (code::json("Body", &String::from_utf8_lossy(&signed.body), None))
            }
            section.section {
                h2 { "Response" }
                p { (status_badge(delivered)) }
                (code::block("Body of the response", &delivered.body))
            }
        }
    }
}

fn status_badge(delivered: &Delivered) -> Markup {
    let status = delivered.status.to_string();
    if delivered.status.is_success() {
        badge(Tone::Good, Icon::Check, &status)
    } else {
        badge(Tone::Bad, Icon::Cross, &status)
    }
}

fn head(signed: &SignedRequest) -> String {
    let headers = signed.headers.iter().map(|(name, value)| format!("{name}: {value}"));
    let first = format!("{} {}", signed.method, signed.url);
    std::iter::once(first).chain(headers).collect::<Vec<_>>().join("\n")
}

fn view(context: &Context, source: &IngestSourceOut, sent: &Form, result: &Markup) -> Page {
    let id = source.id.to_string();
    let provider = provider_of(source);
    let events = provider.as_deref().map(sample::event_types).unwrap_or_default();
    let events: Vec<_> = events.into_iter().map(|it| (it, it)).collect();
    let name = load::provider_name(&source.provider);
    let fields = html! {
        @if !events.is_empty() {
            (Field::new("event", "Event type").sent(sent, None, "").select(&events))
        }
        @for it in provider.iter().flat_map(|it| &it.parameters) {
            (Field::new(&parameter_field(&it.name), &it.name).sent(sent, None, "").code(1)
                .hint(html! { (it.description) " Only needed if signing uses it." }).line())
        }
        (ui::submit(context, "Sign and send", Some(&path(&id, &[]))))
    };
    below(source, "Send a sample").part(html! {
        p.narrow { "This signs a sample event of " (name) " with the secret of the source, and posts it to the source’s URL. It becomes a real message and is delivered to the endpoints." }
        div.narrow { (ui::form(context, &path(&id, &["sample"]), &fields)) }
        (result)
    })
}
