//! The requests that a source rejected, or dropped as duplicates.

mod entry;
mod explain;

use std::sync::Arc;

use maud::{Markup, html};
use postrider::api::{
    IngestLogAcceptOut, IngestLogOut, IngestLogVerifyOut, IngestSourceOut, ListResponse,
    SourceSecretsOut,
};
use serde_json::json;

use self::explain::Expected;
use super::load::{self, below, path};
use crate::{
    api::{ApiFailure, ingest},
    context::Context,
    form::Form,
    page::{ActionResult, Outcome, PageResult, Tone},
    site::join,
    ui::{self, Field, Icon, icon},
};

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    let source = load::source(&context).await?;
    let list = load(&context, &source).await?;
    let expected = expected(&context, &source, &list.data).await?;
    let entries = html! {
        (ui::filters(&context, &reason_field(&context)))
        @if list.data.is_empty() { (empty(&context, &source)) }
        @for it in &list.data {
            (entry::entry(&context, &source, it, expected.as_ref().filter(|of| of.0 == it.id.to_string()).map(|it| &it.1)))
        }
        (ui::pages(&context, list.iterator.as_deref(), list.done))
    };
    Ok(below(&source, "Rejected requests")
        .lead(html! { "Requests that did not verify, and duplicates of earlier events. They are kept for one day." })
        .part(entries))
}

async fn load(
    context: &Context,
    source: &IngestSourceOut,
) -> Result<ListResponse<IngestLogOut>, ApiFailure> {
    let path = ingest(&["source", &source.id.to_string(), "log"]);
    let path = path.with("limit", 25).with("order", "descending");
    let path = path.and("iterator", context.query.text("iterator"));
    context.api.get(path.and("reason", context.query.text("reason"))).await
}

/// What the provider would have sent with the body of the request that the URL names. Reading the
/// secrets for this is audited, so it is done only if it was asked for.
async fn expected(
    context: &Context,
    source: &IngestSourceOut,
    log: &[IngestLogOut],
) -> Result<Option<(String, Expected)>, ApiFailure> {
    let wanted = context.query.text("explain");
    let Some(entry) = log.iter().find(|it| Some(it.id.to_string().as_str()) == wanted) else {
        return Ok(None);
    };
    let path = ingest(&["source", &source.id.to_string(), "secret"]);
    let secrets: SourceSecretsOut = context.api.get(path).await?;
    Ok(Some((entry.id.to_string(), explain::expected(source, &secrets, entry))))
}

fn reason_field(context: &Context) -> Markup {
    let value = context.query.text("reason").unwrap_or_default();
    html! {
        (Field::new("reason", "Reason contains").value(value).placeholder("no signature matches").line())
    }
}

fn empty(context: &Context, source: &IngestSourceOut) -> Markup {
    if context.query.text("reason").is_some() {
        return ui::empty(
            "No such rejections",
            &html! { p { "No rejected request of the last day has this reason." } },
        );
    }
    let sample = path(&source.id.to_string(), &["sample"]);
    ui::empty(
        "Nothing was rejected",
        &html! {
            p { "In the last day, every request to this source verified. If you expected a request here, the provider may use another URL." }
            a.button.secondary href=(context.link(&sample)) { (icon(Icon::Send)) "Send a sample" }
        },
    )
}

pub(super) async fn verify(context: Arc<Context>, _: Form) -> ActionResult {
    let (source, log) = (context.param("source"), context.param("log"));
    let to = ingest(&["source", source, "log", log, "verify"]);
    let result: IngestLogVerifyOut = context.api.post(to, &json!({})).await?;
    let back = format!("{}?open={log}#{log}", path(source, &["rejected"]));
    Ok(match result.reason {
        None => {
            Outcome::done(back, "The request verifies with the present secrets. You can accept it.")
        },
        Some(reason) if result.is_incomplete => Outcome::failed(
            back,
            format!(
                "It still does not verify: {reason}. The request is not stored completely, because it \
             was too large or contained secrets, so that the original may verify nevertheless."
            ),
        ),
        Some(reason) => Outcome::failed(back, format!("It still does not verify: {reason}.")),
    })
}

pub(super) async fn accept(context: Arc<Context>, _: Form) -> ActionResult {
    let (id, log) = (context.param("source"), context.param("log"));
    let source = load::source(&context).await?;
    let to = ingest(&["source", id, "log", log, "accept"]);
    match context.api.post::<IngestLogAcceptOut>(to, &json!({})).await {
        Ok(accepted) => {
            let app = source.app_id.to_string();
            let message = join(&["apps", &app, "messages", &accepted.message_id.to_string()]);
            let text = if accepted.is_duplicate {
                "The event had been accepted before; this is its message."
            } else {
                "The request was accepted as this message."
            };
            Ok(Outcome::done(message, text))
        },
        Err(error) if error.is_input() => {
            Ok(Outcome::failed(path(id, &["rejected"]), format!("It was not accepted: {error}.")))
        },
        Err(error) => Err(error.into()),
    }
}

/// How a rejection looks: rejected, or dropped as a duplicate.
fn tone(entry: &IngestLogOut) -> (Tone, Icon, &'static str) {
    match entry.duplicate_of {
        Some(_) => (Tone::Neutral, Icon::Repeat, "Duplicate"),
        None => (Tone::Bad, Icon::Cross, "Rejected"),
    }
}
