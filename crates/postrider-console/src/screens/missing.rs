//! Paths without a page.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    response::Response,
};
use http::{Method, header};
use tower::ServiceExt;

use super::login;
use crate::{
    context::{Shared, context},
    failure::Failure,
    response,
    site::Audience,
};

/// Says to people that there is no such page, and lets the API respond to programs.
pub(super) async fn missing(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    if !wants_page(&request) {
        let Ok(response) = shared.settings.api.clone().oneshot(request).await;
        return response;
    }
    let (parts, _) = request.into_parts();
    let is_portal = parts.uri.path().starts_with("/portal");
    let audience = if is_portal { Audience::Portal } else { Audience::Console };
    match context(&shared, audience, Vec::new(), &parts).await {
        Ok(context) => response::failure(&context, &Failure::NotFound("this page")),
        Err(failure) => login::required(&shared, audience, &parts, &failure, None),
    }
}

/// Whether a browser shows the response to a person.
fn wants_page(request: &Request) -> bool {
    let accepted = request.headers().get(header::ACCEPT).and_then(|it| it.to_str().ok());
    let path = request.uri().path();
    request.method() == Method::GET
        && accepted.is_some_and(|it| it.contains("text/html"))
        && !["/api/", "/ingest/"].iter().any(|it| path.starts_with(it))
}
