//! Signing in and out.

mod sign_in;
mod view;

use std::sync::Arc;

use axum::{
    Router,
    body::to_bytes,
    extract::{Request, State},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http::{HeaderMap, StatusCode, request::Parts};
use postrider::api::portal_theme::PortalTheme;

use self::sign_in::{SignedIn, sign_in};
use crate::{
    context::Shared,
    cookie,
    failure::Failure,
    form::Form,
    origin::is_own_page,
    portal::next,
    query::Query,
    response::{append, html, redirect},
    session::{self, Session},
    site::Audience,
    theme::{Appearance, Embedding, PARAMETERS, Preferences, is_framed},
};

/// Most bytes of the form: a token, and the fields of a form that was interrupted.
const MAX_FORM: usize = 512 << 10;

/// The routes, which need no session.
pub(crate) fn router(shared: &Arc<Shared>) -> Router {
    Router::new()
        .route("/login", get(show).post(submit))
        .route("/login/check", get(check))
        .route("/logout", post(logout))
        .route("/favicon.svg", get(favicon))
        .with_state(Arc::clone(shared))
}

async fn show(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let query = Query::parse(request.uri().query());
    let view = view::Login {
        return_to: query.text("return_to"),
        embedding: Some(&query),
        ..view::Login::default()
    };
    respond(&shared, request.headers(), StatusCode::OK, &view)
}

/// The page instead of one that needs a session.
pub(crate) fn required(
    shared: &Arc<Shared>,
    audience: Audience,
    parts: &Parts,
    failure: &Failure,
    form: Option<&Form>,
) -> Response {
    let path = parts.uri.path_and_query().map_or("/", |it| it.as_str());
    let is_expired = Session::find(&parts.headers, audience, shared.site.transport()).is_some();
    let signed_out = matches!(failure, Failure::SignedOut);
    let is_portal = audience == Audience::Portal;
    let problem = (!signed_out || is_expired).then(|| match failure {
        Failure::SignedOut if is_portal => "Your session has ended.".to_owned(),
        Failure::SignedOut => "Your session has ended. Sign in again.".to_owned(),
        Failure::Forged
        | Failure::Api(_)
        | Failure::NotFound(_)
        | Failure::NotPermitted(_)
        | Failure::TooLarge(_) => failure.to_string(),
    });
    let view = view::Login {
        problem: problem.as_deref(),
        return_to: Some(path).filter(|_| parts.method.is_safe()),
        interrupted: form.map(|form| (path, form)),
        audience: Some(audience),
        embedding: None,
    };
    let mut response = respond(shared, &parts.headers, failure.status(), &view);
    if signed_out && is_expired {
        let ended = session::cookie(audience).remove(shared.site.transport());
        append(&mut response, ended);
    }
    response
}

async fn submit(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let form = to_bytes(body, MAX_FORM).await.map(|it| Form::parse(&it)).unwrap_or_default();
    if !is_own_page(&shared.site, &parts.method, &parts.uri, &parts.headers) {
        let view = view::Login { problem: Some("Sign in on this page."), ..view::Login::default() };
        return respond(&shared, &parts.headers, StatusCode::FORBIDDEN, &view);
    }
    match sign_in(&shared, &parts, &form).await {
        Ok(signed_in) => welcome(&shared, &parts.headers, &form, &signed_in),
        Err(problem) => {
            let given = Query::of(form.pairs());
            let view = view::Login {
                problem: Some(&problem),
                return_to: form.text("return_to"),
                embedding: Some(&given),
                ..view::Login::default()
            };
            respond(&shared, &parts.headers, StatusCode::UNAUTHORIZED, &view)
        },
    }
}

/// Sets the cookie, and goes on: to the page that needed the session, or with the form that its
/// end interrupted.
fn welcome(shared: &Shared, headers: &HeaderMap, form: &Form, signed_in: &SignedIn) -> Response {
    let transport = shared.site.transport();
    let SignedIn { token, audience, lifetime } = signed_in;
    let mut response = match form.text("interrupted").filter(|it| it.starts_with('/')) {
        Some(path) => {
            let theme = Preferences::find(headers, transport).theme;
            let markup = view::resume(shared, theme, path, form, token);
            html(StatusCode::OK, *audience, markup)
        },
        None => redirect(&shared.site.path(&return_path(form, *audience))),
    };
    append(&mut response, session::cookie(*audience).set(token, *lifetime, transport));
    if *audience == Audience::Portal {
        let embedding = Embedding::of(&Query::of(form.pairs())).cookie();
        let kept = embedding.map_or_else(
            || cookie::EMBEDDING.remove(transport),
            |it| cookie::EMBEDDING.set(&it, None, transport),
        );
        append(&mut response, kept);
    }
    response
}

/// Where a sign-in leads: a page of the same audience on this server.
fn return_path(form: &Form, audience: Audience) -> String {
    let asked = form.text("return_to");
    if audience == Audience::Portal {
        return next::path(asked.or_else(|| form.text("next")));
    }
    let asked = asked.and_then(postrider_core::sign_in::return_path);
    let is_page = |it: &&str| !it.starts_with("/portal") && !it.starts_with("/login");
    asked.filter(is_page).unwrap_or("/").to_owned()
}

/// Whether the browser sends the cookie of the portal, which it may refuse in a frame.
async fn check(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> StatusCode {
    let transport = shared.site.transport();
    let is_signed_in = |audience| Session::find(&headers, audience, transport).is_some();
    if is_signed_in(Audience::Portal) || is_signed_in(Audience::Console) {
        StatusCode::NO_CONTENT
    } else {
        StatusCode::UNAUTHORIZED
    }
}

/// Forgets the token. A session of single sign-on ends on all nodes.
async fn logout(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    if !is_own_page(&shared.site, &parts.method, &parts.uri, &parts.headers) {
        return redirect(&shared.site.path("/"));
    }
    let transport = shared.site.transport();
    let session = Session::find(&parts.headers, Audience::Console, transport);
    let mut response = if session.is_some_and(|it| it.token.is_none()) {
        // 307 repeats the method.
        let location = http::HeaderValue::try_from(shared.site.path("/auth/logout"));
        let mut response = StatusCode::TEMPORARY_REDIRECT.into_response();
        if let Ok(location) = location {
            response.headers_mut().insert(http::header::LOCATION, location);
        }
        response
    } else {
        redirect(&shared.site.path("/login"))
    };
    append(&mut response, cookie::CONSOLE.remove(transport));
    response
}

async fn favicon() -> Response {
    const IMAGE: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 24 24\">\
                         <path fill=\"#3457c9\" d=\"M3 5h13l6 7-6 7H3l5-7z\"/></svg>";
    let headers = [
        (http::header::CONTENT_TYPE, "image/svg+xml"),
        (http::header::CACHE_CONTROL, "public, max-age=86400"),
    ];
    (headers, IMAGE).into_response()
}

fn respond(
    shared: &Shared,
    headers: &HeaderMap,
    status: StatusCode,
    login: &view::Login<'_>,
) -> Response {
    let transport = shared.site.transport();
    let given = login.embedding.filter(|it| it.has_any(&PARAMETERS)).map(Embedding::of);
    let embedding = given.unwrap_or_else(|| Embedding::find(headers, transport));
    let own = Preferences::find(headers, transport).theme;
    let theme = PortalTheme::default();
    let appearance = Appearance::new(&embedding, is_framed(headers), own, &theme);
    // The portal signs in on this page in a frame of any site. The page changes nothing by itself:
    // it needs a token that the embedding site has.
    html(status, Audience::Portal, view::login(shared, &appearance, login))
}
