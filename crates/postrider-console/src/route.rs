//! Pages and actions as HTTP routes.

use std::sync::Arc;

use axum::{
    Router,
    body::to_bytes,
    extract::{FromRequestParts, RawPathParams, Request},
    response::Response,
    routing::{get, post},
};
use http::request::Parts;

use crate::{
    context::{Context, Shared, context},
    failure::Failure,
    form::Form,
    live,
    origin::{is_own_page, wants_stream},
    page::{ActionResult, PageResult},
    response,
    screens::login,
    site::Audience,
};

/// Most bytes of a form. A payload has 1 MB by default, and its encoding as a form up to three
/// times as many.
const MAX_FORM: usize = 8 << 20;

/// Most bytes of a form without a session, so that clients without access cannot make the server
/// hold many. Its fields are kept until the person has signed in again.
const MAX_INTERRUPTED: usize = 256 << 10;

/// The routes of an audience.
#[derive(Debug)]
pub(crate) struct Routes {
    router: Router,
    shared: Arc<Shared>,
    audience: Audience,
}

impl Routes {
    pub(crate) fn new(shared: Arc<Shared>, audience: Audience) -> Self {
        Self { router: Router::new(), shared, audience }
    }

    /// Adds a page. If the browser asks for a stream, the page is rendered again whenever its data
    /// may have changed.
    pub(crate) fn page<F>(self, path: &str, page: fn(Arc<Context>) -> F) -> Self
    where
        F: Future<Output = PageResult> + Send + 'static,
    {
        let (shared, audience) = (Arc::clone(&self.shared), self.audience);
        let handler = async move |request: Request| {
            let (mut parts, _) = request.into_parts();
            let context = match begin(&shared, audience, &mut parts).await {
                Ok(context) => Arc::new(context),
                Err(failure) => return login::required(&shared, audience, &parts, &failure, None),
            };
            if wants_stream(&parts.headers) {
                return live::stream(context, page).await;
            }
            match page(Arc::clone(&context)).await {
                Ok(page) => response::page(&context, &page),
                Err(Failure::SignedOut) => {
                    login::required(&shared, audience, &parts, &Failure::SignedOut, None)
                },
                Err(failure) => response::failure(&context, &failure),
            }
        };
        Self { router: self.router.route(path, get(handler)), ..self }
    }

    /// Adds a response that is not a page, such as a download or a fragment.
    pub(crate) fn raw<F>(self, path: &str, respond: fn(Arc<Context>) -> F) -> Self
    where
        F: Future<Output = Result<Response, Failure>> + Send + 'static,
    {
        let (shared, audience) = (Arc::clone(&self.shared), self.audience);
        let handler = async move |request: Request| {
            let (mut parts, _) = request.into_parts();
            let context = match begin(&shared, audience, &mut parts).await {
                Ok(context) => Arc::new(context),
                Err(failure) => return login::required(&shared, audience, &parts, &failure, None),
            };
            match respond(Arc::clone(&context)).await {
                Ok(response) => response,
                Err(Failure::SignedOut) => {
                    login::required(&shared, audience, &parts, &Failure::SignedOut, None)
                },
                Err(failure) => response::failure(&context, &failure),
            }
        };
        Self { router: self.router.route(path, get(handler)), ..self }
    }

    /// Adds an action: what a form does that is sent to the path.
    pub(crate) fn action<F>(self, path: &str, act: fn(Arc<Context>, Form) -> F) -> Self
    where
        F: Future<Output = ActionResult> + Send + 'static,
    {
        let (shared, audience) = (Arc::clone(&self.shared), self.audience);
        let handler = async move |request: Request| {
            let (mut parts, body) = request.into_parts();
            if !is_own_page(&shared.site, &parts.method, &parts.uri, &parts.headers) {
                return login::required(&shared, audience, &parts, &Failure::Forged, None);
            }
            let begun = begin(&shared, audience, &mut parts).await;
            let limit = if begun.is_ok() { MAX_FORM } else { MAX_INTERRUPTED };
            let Ok(form) = to_bytes(body, limit).await.map(|it| Form::parse(&it)) else {
                return login::required(&shared, audience, &parts, &Failure::TooLarge(limit), None);
            };
            let context = match begun {
                Ok(context) => Arc::new(context),
                Err(failure) => {
                    return login::required(&shared, audience, &parts, &failure, Some(&form));
                },
            };
            if !context.session.is_own_form(form.text("csrf").unwrap_or_default()) {
                return response::failure(&context, &Failure::Forged);
            }
            match act(Arc::clone(&context), form.clone()).await {
                Ok(outcome) => response::outcome(&context, outcome),
                Err(Failure::SignedOut) => {
                    login::required(&shared, audience, &parts, &Failure::SignedOut, Some(&form))
                },
                Err(failure) => response::failure(&context, &failure),
            }
        };
        Self { router: self.router.route(path, post(handler)), ..self }
    }

    pub(crate) fn into_router(self) -> Router {
        self.router
    }
}

async fn begin(
    shared: &Arc<Shared>,
    audience: Audience,
    parts: &mut Parts,
) -> Result<Context, Failure> {
    let params = RawPathParams::from_request_parts(parts, &()).await;
    let params = params.map_err(|_| Failure::NotFound("this page"))?;
    let params = params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    context(shared, audience, params, parts).await
}
