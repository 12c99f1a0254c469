//! Changing a source.

use std::sync::Arc;

use http::Method;
use maud::html;
use postrider::api::IngestSourceOut;

use super::{
    body,
    form::{SHOWN, SourceForm, initial},
    load::{self, below, path, provider_of},
};
use crate::{
    api::{ApiFailure, ingest},
    context::Context,
    form::Form,
    page::{ActionResult, Outcome, PageResult},
    ui,
};

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    let source = load::source(&context).await?;
    Ok(view(&context, &source, &initial(&source), None))
}

pub(super) async fn save(context: Arc<Context>, form: Form) -> ActionResult {
    let source = load::source(&context).await?;
    let id = source.id.to_string();
    let body = body::change(&form, &source.provider, provider_of(&source).as_deref());
    let path = ingest(&["source", &id]);
    match context.api.send::<IngestSourceOut>(Method::PATCH, path, &body).await {
        Ok(_) => Ok(Outcome::done(load::path(&id, &[]), "The source was changed.")),
        Err(error) if error.is_input() => {
            Ok(Outcome::again(view(&context, &source, &form, Some(&error))))
        },
        Err(error) => Err(error.into()),
    }
}

fn view(
    context: &Context,
    source: &IngestSourceOut,
    sent: &Form,
    failure: Option<&ApiFailure>,
) -> crate::page::Page {
    let provider = provider_of(source);
    let fields = SourceForm {
        kind: &source.provider,
        provider: provider.as_deref(),
        source: Some(source),
        applications: &[],
        sent,
        failure,
    };
    let id = source.id.to_string();
    let form = html! {
        (ui::form::problems(failure, &SHOWN))
        (fields.fields())
        (ui::submit(context, "Save", Some(&path(&id, &[]))))
    };
    below(source, "Edit source")
        .part(html! { div.narrow { (ui::form(context, &path(&id, &["edit"]), &form)) } })
}
