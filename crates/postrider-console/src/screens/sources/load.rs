//! What the pages about one source have in common.

use std::borrow::Cow;

use postrider::{
    api::{IngestSourceOut, ListResponse, MessageOut},
    provider::{self, Model, Provider},
};

use crate::{
    api::{ApiFailure, ingest, v1},
    context::Context,
    page::{Page, Section},
    site::join,
};

/// The source of the path.
pub(super) async fn source(context: &Context) -> Result<IngestSourceOut, ApiFailure> {
    context.api.get(ingest(&["source", context.param("source")])).await
}

/// The path of a page of the source, without the prefix of the site.
pub(super) fn path(source: &str, segments: &[&str]) -> String {
    format!("{}{}", join(&["sources", source]), join(segments))
}

/// The newest messages that the source received; each has the source's id as a tag.
pub(super) async fn messages(
    context: &Context,
    source: &IngestSourceOut,
    limit: usize,
) -> Result<Vec<MessageOut>, ApiFailure> {
    let (app, id) = (source.app_id.to_string(), source.id.to_string());
    let path = v1(&["app", &app, "msg"]).with("limit", limit).with("tag", id);
    let found = context.api.get::<ListResponse<MessageOut>>(path.with("with_content", false));
    Ok(found.await?.data)
}

/// A page below that of a source.
pub(super) fn below(source: &IngestSourceOut, title: impl Into<String>) -> Page {
    Page::new(Section::Sources, title)
        .crumb("Sources", "/sources")
        .crumb(source.name.clone(), path(&source.id.to_string(), &[]))
}

/// The provider of a source; none if its requests are not verified.
pub(super) fn provider_of(source: &IngestSourceOut) -> Option<Cow<'static, Provider>> {
    if let Some(found) = provider::find(&source.provider) {
        return Some(Cow::Borrowed(found));
    }
    let model = Model::from_json(&source.model.as_ref()?.0).ok()?;
    Some(Cow::Owned(Provider::new("custom", model)))
}

/// The name of a provider for people.
pub(super) fn provider_name(id: &str) -> String {
    match (provider::find(id), id) {
        (Some(found), _) => found.name.clone(),
        (None, "generic-webhook") => "Any sender".to_owned(),
        (None, "custom") => "Custom provider".to_owned(),
        (None, other) => other.to_owned(),
    }
}
