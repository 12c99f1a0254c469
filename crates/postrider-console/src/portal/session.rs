//! The beginning and the end of a customer's session.

use std::sync::Arc;

use axum::{Router, body::Body, extract::State, response::Response, routing::get};
use http::{HeaderMap, Method, StatusCode};
use maud::html as markup;
use postrider::api::portal_theme::PortalTheme;

use super::next;
use crate::{
    api::v1,
    context::{Context, Shared},
    cookie,
    failure::Failure,
    form::Form,
    layout::portal_bare,
    page::{ActionResult, Outcome, PageResult},
    response::{append, html, redirect},
    site::Audience,
    theme::Appearance,
};

/// The page that needs no session.
pub(super) fn router(shared: &Arc<Shared>) -> Router {
    Router::new().route("/portal/signed-out", get(signed_out)).with_state(Arc::clone(shared))
}

/// The first page, or the one that the sign-in link asks for.
pub(super) async fn home(context: Arc<Context>) -> Result<Response, Failure> {
    Ok(redirect(&context.link(&next::path(context.query.text("next")))))
}

/// Any other page.
pub(super) async fn not_found(_: Arc<Context>) -> PageResult {
    Err(Failure::NotFound("this page"))
}

/// Revokes the token, and forgets it.
pub(super) async fn logout(context: Arc<Context>, _: Form) -> ActionResult {
    // The person leaves also if the server cannot revoke the token, which then expires by itself.
    let revoked = context.api.call(Method::POST, v1(&["auth", "logout"]), Body::empty()).await;
    if let Err(error) = revoked {
        tracing::debug!(%error, "a token of the portal was not revoked");
    }
    let mut response = redirect(&context.link("/portal/signed-out"));
    let transport = context.shared.site.transport();
    append(&mut response, cookie::PORTAL.remove(transport));
    Ok(Outcome::Response(Box::new(response)))
}

async fn signed_out(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let transport = shared.site.transport();
    let appearance = Appearance::of(&headers, transport, &PortalTheme::default());
    let content = markup! {
        div.login {
            h1 { "You are signed out" }
            p { "You can close this page. To come back, open it again from the application that you came from." }
        }
    };
    html(
        StatusCode::OK,
        Audience::Portal,
        portal_bare(&shared, &appearance, "Signed out", &content),
    )
}
